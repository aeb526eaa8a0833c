// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the fusion passes make: one op per group of kernels.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4FUSEDOPS_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4FUSEDOPS_TD

include "dialects/dsv4/IR/Dsv4OpBase.td"

def Dsv4_HcEntryOp : Dsv4_PureOp<"hc_entry"> {
  let summary = "mix, pre and norm of the first sublayer";
  let description = [{
    Semantics: hc_mix, hc_pre and rms_norm in one.
    Constraints: those of its parts.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: fn with 20 rows -> C1: expected fn f32 [24, 1024]
  }];
  let arguments = (ins Dsv4_Bf16:$streams, Dsv4_Weight:$fn, Dsv4_Weight:$scale, Dsv4_Weight:$base, Dsv4_Weight:$norm,
                       I64Attr:$sinkhorn_iters, F32Attr:$hc_eps,
                       F32Attr:$norm_eps);
  let results = (outs Dsv4_F32:$post, Dsv4_F32:$comb, Dsv4_Bf16:$x);
}

def Dsv4_HcBoundaryOp : Dsv4_PureOp<"hc_boundary"> {
  let summary = "from one sublayer to the next";
  let description = [{
    Semantics: hc_post of the sublayer that ends, then hc_mix, hc_pre and
    rms_norm of the one that begins.
    Constraints: those of its parts.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: comb [T, 3, 4] -> C1: expected comb [T, 4, 4]
  }];
  let arguments = (ins Dsv4_Bf16:$out, Dsv4_Bf16:$streams, Dsv4_F32:$post,
                       Dsv4_F32:$comb, Dsv4_Weight:$fn, Dsv4_Weight:$scale, Dsv4_Weight:$base,
                       Dsv4_Weight:$norm, I64Attr:$sinkhorn_iters,
                       F32Attr:$hc_eps, F32Attr:$norm_eps);
  let results = (outs Dsv4_Bf16:$new_streams, Dsv4_F32:$new_post,
                        Dsv4_F32:$new_comb, Dsv4_Bf16:$x);
}

def Dsv4_HcExitOp : Dsv4_PureOp<"hc_exit"> {
  let summary = "last post, reduction and final norm";
  let description = [{
    Semantics: hc_post, hc_head_mix, hc_pre and rms_norm in one.
    Constraints: those of its parts.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: fn with 24 rows -> C1: expected fn f32 [4, 1024]
  }];
  let arguments = (ins Dsv4_Bf16:$out, Dsv4_Bf16:$streams, Dsv4_F32:$post,
                       Dsv4_F32:$comb, Dsv4_Weight:$fn, Dsv4_Weight:$scale, Dsv4_Weight:$base,
                       Dsv4_Weight:$norm, F32Attr:$hc_eps, F32Attr:$norm_eps);
  let results = (outs Dsv4_Bf16:$x);
}

def Dsv4_StackedLinearOp : Dsv4_PureOp<"stacked_linear"> {
  let summary = "several projections of one input";
  let description = [{
    Semantics: results[i] = linear(quantized[i] ? quantize(x) : x, weights[i]);
    x is quantised once (model.md 3.3).
    Constraints: C1. one flag and one result per weight; each is a linear (see
    there).
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: two weights, one result -> C1: expected one flag and one result per weight
  }];
  let arguments = (ins Dsv4_Bf16:$x, Variadic<Dsv4_Weight>:$weights,
                       DenseBoolArrayAttr:$quantized);
  let results = (outs Variadic<Dsv4_Tensor>:$results);
}

