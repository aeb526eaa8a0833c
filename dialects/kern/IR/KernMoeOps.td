// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mixture-of-experts phases: route, dispatch, expert products, combine.

#ifndef DSV4_DIALECTS_KERN_IR_KERNMOEOPS_TD
#define DSV4_DIALECTS_KERN_IR_KERNMOEOPS_TD

include "dialects/kern/IR/KernOpBase.td"

def Kern_RouteOp : Kern_PhaseOp<"route",
    (ins ReadBuffer<"[E]">:$logits, MaybeWeight<"[E]">:$bias,
         MaybeWeight<"[V, K]">:$table, WriteBuffer<"[K]">:$ids,
         WriteBuffer<"[K]">:$weights, F32Attr:$scale),
    [AttrSizedOperandSegments]> {
  let summary = "experts and routing weights of every token";
  let description = [{
    Semantics: s = sqrt(softplus(logits)); with bias the K largest s + bias
    (higher first, lower index first among equals), with table the ids
    table[token]; weights = s / (sum of s in selection order) * scale (numerics
    R9). The K slots are then stored in ascending expert id (equal ids in
    selection order), so that combine adds in ascending order. Source: model.md
    3.8. Items: tokens. Operand table: logits, bias?, table?, ids, weights.
    Constraints: C1. logits is a token buffer of E f32. C2. exactly one of
    bias f32 [E] and table i64 [V, K]. C3. ids is a token buffer of K i32,
    weights of K f32, K the program's experts_per_token, K <= E.
    Example: see test/dialects/kern/ops-moe.mlir.
    Errors: bias and table -> C2: expected either bias or table
  }];
  let assemblyFormat = "$phase" # In<"logits">.f # Opt<"bias">.f #
    Opt<"table">.f # In<"ids">.f # In<"weights">.f # " attr-dict";
}

def Kern_DispatchOp : Kern_PhaseOp<"dispatch",
    (ins ReadBuffer<"[K]">:$ids, WriteBuffer<"lists">:$lists,
         I64Attr:$experts)> {
  let summary = "rows of every active expert";
  let description = [{
    Semantics: i32 words: [0] A, the number of experts that some row of this
    step uses; [1 + a], a < A, their ids ascending; [1 + E + a], a <= A, where
    the rows of active expert a begin; [2 + 2 E + i] slot rows (token x K +
    slot), ordered by expert, then ascending. Items: one. Operand table: ids,
    lists.
    Constraints: C1. ids is a token buffer of K i32. C2. lists is a program
    buffer of 2 + 2 E + max_step_tokens x K i32.
    Example: see test/dialects/kern/ops-moe.mlir.
    Errors: lists of another width -> C2: expected lists to be a program buffer
  }];
  let assemblyFormat = "$phase" # In<"ids">.f # In<"lists">.f # " attr-dict";
}

def Kern_ExpertLinearOp : Kern_PhaseOp<"expert_linear",
    (ins ReadBuffer<"[K]">:$x, ReadBuffer<"of dispatch">:$lists,
         ReadWeight<"[E, N, K]">:$w, MaybeWeight<"[E, N, K]">:$w_other,
         WriteBuffer<"[N]">:$y, MaybeWrite<"[N]">:$y_other),
    [AttrSizedOperandSegments], ["getScratchBytes", "getOperandLayout"]> {
  let summary = "products of each active expert with its rows";
  let description = [{
    Semantics: for active expert e and each of its slot rows r: y[r, n] = bf16
    of sum_k x[row, k] * w[e, n, k] (numerics R1), and y_other with w_other;
    row is the token r / experts_per_token if x is a token buffer, r if it is a
    slot buffer. x is already quantised. Source: model.md 3.8. Items: active
    experts x tiles of 16 rows (all of w, then all of w_other). Operand table:
    x, lists, w, w_other?, y, y_other?.
    Constraints: C1. w is fp4, fp8 or bf16 [E, N, K], K a multiple of 128;
    w_other has its type. C2. x is a token or slot buffer of K bf16. C3. y is
    a slot buffer of N bf16; y_other has its type. C4. w_other and y_other
    both or none. C5. lists is a program buffer of i32.
    Example: see test/dialects/kern/ops-moe.mlir.
    Errors: y a token buffer -> C3: expected y to be a slot buffer of N bf16
  }];
  let assemblyFormat = "$phase" # In<"x">.f # In<"lists">.f # In<"w">.f #
    Opt<"w_other">.f # In<"y">.f # Opt<"y_other">.f # " attr-dict";
}

def Kern_SwigluOp : Kern_PhaseOp<"swiglu",
    (ins ReadBuffer<"[I]">:$gate, ReadBuffer<"[I]">:$up,
         MaybeRead<"[K]">:$weights, WriteBuffer<"[I], quantised">:$h,
         F32Attr:$limit)> {
  let summary = "clamped SwiGLU, routing weight and quantisation";
  let description = [{
    Semantics: h = quantise(bf16(w * (silu(min(gate, limit)) * clamp(up,
    +-limit)))) with w = weights[row] (1 without), quantised per 128 (numerics
    R10, R15). Source: model.md 3.8. Items: tokens, or slots (tokens x
    experts_per_token) if gate is a slot buffer. Operand table: gate, up,
    weights?, h.
    Constraints: C1. gate is a token or slot buffer of I bf16, I a multiple of
    128; up and h have its type. C2. weights, a token buffer of
    experts_per_token f32, exactly if gate is a slot buffer.
    Example: see test/dialects/kern/ops-moe.mlir.
    Errors: weights with token rows -> C2: expected weights exactly for slot
    rows
  }];
  let assemblyFormat = "$phase" # In<"gate">.f # In<"up">.f #
    Opt<"weights">.f # In<"h">.f # " attr-dict";
}

def Kern_CombineOp : Kern_PhaseOp<"combine",
    (ins ReadBuffer<"routed [D]">:$y, ReadBuffer<"[D]">:$shared,
         WriteBuffer<"[D]">:$out)> {
  let summary = "sum of routed and shared experts";
  let description = [{
    Semantics: out = bf16((((0 + y_0) + y_1) + ...) + shared) in f32 over the
    token's slots, which ascend by expert (numerics R14). Source: model.md 3.8.
    Items: tokens x D / 128. Operand table: y, shared, out.
    Constraints: C1. y is a slot buffer of D bf16, D a multiple of 128.
    C2. shared and out are token buffers of D bf16.
    Example: see test/dialects/kern/ops-moe.mlir.
    Errors: y a token buffer -> C1: expected y to be a slot buffer of ...
  }];
  let assemblyFormat =
    "$phase" # In<"y">.f # In<"shared">.f # In<"out">.f # " attr-dict";
}

#endif
