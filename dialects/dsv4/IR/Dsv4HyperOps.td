// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connections (model.md 3.1).

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4HYPEROPS_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4HYPEROPS_TD

include "dialects/dsv4/IR/Dsv4OpBase.td"

def Dsv4_HcMixOp : Dsv4_PureOp<"hc_mix"> {
  let summary = "mixing coefficients of a hyper-connection";
  let description = [{
    Semantics: m = (fn . x) / sqrt(mean(x^2) + norm_eps) of the flattened
    streams; pre = sigmoid(m * scale_0 + base) + hc_eps, post = 2 sigmoid(m *
    scale_1 + base), comb = Sinkhorn(m * scale_2 + base) (model.md 3.1).
    Constraints: C1. streams [T, C, D]; fn f32 [C (2 + C), C D]; scale f32 [3];
    base f32 [C (2 + C)]. C2. pre, post f32 [T, C], comb f32 [T, C, C].
    C3. sinkhorn_iters positive.
    Example:
      see test/dialects/dsv4/ops-hyper.mlir
    Errors: fn with 20 rows -> C1: expected fn f32 [24, 1024]
  }];
  let arguments = (ins Dsv4_Bf16:$streams, Dsv4_Weight:$fn, Dsv4_Weight:$scale, Dsv4_Weight:$base, I64Attr:$sinkhorn_iters,
                       F32Attr:$hc_eps, F32Attr:$norm_eps);
  let results = (outs Dsv4_F32:$pre, Dsv4_F32:$post, Dsv4_F32:$comb);
}

def Dsv4_HcPreOp : Dsv4_PureOp<"hc_pre"> {
  let summary = "weighted sum of the streams";
  let description = [{
    Semantics: bf16(sum_j pre_j * X_j) (model.md 3.1).
    Constraints: C1. streams [T, C, D], pre [T, C], result [T, D].
    Example:
      %y = dsv4.hc_pre %X, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>)
        -> tensor<?x256xbf16>
    Errors: pre of 3 -> C1: expected pre [T, 4]
  }];
  let arguments = (ins Dsv4_Bf16:$streams, Dsv4_F32:$pre);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_HcPostOp : Dsv4_PureOp<"hc_post"> {
  let summary = "new streams after a sublayer";
  let description = [{
    Semantics: stream k = bf16(post_k * out + sum_j comb[j, k] * X_j): the
    first index of comb is the source (model.md 3.1).
    Constraints: C1. streams [T, C, D], out [T, D], post [T, C], comb [T, C, C];
    the result has the type of streams.
    Example:
      see test/dialects/dsv4/ops-hyper.mlir
    Errors: comb [T, 3, 4] -> C1: expected comb [T, 4, 4]
  }];
  let arguments = (ins Dsv4_Bf16:$out, Dsv4_Bf16:$streams, Dsv4_F32:$post,
                       Dsv4_F32:$comb);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_HcHeadMixOp : Dsv4_PureOp<"hc_head_mix"> {
  let summary = "coefficients of the last reduction";
  let description = [{
    Semantics: as hc_mix with C rows: pre = sigmoid(m * scale + base) + hc_eps
    (model.md 3.1, hc_head).
    Constraints: C1. streams [T, C, D]; fn f32 [C, C D]; scale f32 [1]; base f32
    [C]. C2. pre f32 [T, C].
    Example:
      see test/dialects/dsv4/ops-hyper.mlir
    Errors: fn with 24 rows -> C1: expected fn f32 [4, 1024]
  }];
  let arguments = (ins Dsv4_Bf16:$streams, Dsv4_Weight:$fn, Dsv4_Weight:$scale, Dsv4_Weight:$base, F32Attr:$hc_eps,
                       F32Attr:$norm_eps);
  let results = (outs Dsv4_F32:$pre);
}

#endif