def Dsv4_QueryHeadsOp : Dsv4_PureOp<"query_heads"> {
  let summary = "head norm and RoPE of the query";
  let description = [{
    Semantics: rope(head_norm(raw)) (model.md 3.5 steps 2, 3).
    Constraints: those of its parts.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: rank 2 -> C1: expected raw [T, H, N]
  }];
  let arguments = (ins Dsv4_Bf16:$raw, Dsv4_Ids:$positions, Dsv4_RopeAttr:$rope,
                       F32Attr:$eps);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_StoreKvOp : Dsv4_Op<"store_kv"> {
  let summary = "norm, RoPE, quantisation and store of KV";
  let description = [{
    Semantics: kv = quantize_kv(rope(rms_norm(raw))), stored in the window
    (model.md 3.5 steps 4, 5). The result is for traces alone.
    Constraints: C1. raw [T, N], norm bf16 [N], a window state of width N and
    dims rotary values.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: a carry state -> C1: expected a window state of width 128
  }];
  let arguments = (ins Dsv4_Bf16:$raw, Dsv4_Weight:$norm, Dsv4_Ids:$positions,
                       WriteState<"window">:$window, Dsv4_RopeAttr:$rope,
                       F32Attr:$eps);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_IndexQueryOp : Dsv4_PureOp<"index_query"> {
  let summary = "RoPE, Hadamard and FP4 of indexer heads";
  let description = [{
    Semantics: quantize_fp4(hadamard(rope(raw))) (model.md 3.7 steps 1 to 3).
    Constraints: those of its parts.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: 96 elements -> C1: expected heads of a power of two elements
  }];
  let arguments = (ins Dsv4_Bf16:$raw, Dsv4_Ids:$positions, Dsv4_RopeAttr:$rope);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_IndexSelectOp : Dsv4_Op<"index_select"> {
  let summary = "indexer score and top-k";
  let description = [{
    Semantics: top_k(index_score(q, scale_weights(weights))) (model.md 3.7 steps
    5 to 7), without the score matrix outliving the op.
    Constraints: those of its parts; C1. ids [T, k].
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: ids of 8 -> C1: expected ids [T, 16]
  }];
  let arguments = (ins Dsv4_Bf16:$q, Dsv4_Bf16:$weights, Dsv4_Ids:$positions,
                       ReadState<"index entries">:$entries, I64Attr:$k,
                       F32Attr:$factor);
  let results = (outs Dsv4_Ids:$ids);
}

def Dsv4_AttentionOp : Dsv4_Op<"attention", [AttrSizedOperandSegments]> {
  let summary = "sparse attention with inverse RoPE";
  let description = [{
    Semantics: rope(sparse_attention(...), inverse) (model.md 3.5 steps 6 to 8).
    Constraints: those of its parts.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: ids without entries -> C4: expected ids only together with entries
  }];
  let arguments = (ins Dsv4_Bf16:$q, Dsv4_Ids:$positions, Dsv4_Weight:$sink,
                       ReadState<"window">:$window, MaybeState<"entries">:$entries,
                       Optional<Dsv4_Ids>:$ids, F32Attr:$scale,
                       Dsv4_RopeAttr:$rope);
  let results = (outs Dsv4_Bf16:$heads);
}

def Dsv4_MoeOp : Dsv4_PureOp<"moe"> {
  let summary = "mixture of experts with the shared expert";
  let description = [{
    Semantics: router (linear gate, router_scores, route_top_k with the bias
    `route` f32 [E], or route_hash with the table `route` i64 [V, K]); routed
    experts w2(quantize(swiglu(w1, w3, weight))), their sum, and the shared
    expert (model.md 3.8).
    Constraints: C1. gate bf16 [E, D]; route f32 [E] or i64 [V, k]; w1, w3 [E, I,
    D], w2 [E, D, I]; shared likewise without E. C2. the result has the type of
    x [T, D]. C3. k <= E.
    Example:
      see test/dialects/dsv4/ops-fused.mlir
    Errors: w2 [E, I, D] -> C1: expected w2 [8, 256, 128]
  }];
  let arguments = (ins Dsv4_Bf16:$x, Dsv4_Ids:$tokens, Dsv4_Weight:$gate,
                       Dsv4_Weight:$route, Dsv4_Weight:$w1, Dsv4_Weight:$w3,
                       Dsv4_Weight:$w2, Dsv4_Weight:$shared_w1,
                       Dsv4_Weight:$shared_w3, Dsv4_Weight:$shared_w2,
                       I64Attr:$k, F32Attr:$scale, F32Attr:$limit);
  let results = (outs Dsv4_Bf16:$result);
}

#endif
