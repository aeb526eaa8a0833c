// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention phases: query, window store, compressor, indexer, attention.

#ifndef DSV4_DIALECTS_KERN_IR_KERNATTENTIONOPS_TD
#define DSV4_DIALECTS_KERN_IR_KERNATTENTIONOPS_TD

include "dialects/kern/IR/KernOpBase.td"

def Kern_QueryHeadsOp : Kern_PhaseOp<"query_heads",
    (ins ReadBuffer<"[H, N]">:$raw, ReadBuffer<"cos, sin">:$tab,
         WriteBuffer<"[H, N]">:$q, I64Attr:$heads, F32Attr:$eps)> {
  let summary = "weightless norm and RoPE of every query head";
  let description = [{
    Semantics: per head q = rope(head_norm(raw)): norm in BF16 tensors (numerics
    R12), RoPE on the last R dims (R13), R = width of tab. Source: model.md
    3.5 steps 2, 3. Items: tokens x heads. Operand table: raw, tab, q.
    Constraints: C1. raw is a token buffer of heads x N bf16, N a multiple of
    16; q has its type. C2. tab is a token buffer of R f32, R even, R <= N.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: tab of 65 -> C2: expected tab to be a token buffer of an even ...
  }];
  let assemblyFormat =
    "$phase" # In<"raw">.f # In<"tab">.f # In<"q">.f # " attr-dict";
}

def Kern_StoreKvOp : Kern_PhaseOp<"store_kv",
    (ins ReadBuffer<"[D]">:$raw, ReadWeight<"[D]">:$norm,
         ReadBuffer<"cos, sin">:$tab, WriteState<"ring">:$window,
         F32Attr:$eps)> {
  let summary = "norm, RoPE, quantisation and store of the window row";
  let description = [{
    Semantics: kv = rope(rms_norm(raw)); the first D - R dims to E4M3 in blocks
    of 64, the last R stay BF16 (numerics R12, R13, R15); stored at ring slot
    position mod rows. Source: model.md 3.5 steps 4, 5. Items: tokens.
    Operand table: raw, norm, tab, window.
    Constraints: C1. window is a window state of row width D. C2. raw is a
    token buffer of D bf16. C3. norm is bf16 [D]. C4. tab is a token buffer of
    the row format's rope dims f32.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: a carry state -> C1: expected window to be a window state
  }];
  let assemblyFormat = "$phase" # In<"raw">.f # In<"norm">.f # In<"tab">.f #
    In<"window">.f # " attr-dict";
}

def Kern_CompressOp : Kern_PhaseOp<"compress",
    (ins ReadBuffer<"values [W]">:$u, ReadBuffer<"gates [W]">:$g,
         ReadWeight<"[ratio, W]">:$ape, ReadWeight<"[D]">:$norm,
         ReadState<"earlier u, g">:$carry, WriteState<"rows">:$entries,
         DenseF32ArrayAttr:$freqs, F32Attr:$eps), [],
    ["getScratchBytes"]> {
  let summary = "pools a finished block of tokens into one stored row";
  let description = [{
    Semantics: a token whose position completes a block of `ratio` (ratio of
    the entries state) pools it (numerics R5) and, if W = 2 D (overlap), the A
    half of the block before; then norm, RoPE at the block's first position
    with the frequencies `freqs`, and store: entries in E4M3 blocks of 64 with
    BF16 rope dims, index_entries after a Hadamard transform in E2M1 (R7, R15).
    Rows of this step come from u and g, earlier ones from carry.
    Source: model.md 3.6. Items: tokens. Operand table: u, g, ape, norm,
    carry, entries.
    Constraints: C1. entries is an entries or index_entries state of row width
    D. C2. u, g are token buffers of W f32, W = D or 2 D. C3. ape is f32
    [ratio, W], norm bf16 [D]. C4. carry is a carry state of width W with at
    least ratio (2 ratio if W = 2 D) slots. C5. 2 x freqs <= D, and equals the
    rope dims of the row format where it has some.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: u of 3 D -> C2: expected u to be a token buffer of D or 2 D f32
  }];
  let assemblyFormat = "$phase" # In<"u">.f # In<"g">.f # In<"ape">.f #
    In<"norm">.f # In<"carry">.f # In<"entries">.f # " attr-dict";
  let extraClassDeclaration = [{
    /// Tokens per entry, row width D, and whether blocks overlap (W = 2 D).
    int64_t getRatio();
    int64_t getRowWidth();
    bool isOverlapping();
    /// Whether the row goes through the Hadamard transform to E2M1.
    bool isIndex();
  }];
}

def Kern_CarryOp : Kern_PhaseOp<"carry",
    (ins ReadBuffer<"[W]">:$u, ReadBuffer<"[W]">:$g,
         WriteState<"slots">:$carry)> {
  let summary = "keeps the step's last compressor inputs for later steps";
  let description = [{
    Semantics: the last `slots` rows of each sequence in this step: slot
    position mod slots = u then g, raw (without ape). Runs after compress.
    Source: model.md 3.6 (decode state). Items: tokens. Operand table: u, g,
    carry.
    Constraints: C1. carry is a carry state of width W. C2. u, g are token
    buffers of W f32.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: other width -> C2: expected u to be a token buffer of W f32
  }];
  let assemblyFormat =
    "$phase" # In<"u">.f # In<"g">.f # In<"carry">.f # " attr-dict";
}

