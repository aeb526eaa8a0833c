// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The model, its weights and state, embedding, norm, linear layers.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4MODELOPS_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4MODELOPS_TD

include "dialects/dsv4/IR/Dsv4OpBase.td"

def Dsv4_ModelOp : Op<Dsv4_Dialect, "model", [IsolatedFromAbove, Symbol,
    SingleBlock]> {
  let summary = "one step of the forward pass";
  let description = [{
    Semantics: from token ids and absolute positions of the step's tokens to
    logits (model.md 3.0). `config` repeats the numbers of config.json that
    later passes check against, `identity` says which release it is.
    Constraints: C1. two block arguments, tensor<?xi32> each. C2. ends in
    dsv4.return.
    Example:
      dsv4.model @m attributes {config = {}, identity = "test"} {
      ^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
        ...
        dsv4.return %logits : tensor<?x512xf32>
      }
    Errors: one block argument -> C1: expected arguments (tensor<?xi32>,
    tensor<?xi32>)
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, DictionaryAttr:$config,
                       StrAttr:$identity);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def Dsv4_ReturnOp : Op<Dsv4_Dialect, "return", [Pure, Terminator,
    HasParent<"ModelOp">]> {
  let summary = "the logits of the step";
  let description = [{
    Constraints: C1. logits are f32 [T, V].
    Example: dsv4.return %logits : tensor<?x512xf32>
    Errors: rank 3 -> C1: expected logits [T, V]; BF16 logits are refused by
    their type.
  }];
  let arguments = (ins Dsv4_F32:$logits);
  let assemblyFormat = "$logits attr-dict `:` type($logits)";
  let hasVerifier = 1;
}

def Dsv4_WeightOp : Op<Dsv4_Dialect, "weight", [Pure]> {
  let summary = "a tensor of the checkpoint";
  let description = [{
    Semantics: the stored tensor `tensor` (official name), with `scale` for FP8
    and FP4. A stack of experts has `{e}` in its names where the number goes.
    Constraints: C1. fp8 and fp4 have a scale name, others none. C2. rank 3 and
    `{e}` go together.
    Example:
      %w = dsv4.weight "layers.0.attn.wq_a.weight"
        scale "layers.0.attn.wq_a.scale" : !qfmt.weight<128x256, fp8>
    Errors: without the scale -> C1: expected a scale tensor for fp8
  }];
  let arguments = (ins StrAttr:$tensor, OptionalAttr<StrAttr>:$scale);
  let results = (outs Dsv4_Weight:$result);
  let assemblyFormat =
    "$tensor (`scale` $scale^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Dsv4_StateOp : Op<Dsv4_Dialect, "state", [Pure]> {
  let summary = "a part of the sequence's state";
  let description = [{
    Semantics: names what is kept between steps; see the type.
    Constraints: C1. the name is not empty.
    Example:
      %s = dsv4.state "layers.2.attn.carry" : !dsv4.state<carry, 8, 1024>
    Errors: an empty name -> C1: expected a name
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs Dsv4_State:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Dsv4_EmbedOp : Dsv4_PureOp<"embed"> {
  let summary = "embedding rows";
  let description = [{
    Semantics: result[t] = table[tokens[t]] (model.md 3.0).
    Constraints: C1. table is bf16 [V, D], result [T, D].
    Example:
      %x = dsv4.embed %tokens, %w : (tensor<?xi32>,
        !qfmt.weight<512x256, bf16>) -> tensor<?x256xbf16>
    Errors: result of another width -> C1: expected result tensor<?x256>
  }];
  let arguments = (ins Dsv4_Ids:$tokens, Dsv4_Weight:$table);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_ExpandStreamsOp : Dsv4_PureOp<"expand_streams"> {
  let summary = "C copies of the embedding";
  let description = [{
    Semantics: result[t, c] = x[t] (model.md 3.0).
    Constraints: C1. x [T, D], result [T, C, D].
    Example:
      %X = dsv4.expand_streams %x : (tensor<?x256xbf16>)
        -> tensor<?x4x256xbf16>
    Errors: other D -> C1: expected result [T, C, D] of x [T, D]
  }];
  let arguments = (ins Dsv4_Bf16:$x);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_RmsNormOp : Dsv4_PureOp<"rms_norm"> {
  let summary = "RMS norm with weight";
  let description = [{
    Semantics: bf16(weight * (x / sqrt(mean(x^2) + eps))), f32 inside
    (model.md 3.2).
    Constraints: C1. result has the type of x [T, D]; weight is bf16 [D].
    Example:
      %y = dsv4.rms_norm %x, %w {eps = 1.0e-6 : f32} :
        (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>
    Errors: weight of 128 -> C1: expected weight bf16 [256]
  }];
  let arguments = (ins Dsv4_Bf16:$x, Dsv4_Weight:$weight, F32Attr:$eps);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_QuantizeOp : Dsv4_PureOp<"quantize"> {
  let summary = "fake quantisation to E4M3 per 128";
  let description = [{
    Semantics: blocks of 128 of the last axis, s = 2^ceil(log2(max(amax, 1e-4)
    / 448)), result = e4m3(x / s) * s (model.md 3.3).
    Constraints: C1. result has the type of x. C2. the last axis is a multiple
    of 128.
    Example:
      %q = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
    Errors: 100 elements -> C2: expected a multiple of 128 elements, got 100
  }];
  let arguments = (ins Dsv4_Bf16:$x);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_LinearOp : Dsv4_PureOp<"linear"> {
  let summary = "matrix product with a stored weight";
  let description = [{
    Semantics: result[t, n] = sum_k x[t, k] * weight[n, k], rounded to the
    element type of the result (bf16 or f32). An FP8 or FP4 weight wants a
    quantised x (model.md 3.3). A result [T, H, N] has its rows in order.
    Constraints: C1. weight is [N, K] and x [T, K]. C2. the result has N values
    per token, bf16 or f32.
    Example:
      %y = dsv4.linear %x, %w : (tensor<?x256xbf16>,
        !qfmt.weight<128x256, bf16>) -> tensor<?x128xf32>
    Errors: K of 512 against 256 -> C1: expected x [T, 512]
  }];
  let arguments = (ins Dsv4_Bf16:$x, Dsv4_Weight:$weight);
  let results = (outs Dsv4_Tensor:$result);
}

#endif
