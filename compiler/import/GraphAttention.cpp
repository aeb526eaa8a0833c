// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attention sublayer (model.md 3.5) with compressor (3.6) and indexer
// (3.7).

#include "compiler/import/GraphWriter.h"

#include <cmath>

using namespace mlir;
using dsv4::qfmt::Format;

namespace dsv4 {

/// kv: projection, norm, RoPE, quantisation; stored in the window.
Value GraphWriter::writeKv(const std::string &P, Value X, bool Compressed) {
  Value W = weight(P + "wkv", {C.HeadDim, C.HiddenSize}, Format::FP8);
  Value Raw = linear(quantize(X), W, bf16({C.HeadDim}));
  Value Normed = rmsNorm(Raw, P + "kv_norm", C.HeadDim);
  Value Turned =
      graph::RopeOp::create(B, Loc, Normed.getType(), Normed, Positions,
                            rope(Compressed), /*inverse=*/UnitAttr());
  Value Kv = traced(graph::QuantizeKvOp::create(B, Loc, Turned.getType(),
                                                Turned, integer(C.RopeDims)),
                    {P + "kv"});
  Value Window =
      state(P + "window", graph::StateKind::Window, C.Window, C.HeadDim,
            qfmt::RowsAttr::get(B.getContext(), C.HeadDim,
                                qfmt::RowEncoding::FP8Rope, C.RopeDims));
  graph::StoreWindowOp::create(B, Loc, Kv, Positions, Window);
  return Window;
}

void GraphWriter::writeCompressor(const std::string &P, Value X, int64_t Ratio,
                                  int64_t Size, Value Entries) {
  int64_t Blocks = Ratio == 4 ? 2 : 1, Width = Blocks * Size;
  Value Wkv = weight(P + "wkv", {Width, C.HiddenSize}, Format::BF16);
  Value Wgate = weight(P + "wgate", {Width, C.HiddenSize}, Format::BF16);
  Value U = linear(X, Wkv, f32({Width})), G = linear(X, Wgate, f32({Width}));
  Value Ape = plain(P + "ape", {Ratio, Width}, Format::F32);
  Value Norm = weight(P + "norm", {Size}, Format::BF16);
  Value Carry = state(P + "carry", graph::StateKind::Carry, Ratio * Blocks,
                      Width, qfmt::RowsAttr());
  graph::CompressOp::create(B, Loc, U, G, Ape, Norm, Positions, Carry, Entries,
                            rope(true), real(C.NormEps));
}

/// The selected entries of every token.
Value GraphWriter::writeIndexer(const std::string &P, Value X, Value Qr) {
  int64_t H = C.IndexHeads, N = C.IndexDim;
  std::string I = P + "indexer.";
  Value W = weight(I + "wq_b", {H * N, C.QLoraRank}, Format::FP8);
  Value Raw = linear(quantize(Qr), W, bf16({H, N}));
  Value Turned = graph::RopeOp::create(B, Loc, Raw.getType(), Raw, Positions,
                                       rope(true), UnitAttr());
  Value Mixed = graph::HadamardOp::create(B, Loc, Raw.getType(), Turned);
  Value Q = traced(graph::QuantizeFp4Op::create(B, Loc, Raw.getType(), Mixed),
                   {P + "index.q"});
  Value Entries =
      state(P + "index_entries", graph::StateKind::IndexEntries, 4, N,
            qfmt::RowsAttr::get(B.getContext(), N, qfmt::RowEncoding::FP4, 0));
  writeCompressor(I + "compressor.", X, 4, N, Entries);
  Value Proj = weight(I + "weights_proj", {H, C.HiddenSize}, Format::BF16);
  float Factor = float(1 / (std::sqrt(double(N)) * std::sqrt(double(H))));
  Value Weights =
      traced(graph::ScaleWeightsOp::create(
                 B, Loc, bf16({H}), linear(X, Proj, bf16({H})), real(Factor)),
             {P + "index.weights"});
  Value Scores = graph::IndexScoreOp::create(
      B, Loc, bf16({ShapedType::kDynamic}), Q, Weights, Positions, Entries);
  return traced(graph::TopKOp::create(B, Loc, ids({C.IndexTopK}), Scores,
                                      Positions, integer(C.IndexTopK),
                                      integer(4)),
                {P + "topk"});
}

Value GraphWriter::writeAttention(int64_t Layer, Value X) {
  std::string P = "layers." + std::to_string(Layer) + ".attn.";
  int64_t Ratio = C.CompressRatios[Layer], H = C.NumHeads, N = C.HeadDim;
  Value WqA = weight(P + "wq_a", {C.QLoraRank, C.HiddenSize}, Format::FP8);
  Value Qr = rmsNorm(linear(quantize(X), WqA, bf16({C.QLoraRank})),
                     P + "q_norm", C.QLoraRank);
  traced(Qr.getDefiningOp<graph::RmsNormOp>(), {P + "qr"});
  Value WqB = weight(P + "wq_b", {H * N, C.QLoraRank}, Format::FP8);
  Value QRaw = linear(quantize(Qr), WqB, bf16({H, N}));
  Value QNormed =
      graph::HeadNormOp::create(B, Loc, QRaw.getType(), QRaw, real(C.NormEps));
  Value Q = traced(graph::RopeOp::create(B, Loc, QRaw.getType(), QNormed,
                                         Positions, rope(Ratio), UnitAttr()),
                   {P + "q"});
  Value Window = writeKv(P, X, Ratio);
  Value Ids, Entries;
  if (Ratio == 4)
    Ids = writeIndexer(P, X, Qr);
  if (Ratio) {
    Entries =
        state(P + "entries", graph::StateKind::Entries, Ratio, N,
              qfmt::RowsAttr::get(B.getContext(), N, qfmt::RowEncoding::FP8Rope,
                                  C.RopeDims));
    writeCompressor(P + "compressor.", X, Ratio, N, Entries);
  }
  Value Sink = plain(P + "attn_sink", {H}, Format::F32);
  Value Raw = graph::SparseAttentionOp::create(
      B, Loc, Q.getType(), Q, Positions, Sink, Window, Entries, Ids,
      real(1 / std::sqrt(double(N))));
  Value Heads =
      traced(graph::RopeOp::create(B, Loc, Q.getType(), Raw, Positions,
                                   rope(Ratio), B.getUnitAttr()),
             {P + "heads"});
  int64_t LowWidth = C.OGroups * C.OLoraRank;
  Value WoA = weight(P + "wo_a", {LowWidth, H * N / C.OGroups}, Format::FP8);
  Value Low =
      traced(graph::GroupedLinearOp::create(B, Loc, bf16({LowWidth}), Heads,
                                            WoA, integer(C.OGroups)),
             {P + "low"});
  Value WoB = weight(P + "wo_b", {C.HiddenSize, LowWidth}, Format::FP8);
  Value Out = linear(quantize(Low), WoB, bf16({C.HiddenSize}));
  traced(Out.getDefiningOp<graph::LinearOp>(), {P + "out"});
  return Out;
}

} // namespace dsv4