def Kern_IndexQueryOp : Kern_PhaseOp<"index_query",
    (ins ReadBuffer<"[H, N]">:$raw, ReadBuffer<"cos, sin">:$tab,
         WriteBuffer<"[H, N]">:$q, I64Attr:$heads)> {
  let summary = "RoPE, Hadamard transform and FP4 rounding of indexer heads";
  let description = [{
    Semantics: per head q = fp4(hadamard(rope(raw))), blocks of 32, kept as
    BF16 values (numerics R13, R7, R15). Source: model.md 3.7 steps 1 to 3.
    Items: tokens x heads. Operand table: raw, tab, q.
    Constraints: C1. raw is a token buffer of heads x N bf16, N a power of two
    and a multiple of 32; q has its type. C2. tab is a token buffer of R f32,
    R even, R <= N.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: N = 96 -> C1: expected heads of a power of two >= 32 elements
  }];
  let assemblyFormat =
    "$phase" # In<"raw">.f # In<"tab">.f # In<"q">.f # " attr-dict";
}

def Kern_IndexScoreOp : Kern_PhaseOp<"index_score",
    (ins ReadBuffer<"[H, N]">:$q, ReadBuffer<"[H]">:$weights,
         ReadState<"index rows">:$entries, WriteBuffer<"per entry">:$scores,
         I64Attr:$heads, F32Attr:$factor), [], ["getScratchBytes"]> {
  let summary = "scores of all visible entries";
  let description = [{
    Semantics: w_h = bf16(weights_h * factor); score_c = bf16(sum_h
    bf16(relu(bf16(q_h . k_c)) * w_h)) for every entry c visible to the token
    (numerics R8); others are not written. Source: model.md 3.7 steps 5, 6.
    Items: tokens x ceil(visible entries at the step's largest position /
    256). Operand table: q, weights, entries, scores.
    Constraints: C1. entries is an index_entries state of row width N. C2. q
    is a token buffer of heads x N bf16, weights of heads bf16. C3. scores is a
    token buffer of 128 / ratio bf16 per context block.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: fixed width scores -> C3: expected scores to be a token buffer ...
  }];
  let assemblyFormat = "$phase" # In<"q">.f # In<"weights">.f #
    In<"entries">.f # In<"scores">.f # " attr-dict";
  let extraClassDeclaration = [{
    /// Entries that one item scores for one token.
    static constexpr int64_t EntryBlock = 256;
  }];
}

def Kern_TopKOp : Kern_PhaseOp<"top_k",
    (ins ReadBuffer<"per entry">:$scores, WriteBuffer<"[k]">:$ids, I64Attr:$k,
         I64Attr:$ratio), [], ["getScratchBytes"]> {
  let summary = "the k best visible entries of every token";
  let description = [{
    Semantics: ids of the k largest of the floor((pos + 1) / ratio) visible
    scores, higher first, lower index first among equals; written in ascending
    order and padded with -1. Source: model.md 3.7 step 7. Items: tokens.
    Operand table: scores, ids.
    Constraints: C1. scores is a token buffer of 128 / ratio bf16 per context
    block. C2. ids is a token buffer of k i32, k positive.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: ids of another width -> C2: expected ids to be a token buffer of k
  }];
  let assemblyFormat =
    "$phase" # In<"scores">.f # In<"ids">.f # " attr-dict";
}

def Kern_AttendOp : Kern_PhaseOp<"attend",
    (ins ReadBuffer<"[H, N]">:$q, ReadBuffer<"cos, sin">:$tab,
         ReadWeight<"[H]">:$sink, ReadState<"ring">:$window,
         MaybeState<"rows">:$entries, MaybeRead<"[k]">:$ids,
         WriteBuffer<"[H, N]">:$heads_out, I64Attr:$heads,
         I64Attr:$window_size, F32Attr:$scale),
    [AttrSizedOperandSegments], ["getScratchBytes"]> {
  let summary = "attention over window, compressed or selected rows, and sink";
  let description = [{
    Semantics: softmax attention (numerics R4) of each head over the window
    rows of positions max(0, p - window_size + 1) .. p, then the entries: all
    floor((p + 1) / ratio), or those named by ids (ascending, -1 ends); rows
    are both keys and values; the sink joins the denominator. Then inverse
    RoPE of the last R dims. Source: model.md 3.5 steps 6 to 8.
    Items: tokens x ceil(heads / 16). Operand table: q, tab, sink, window,
    entries?, ids?, heads_out.
    Constraints: C1. window is a window state of row width N with at least
    window_size rows. C2. q is a token buffer of heads x N bf16, heads_out has
    its type. C3. tab is a token buffer of the format's rope dims f32. C4. sink
    is f32 [heads]. C5. entries is an entries state of the window's row
    format. C6. ids only with entries, a token buffer of i32.
    Example: see test/dialects/kern/ops-attention.mlir.
    Errors: ids without entries -> C6: expected ids only together with entries
  }];
  let assemblyFormat = "$phase" # In<"q">.f # In<"tab">.f # In<"sink">.f #
    In<"window">.f # Opt<"entries">.f # Opt<"ids">.f # In<"heads_out">.f #
    " attr-dict";
  let extraClassDeclaration = [{
    /// Heads that one item computes.
    static constexpr int64_t HeadGroup = 16;
    /// Groups of a token that one worker may run together, each with scratch of
    /// its own.
    static constexpr int64_t SharedGroups = 4;
    /// Items of a token, the last of which may have fewer heads.
    int64_t headGroups() {
      return (int64_t(getHeads()) + HeadGroup - 1) / HeadGroup;
    }
    /// Groups that the scratch is for.
    int64_t groupsTogether() { return std::min(headGroups(), SharedGroups); }
  }];
}

#endif
