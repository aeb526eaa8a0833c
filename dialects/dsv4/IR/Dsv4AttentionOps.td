// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention, compressor and indexer (model.md 3.4 to 3.7).

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4ATTENTIONOPS_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4ATTENTIONOPS_TD

include "dialects/dsv4/IR/Dsv4OpBase.td"

def Dsv4_HeadNormOp : Dsv4_PureOp<"head_norm"> {
  let summary = "weightless RMS norm of each head";
  let description = [{
    Semantics: x * rsqrt(mean(x^2) + eps) over the last axis with square, mean,
    sum, root and product each rounded to BF16 (model.md 3.5 step 2).
    Constraints: C1. x [T, H, N], N a multiple of 16; the result has its type.
    Example:
      %y = dsv4.head_norm %q {eps = 1.0e-6 : f32} : (tensor<?x8x128xbf16>)
        -> tensor<?x8x128xbf16>
    Errors: rank 2 -> C1: expected x [T, H, N]
  }];
  let arguments = (ins Dsv4_Bf16:$x, F32Attr:$eps);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_RopeOp : Dsv4_PureOp<"rope"> {
  let summary = "rotary embedding of the last dims";
  let description = [{
    Semantics: interleaved pairs of the last `dims` elements turn by position *
    frequency, backwards if `inverse`; f32, rounded to BF16 (model.md 3.4).
    Constraints: C1. the result has the type of x, rank 2 or 3. C2. dims <= last
    axis.
    Example:
      %y = dsv4.rope %x, %p {rope = #dsv4.rope<dims = 64, theta = 10000>} :
        (tensor<?x128xbf16>, tensor<?xi32>) -> tensor<?x128xbf16>
    Errors: dims 256 of 128 -> C2: expected at most 128 rotary dims
  }];
  let arguments = (ins Dsv4_Bf16:$x, Dsv4_Ids:$positions, Dsv4_RopeAttr:$rope,
                       UnitAttr:$inverse);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_QuantizeKvOp : Dsv4_PureOp<"quantize_kv"> {
  let summary = "fake quantisation of a KV row";
  let description = [{
    Semantics: the first N - rope_dims elements to E4M3 in blocks of 64, the
    rest stay (model.md 3.5 step 5).
    Constraints: C1. the result has the type of kv [T, N]. C2. N - rope_dims a
    positive multiple of 64.
    Example:
      %y = dsv4.quantize_kv %kv {rope_dims = 64 : i64} :
        (tensor<?x128xbf16>) -> tensor<?x128xbf16>
    Errors: rope_dims 32 of 128 -> C2: expected a multiple of 64 elements before the rotary dims, got 96
  }];
  let arguments = (ins Dsv4_Bf16:$kv, I64Attr:$rope_dims);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_StoreWindowOp : Dsv4_Op<"store_window"> {
  let summary = "keeps KV rows of the step";
  let description = [{
    Semantics: row of position p replaces what the window holds for it;
    lossless, since the rows lie on the stored grid (model.md 3.5, 4.2).
    Constraints: C1. window is a window state of the width of kv [T, N].
    Example:
      dsv4.store_window %kv, %p, %s : (tensor<?x128xbf16>, tensor<?xi32>,
        !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()
    Errors: a carry state -> C1: expected a window state of width 128
  }];
  let arguments = (ins Dsv4_Bf16:$kv, Dsv4_Ids:$positions,
                       WriteState<"window">:$window);
}

def Dsv4_CompressOp : Dsv4_Op<"compress"> {
  let summary = "pools finished blocks into entries";
  let description = [{
    Semantics: every position that ends a block of `ratio` tokens (extent of
    entries) appends an entry: softmax over the block's gates + ape per channel,
    weighted sum of values, BF16, RMS norm, RoPE at the block's first position,
    and E4M3 in blocks of 64 (entries) or Hadamard and FP4 (index_entries). If
    values are twice as wide as an entry, blocks overlap: the first half of the
    block before is pooled with the second half of this one (model.md 3.6).
    Constraints: C1. entries or index_entries state of width N; values and gates
    f32 [T, W], W = N or 2 N. C2. ape f32 [ratio, W], norm bf16 [N]. C3. carry
    state of width W and ratio * W / N slots. C4. dims <= N, those of the row
    format where it has some.
    Example:
      see test/dialects/dsv4/ops-attention.mlir
    Errors: a window state -> C1: expected an entries or index_entries state
  }];
  let arguments = (ins Dsv4_F32:$values, Dsv4_F32:$gates, Dsv4_Weight:$ape,
                       Dsv4_Weight:$norm, Dsv4_Ids:$positions,
                       WriteState<"carry">:$carry,
                       WriteState<"entries">:$entries, Dsv4_RopeAttr:$rope,
                       F32Attr:$eps);
}

def Dsv4_HadamardOp : Dsv4_PureOp<"hadamard"> {
  let summary = "Walsh-Hadamard transform of the last axis";
  let description = [{
    Semantics: Sylvester order, times n^-1/2, rounded to BF16 (model.md 3.7
    step 2).
    Constraints: C1. the result has the type of x. C2. the last axis is a power
    of two, at least 16.
    Example:
      %y = dsv4.hadamard %x : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>
    Errors: 96 elements -> C2: expected a power of two of at least 16 elements, got 96
  }];
  let arguments = (ins Dsv4_Bf16:$x);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_QuantizeFp4Op : Dsv4_PureOp<"quantize_fp4"> {
  let summary = "fake quantisation to E2M1 per 32";
  let description = [{
    Semantics: blocks of 32 of the last axis, s = 2^ceil(log2(max(amax,
    6 * 2^-126) / 6)), result = e2m1(x / s) * s (model.md 3.7 step 3).
    Constraints: C1. the result has the type of x. C2. the last axis is a multiple
    of 32.
    Example:
      %y = dsv4.quantize_fp4 %x : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>
    Errors: 48 elements -> C2: expected a multiple of 32 elements, got 48
  }];
  let arguments = (ins Dsv4_Bf16:$x);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_ScaleWeightsOp : Dsv4_PureOp<"scale_weights"> {
  let summary = "indexer head weights times a constant";
  let description = [{
    Semantics: bf16(x * factor) (model.md 3.7 step 5).
    Constraints: C1. the result has the type of x.
    Example:
      %y = dsv4.scale_weights %x {factor = 0.04 : f32} : (tensor<?x4xbf16>)
        -> tensor<?x4xbf16>
    Errors: another type -> C1: expected the result to have the type of x
  }];
  let arguments = (ins Dsv4_Bf16:$x, F32Attr:$factor);
  let results = (outs Dsv4_Bf16:$result);
}

def Dsv4_IndexScoreOp : Dsv4_Op<"index_score"> {
  let summary = "indexer scores of all visible entries";
  let description = [{
    Semantics: scores[t, c] = bf16(sum_h bf16(relu(bf16(q_h . k_c)) * w_h)) for
    c < floor((p + 1) / ratio), 0 beyond (model.md 3.7 step 6).
    Constraints: C1. entries is an index_entries state of width N; q [T, H, N],
    weights [T, H]. C2. scores [T, ?].
    Example:
      see test/dialects/dsv4/ops-attention.mlir
    Errors: an entries state -> C1: expected an index_entries state
  }];
  let arguments = (ins Dsv4_Bf16:$q, Dsv4_Bf16:$weights, Dsv4_Ids:$positions,
                       ReadState<"index entries">:$entries);
  let results = (outs Dsv4_Bf16:$scores);
}

def Dsv4_TopKOp : Dsv4_PureOp<"top_k"> {
  let summary = "the k best visible entries";
  let description = [{
    Semantics: higher score first, lower id first among equals, of the visible
    entries; ids ascending, padded with -1 (model.md 3.7 step 7).
    Constraints: C1. scores [T, ?], ids [T, k]. C2. k and ratio positive.
    Example:
      %i = dsv4.top_k %s, %p {k = 16 : i64, ratio = 4 : i64} :
        (tensor<?x?xbf16>, tensor<?xi32>) -> tensor<?x16xi32>
    Errors: ids of 8 -> C1: expected ids [T, 16]
  }];
  let arguments = (ins Dsv4_Bf16:$scores, Dsv4_Ids:$positions, I64Attr:$k,
                       I64Attr:$ratio);
  let results = (outs Dsv4_Ids:$ids);
}

def Dsv4_SparseAttentionOp : Dsv4_Op<"sparse_attention", [AttrSizedOperandSegments]> {
  let summary = "attention over window, entries and a sink";
  let description = [{
    Semantics: softmax over the window rows of the last `extent` positions and
    the visible entries (all, or those in ids), with exp(sink_h) in the
    denominator; rows are keys and values; probabilities rounded to BF16 for the
    values (model.md 3.5 steps 6, 7).
    Constraints: C1. q [T, H, N]; heads has its type. C2. sink f32 [H]. C3. window
    is a window state of width N; entries, if given, an entries state of width
    N. C4. ids only with entries.
    Example:
      see test/dialects/dsv4/ops-attention.mlir
    Errors: ids without entries -> C4: expected ids only together with entries
  }];
  let arguments = (ins Dsv4_Bf16:$q, Dsv4_Ids:$positions, Dsv4_Weight:$sink,
                       ReadState<"window">:$window, MaybeState<"entries">:$entries,
                       Optional<Dsv4_Ids>:$ids, F32Attr:$scale);
  let results = (outs Dsv4_Bf16:$heads);
}

def Dsv4_GroupedLinearOp : Dsv4_PureOp<"grouped_linear"> {
  let summary = "output projection of groups of heads";
  let description = [{
    Semantics: the H * N values form G groups; result rows of group g are the
    product of its weight rows with the group (model.md 3.5 step 9). An FP8
    weight is dequantised, the input is not quantised.
    Constraints: C1. heads [T, H, N], H N = G K of weight [G R, K]. C2. result
    [T, G R].
    Example:
      %y = dsv4.grouped_linear %h, %w {groups = 2 : i64} : (tensor<?x8x128xbf16>,
        !qfmt.weight<256x512, fp8>) -> tensor<?x256xbf16>
    Errors: K of 256 -> C1: expected weight [2 R, 512]
  }];
  let arguments = (ins Dsv4_Bf16:$heads, Dsv4_Weight:$weight, I64Attr:$groups);
  let results = (outs Dsv4_Bf16:$result);
}

#endif
