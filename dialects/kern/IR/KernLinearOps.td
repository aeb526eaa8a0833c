// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear layers, norms, quantisation, embedding, rotary table.

#ifndef DSV4_DIALECTS_KERN_IR_KERNLINEAROPS_TD
#define DSV4_DIALECTS_KERN_IR_KERNLINEAROPS_TD

include "dialects/kern/IR/KernOpBase.td"

def Kern_RopeTableOp : Kern_PhaseOp<"rope_table",
    (ins DenseF32ArrayAttr:$freqs, WriteBuffer<"cos, sin">:$tab)> {
  let summary = "cosine and sine of every token's position";
  let description = [{
    Semantics: tab[t, 2i] = cos(f32(pos_t) * freqs_i), tab[t, 2i + 1] = sin of
    the same f32 angle. Source: model.md 3.4, numerics R13.
    Items: tokens. Operand table: tab.
    Constraints: C1. at least one frequency. C2. tab is a token buffer of
    2 x freqs f32.
    Example:  kern.rope_table "rope.plain" tab(%t : !kern.buffer<token, 4, f32>)
                {freqs = array<f32: 1.0, 0.01>}
    Errors:   tab of 8 -> C2: expected tab to be a token buffer of 4 f32
  }];
  let assemblyFormat = "$phase" # In<"tab">.f # " attr-dict";
}

def Kern_EmbedOp : Kern_PhaseOp<"embed",
    (ins ReadWeight<"[V, D]">:$table, WriteBuffer<"C copies">:$streams)> {
  let summary = "embedding rows, copied into the hyper-connection streams";
  let description = [{
    Semantics: streams[t, c, :] = table[token_t, :] for c < C = width / D.
    Source: model.md 3.0. Items: tokens. Operand table: table, streams.
    Constraints: C1. table is bf16 [V, D]. C2. streams is a token buffer of
    bf16 whose width is a multiple of D.
    Example:  kern.embed "embed" table(%w : !qfmt.weight<512x256, bf16>)
                streams(%s : !kern.buffer<token, 1024, bf16>)
    Errors:   width 1000 -> C2: expected streams to be a token buffer of a
              multiple of 256 bf16
  }];
  let assemblyFormat =
    "$phase" # In<"table">.f # In<"streams">.f # " attr-dict";
}

def Kern_LinearOp : Kern_PhaseOp<"linear",
    (ins Kern_RowsOfAttr:$rows, DenseI64ArrayAttr:$groups,
         Variadic<AnyTypeOf<[Kern_Buffer, Kern_Weight]>>:$jobs),
    [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>],
    ["getScratchBytes", "getOperandLayout"]> {
  let summary = "independent matrix products in one phase";
  let description = [{
    Semantics: for each job (x, w, y) with G groups, y[r, g N/G + n] =
    sum_k x[r, g K + k] * w[g N/G + n, k] for every row r of the step (rows =
    tokens) or for the wanted rows (rows = outputs); order of the sum as
    numerics R1, rounded to the element type of y. x holds BF16 values
    (already fake-quantised where the model quantises). Source: model.md 3.3.
    Items: row tiles of 16 weight rows, all jobs in order. Operand table:
    x0, w0, y0, x1, w1, y1, ...
    Constraints: C1. operands come in threes (buffer, weight, buffer) and
    groups has one entry per job. C2. w is [N, K] in fp8, fp4 or bf16, K a
    multiple of 32 (fp8 and fp4: of 128), N a multiple of the groups and N /
    groups of 16 where there are several groups. C3. x is a buffer of
    groups x K bf16. C4. y is a buffer of N bf16 or f32. C5. x and y are
    token buffers for rows = tokens, output buffers for rows = outputs.
    Example:
      kern.linear "layers.0.attn.qkv_a" tokens {
        %x, %w, %y groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<128x256, fp8>,
                              !kern.buffer<token, 128, bf16>
      }
    Errors: y of 64 -> C4: expected y of job 0 to be a token buffer of 128 ...
  }];
  let assemblyFormat = [{
    $phase $rows custom<LinearJobs>($groups, $jobs, type($jobs)) attr-dict
  }];
  let extraClassDeclaration = [{
    /// Number of jobs, and the three operands of one.
    unsigned getNumJobs() { return getGroups().size(); }
    ::mlir::Value getX(unsigned job) { return getJobs()[3 * job]; }
    ::mlir::Value getW(unsigned job) { return getJobs()[3 * job + 1]; }
    ::mlir::Value getY(unsigned job) { return getJobs()[3 * job + 2]; }
    /// Tiles of 16 weight rows of one job.
    int64_t getTiles(unsigned job);
  }];
}

def Kern_NormQuantOp : Kern_PhaseOp<"norm_quant",
    (ins ReadBuffer<"[N]">:$raw, ReadWeight<"[N]">:$weight,
         MaybeWrite<"normed">:$y, MaybeWrite<"normed, quantised">:$yq,
         F32Attr:$eps),
    [AttrSizedOperandSegments]> {
  let summary = "RMS norm, with a copy quantised for FP8 and FP4 linears";
  let description = [{
    Semantics: y = bf16(weight * (raw / sqrt(mean(raw^2) + eps))), numerics
    R12; yq = y fake-quantised to E4M3 per 128 (R15). Source: model.md 3.2,
    3.3. Items: tokens. Operand table: raw, weight, y?, yq?.
    Constraints: C1. raw is a token buffer of N bf16. C2. weight is bf16 [N].
    C3. y or yq, each of raw's type. C4. with yq N is a multiple of 128.
    Example:  kern.norm_quant "layers.0.attn.q_norm"
                raw(%r : !kern.buffer<token, 128, bf16>) weight(%w : !qfmt.weight<128, bf16>)
                yq(%q : !kern.buffer<token, 128, bf16>) {eps = 1.0e-6 : f32}
    Errors:   neither y nor yq -> C3: expected y or yq
  }];
  let assemblyFormat = "$phase" # In<"raw">.f # In<"weight">.f # Opt<"y">.f #
    Opt<"yq">.f # " attr-dict";
}

def Kern_QuantizeOp : Kern_PhaseOp<"quantize",
    (ins ReadBuffer<"[N]">:$x, WriteBuffer<"[N]">:$xq)> {
  let summary = "fake quantisation to E4M3 in blocks of 128";
  let description = [{
    Semantics: xq = e4m3(x / s) * s per 128 elements, s a power of two
    (numerics R15); kept as BF16 values, exact. Source: model.md 3.3.
    Items: tokens x N / 128. Operand table: x, xq.
    Constraints: C1. x is a token buffer of N bf16, N a multiple of 128; xq has
    its type.
    Example:  kern.quantize "layers.0.attn.low_q" x(%a : !kern.buffer<token, 256, bf16>)
                xq(%b : !kern.buffer<token, 256, bf16>)
    Errors:   N = 100 -> C1: expected x to be a token buffer of a multiple of
              128 bf16
  }];
  let assemblyFormat = "$phase" # In<"x">.f # In<"xq">.f # " attr-dict";
}

#endif
