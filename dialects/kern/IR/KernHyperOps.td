// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connection phases: mix at a sublayer boundary, and its two endings.

#ifndef DSV4_DIALECTS_KERN_IR_KERNHYPEROPS_TD
#define DSV4_DIALECTS_KERN_IR_KERNHYPEROPS_TD

include "dialects/kern/IR/KernOpBase.td"

def Kern_HcMixOp : Kern_PhaseOp<"hc_mix",
    (ins ReadBuffer<"[C, D]">:$streams_in, MaybeRead<"sublayer [D]">:$out,
         MaybeRead<"[C]">:$post, MaybeRead<"[C, C]">:$comb,
         ReadWeight<"[M, C D]">:$fn, MaybeWrite<"[C, D]">:$streams_out,
         WriteBuffer<"[D/128, stride]">:$partials, I64Attr:$streams),
    [AttrSizedOperandSegments], ["getOperandLayout"]> {
  let summary = "closes the previous sublayer and dots its streams with fn";
  let description = [{
    Semantics: with out: X'_k = bf16(post_k out + sum_j comb_jk X_j) (numerics
    R11), written to streams_out; without: X' = X. Then per chunk c of 128
    elements of D: partials[c, m] = partial dot of fn row m with X' (R2), m <
    M, and partials[c, M] = partial sum of squares. A row of partials is
    padded to a multiple of 16 floats: stride = roundUp(M + 1, 16).
    Source: model.md 3.1. Items: tokens x D / 128. Operand table: streams_in,
    out?, post?, comb?, fn, streams_out?, partials.
    Constraints: C1. streams_in is a token buffer of C x D bf16, D a multiple
    of 128, C = `streams`. C2. fn is f32 [M, C D], M = C (2 + C) or C.
    C3. out, post, comb and streams_out all or none, D bf16, C f32, C C f32
    and streams_in's type; streams_out is another buffer than streams_in.
    C4. partials is a token buffer of (D / 128) x stride f32.
    Example:  kern.hc_mix "layers.0.hc_attn.mix" streams_in(%s : ...) fn(%f :
                !qfmt.weight<24x1024, f32>) partials(%p : ...) {streams = 4}
    Errors:   out without post -> C3: expected out, post, comb and streams_out
              together
  }];
  let assemblyFormat = "$phase" # In<"streams_in">.f # Opt<"out">.f #
    Opt<"post">.f # Opt<"comb">.f # In<"fn">.f # Opt<"streams_out">.f #
    In<"partials">.f # " attr-dict";
  let extraClassDeclaration = [{
    /// Elements of one stream, and floats per chunk in partials.
    int64_t getHidden();
    int64_t getStride();
  }];
}

def Kern_HcPreOp : Kern_PhaseOp<"hc_pre",
    (ins ReadBuffer<"of hc_mix">:$partials, ReadBuffer<"[C, D]">:$streams_in,
         ReadWeight<"[3]">:$scale, ReadWeight<"[C (2 + C)]">:$base,
         ReadWeight<"[D]">:$norm, WriteBuffer<"[D]">:$x,
         MaybeWrite<"[D], quantised">:$xq, WriteBuffer<"[C]">:$post,
         WriteBuffer<"[C, C]">:$comb, I64Attr:$streams,
         I64Attr:$sinkhorn_iters, F32Attr:$hc_eps, F32Attr:$norm_eps)> {
  let summary = "mixing coefficients, sublayer input and its norm";
  let description = [{
    Semantics: m = dots * r of the partials (numerics R2, R11); pre, post, comb
    by sigmoid and Sinkhorn (R6); y = bf16(sum_j pre_j X_j); x = RMS norm of y
    (R12); xq = x fake-quantised per 128 (R15). Source: model.md 3.1, 3.2.
    Items: tokens. Operand table: partials, streams_in, scale, base, norm, x,
    xq?, post, comb.
    Constraints: C1. partials, streams_in as in hc_mix with M = C (2 + C).
    C2. scale f32 [3], base f32 [M], norm bf16 [D]. C3. x and xq are token
    buffers of D bf16; post of C f32; comb of C x C f32. C4. sinkhorn_iters
    positive.
    Example: see test/dialects/kern/ops-hyper.mlir.
    Errors: scale of 2 -> C2: expected scale to be a weight f32 [3]
  }];
  let assemblyFormat = "$phase" # In<"partials">.f # In<"streams_in">.f #
    In<"scale">.f # In<"base">.f # In<"norm">.f # In<"x">.f # Opt<"xq">.f #
    In<"post">.f # In<"comb">.f # " attr-dict";
}

def Kern_HcHeadOp : Kern_PhaseOp<"hc_head",
    (ins ReadBuffer<"of hc_mix">:$partials, ReadBuffer<"[C, D]">:$streams_in,
         ReadWeight<"[1]">:$scale, ReadWeight<"[C]">:$base,
         ReadWeight<"[D]">:$norm, WriteBuffer<"[D]">:$x, I64Attr:$streams,
         F32Attr:$hc_eps, F32Attr:$norm_eps)> {
  let summary = "last reduction of the streams, for the wanted rows";
  let description = [{
    Semantics: for output row o with token row t: pre_j = sigmoid(m_j * scale +
    base_j) + hc_eps, y = bf16(sum_j pre_j X_j), x[o] = RMS norm of y with the
    final norm. Source: model.md 3.1 (hc_head), 3.9; numerics R11, R12.
    Items: outputs. Operand table: partials, streams_in, scale, base, norm, x.
    Constraints: C1. partials, streams_in as in hc_mix with M = C. C2. scale
    f32 [1], base f32 [C], norm bf16 [D]. C3. x is an output buffer of D bf16.
    Example: see test/dialects/kern/ops-hyper.mlir.
    Errors: x a token buffer -> C3: expected x to be an output buffer of ...
  }];
  let assemblyFormat = "$phase" # In<"partials">.f # In<"streams_in">.f #
    In<"scale">.f # In<"base">.f # In<"norm">.f # In<"x">.f # " attr-dict";
}

#endif
