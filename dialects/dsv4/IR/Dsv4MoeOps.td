// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing and experts (model.md 3.8).

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4MOEOPS_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4MOEOPS_TD

include "dialects/dsv4/IR/Dsv4OpBase.td"

def Dsv4_RouterScoresOp : Dsv4_PureOp<"router_scores"> {
  let summary = "sqrt(softplus(logits))";
  let description = [{
    Semantics: f32; above 20 softplus is its argument (model.md 3.8).
    Constraints: C1. logits [T, E]; scores has its type.
    Example:
      %s = dsv4.router_scores %l : (tensor<?x8xf32>) -> tensor<?x8xf32>
    Errors: rank 1 -> C1: expected logits [T, E]
  }];
  let arguments = (ins Dsv4_F32:$logits);
  let results = (outs Dsv4_F32:$scores);
}

def Dsv4_RouteTopKOp : Dsv4_PureOp<"route_top_k"> {
  let summary = "experts of largest biased score";
  let description = [{
    Semantics: the K largest of scores + bias, higher first, lower id first;
    weights = s / sum(s) * scale of the unbiased scores (model.md 3.8).
    Constraints: C1. scores [T, E], bias f32 [E]. C2. ids, weights [T, K], K <=
    E.
    Example:
      %i, %w = dsv4.route_top_k %s, %b {scale = 1.5 : f32} : (tensor<?x8xf32>,
        !qfmt.weight<8, f32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    Errors: bias of 4 -> C1: expected bias f32 [8]
  }];
  let arguments = (ins Dsv4_F32:$scores, Dsv4_Weight:$bias, F32Attr:$scale);
  let results = (outs Dsv4_Ids:$ids, Dsv4_F32:$weights);
}

def Dsv4_RouteHashOp : Dsv4_PureOp<"route_hash"> {
  let summary = "experts by token id";
  let description = [{
    Semantics: ids = table[token]; weights as in route_top_k (model.md 3.8).
    Constraints: C1. scores [T, E], table i64 [V, K]. C2. ids, weights [T, K].
    Example:
      see test/dialects/dsv4/ops-moe.mlir
    Errors: table of f32 -> C1: expected table i64 [V, K]
  }];
  let arguments = (ins Dsv4_F32:$scores, Dsv4_Ids:$tokens, Dsv4_Weight:$table,
                       F32Attr:$scale);
  let results = (outs Dsv4_Ids:$ids, Dsv4_F32:$weights);
}

def Dsv4_ExpertLinearOp : Dsv4_PureOp<"expert_linear"> {
  let summary = "product with each selected expert";
  let description = [{
    Semantics: result[t, s] = weight[ids[t, s]] . x[t] (or x[t, s]), BF16
    (model.md 3.8).
    Constraints: C1. weight [E, N, Kin]; x [T, Kin] or [T, K, Kin]; ids [T, K].
    C2. result [T, K, N].
    Example:
      see test/dialects/dsv4/ops-moe.mlir
    Errors: x of another width -> C1: expected x [T, 256] or [T, K, 256]
  }];
  let arguments = (ins Dsv4_Bf16:$x, Dsv4_Ids:$ids, Dsv4_Weight:$weight);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_SwigluOp : Dsv4_PureOp<"swiglu"> {
  let summary = "clamped SwiGLU with routing weight";
  let description = [{
    Semantics: bf16(w * (silu(min(gate, limit)) * clamp(up, +-limit))), f32
    inside; w = weights[t, s], or absent (model.md 3.8).
    Constraints: C1. up and result have the type of gate, [T, I] or [T, K, I].
    C2. weights f32 [T, K] exactly if gate is [T, K, I].
    Example:
      %h = dsv4.swiglu %g, %u {limit = 10.0 : f32} : (tensor<?x128xbf16>,
        tensor<?x128xbf16>) -> tensor<?x128xbf16>
    Errors: weights with rank 2 -> C2: expected weights exactly for gate [T, K, I]
  }];
  let arguments = (ins Dsv4_Bf16:$gate, Dsv4_Bf16:$up, Optional<Dsv4_F32>:$weights,
                       F32Attr:$limit);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_ExpertSumOp : Dsv4_PureOp<"expert_sum"> {
  let summary = "sum over the selected experts";
  let description = [{
    Semantics: f32 sum in ascending expert id (model.md 3.8, oracle contract).
    Constraints: C1. y [T, K, D], ids [T, K], result f32 [T, D].
    Example:
      %r = dsv4.expert_sum %y, %i : (tensor<?x2x256xbf16>, tensor<?x2xi32>)
        -> tensor<?x256xf32>
    Errors: ids of 3 -> C1: expected ids [T, 2]
  }];
  let arguments = (ins Dsv4_Bf16:$y, Dsv4_Ids:$ids);
  let results = (outs Dsv4_F32:$result);
}

def Dsv4_AddSharedOp : Dsv4_PureOp<"add_shared"> {
  let summary = "routed plus shared expert";
  let description = [{
    Semantics: bf16(routed + shared) (model.md 3.8).
    Constraints: C1. routed f32 [T, D], shared [T, D]; the result has its type.
    Example:
      %y = dsv4.add_shared %r, %s : (tensor<?x256xf32>, tensor<?x256xbf16>)
        -> tensor<?x256xbf16>
    Errors: another width -> C1: expected routed [T, 256]
  }];
  let arguments = (ins Dsv4_F32:$routed, Dsv4_Bf16:$shared);
  let results = (outs Dsv4_Bf16:$result);
}

#endif
