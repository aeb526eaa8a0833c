// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The skeleton (model.md 3.0): embedding, layers of two sublayers between
// hyper-connections (3.1), experts (3.8), head (3.9).

#include "compiler/import/GraphWriter.h"

using namespace mlir;
using dsv4::qfmt::Format;

namespace dsv4 {

void GraphWriter::writeModel(Value TokenIds, Value TokenPositions) {
  Tokens = TokenIds;
  Positions = TokenPositions;
  Value Table = weight("embed", {C.VocabSize, C.HiddenSize}, Format::BF16);
  Value X = graph::EmbedOp::create(B, Loc, bf16({C.HiddenSize}), Tokens, Table);
  Streams =
      graph::ExpandStreamsOp::create(B, Loc, bf16({C.HcMult, C.HiddenSize}), X);
  for (int64_t Layer = 0; Layer < C.NumLayers; ++Layer) {
    writeSublayer(Layer, "attn");
    writeSublayer(Layer, "ffn");
  }
  writeHead();
}

void GraphWriter::writeSublayer(int64_t Layer, const char *Part) {
  std::string L = "layers." + std::to_string(Layer) + ".";
  std::string Hc = L + "hc_" + Part, Sub = L + Part;
  int64_t Rows = C.HcMult * (2 + C.HcMult);
  auto Mix = traced(
      graph::HcMixOp::create(
          B, Loc, f32({C.HcMult}), f32({C.HcMult}), f32({C.HcMult, C.HcMult}),
          Streams,
          plain(Hc + "_fn", {Rows, C.HcMult * C.HiddenSize}, Format::F32),
          plain(Hc + "_scale", {3}, Format::F32),
          plain(Hc + "_base", {Rows}, Format::F32), integer(C.SinkhornIters),
          real(C.HcEps), real(C.NormEps)),
      {Hc + ".pre", Hc + ".post", Hc + ".comb"});
  Value Y = graph::HcPreOp::create(B, Loc, bf16({C.HiddenSize}), Streams,
                                   Mix.getPre());
  Value X = rmsNorm(Y, L + Part + "_norm", C.HiddenSize);
  traced(X.getDefiningOp<graph::RmsNormOp>(), {Sub + ".in"});
  Value Out = StringRef(Part) == "attn" ? writeAttention(Layer, X)
                                        : writeFeedForward(Layer, X);
  Streams =
      traced(graph::HcPostOp::create(B, Loc, Streams.getType(), Out, Streams,
                                     Mix.getPost(), Mix.getComb()),
             {Sub + ".streams"});
}

/// w2(quantize(swiglu(w1 x, w3 x))): routed with Ids and Weights, else shared.
Value GraphWriter::writeExpert(Value X, Value Ids, Value Weights,
                               const std::string &Prefix) {
  bool Routed = bool(Ids);
  Format F = Routed && Experts == ExpertFormat::Fp4 ? Format::FP4 : Format::FP8;
  auto Product = [&](Value Input, const char *Name, int64_t N, int64_t K) {
    Value Q = quantize(Input);
    if (!Routed)
      return linear(Q, weight(Prefix + Name, {N, K}, F), bf16({N}));
    Value W = weight(Prefix + Name, {C.NumExperts, N, K}, F);
    return Value(graph::ExpertLinearOp::create(
        B, Loc, bf16({C.ExpertsPerToken, N}), Q, Ids, W));
  };
  Value Gate = Product(X, "w1", C.MoeInter, C.HiddenSize);
  Value Up = Product(X, "w3", C.MoeInter, C.HiddenSize);
  Value H = graph::SwigluOp::create(B, Loc, Gate.getType(), Gate, Up, Weights,
                                    real(C.SwigluLimit));
  return Product(H, "w2", C.HiddenSize, C.MoeInter);
}

Value GraphWriter::writeFeedForward(int64_t Layer, Value X) {
  std::string P = "layers." + std::to_string(Layer) + ".ffn.";
  int64_t K = C.ExpertsPerToken;
  Value Gate = weight(P + "gate", {C.NumExperts, C.HiddenSize}, Format::BF16);
  Value Scores = traced(
      graph::RouterScoresOp::create(B, Loc, f32({C.NumExperts}),
                                    linear(X, Gate, f32({C.NumExperts}))),
      {P + "router.scores"});
  Operation *Route;
  if (Layer < C.NumHashLayers)
    Route = graph::RouteHashOp::create(
        B, Loc, ids({K}), f32({K}), Scores, Tokens,
        plain(P + "gate.tid2eid", {C.VocabSize, K}, Format::I64),
        real(C.RouteScale));
  else
    Route = graph::RouteTopKOp::create(
        B, Loc, ids({K}), f32({K}), Scores,
        plain(P + "gate.bias", {C.NumExperts}, Format::F32),
        real(C.RouteScale));
  traced(Route, {P + "router.ids", P + "router.weights"});
  Value Ids = Route->getResult(0), Weights = Route->getResult(1);
  Value Y = writeExpert(X, Ids, Weights, P + "experts.{e}.");
  Value Routed =
      traced(graph::ExpertSumOp::create(B, Loc, f32({C.HiddenSize}), Y, Ids),
             {P + "routed"});
  Value Shared = writeExpert(X, Value(), Value(), P + "shared_experts.");
  traced(Shared.getDefiningOp<graph::LinearOp>(), {P + "shared"});
  return graph::AddSharedOp::create(B, Loc, bf16({C.HiddenSize}), Routed,
                                    Shared);
}

void GraphWriter::writeHead() {
  Value Pre = graph::HcHeadMixOp::create(
      B, Loc, f32({C.HcMult}), Streams,
      plain("hc_head_fn", {C.HcMult, C.HcMult * C.HiddenSize}, Format::F32),
      plain("hc_head_scale", {1}, Format::F32),
      plain("hc_head_base", {C.HcMult}, Format::F32), real(C.HcEps),
      real(C.NormEps));
  Value Y = graph::HcPreOp::create(B, Loc, bf16({C.HiddenSize}), Streams, Pre);
  Value X = rmsNorm(Y, "norm", C.HiddenSize);
  traced(X.getDefiningOp<graph::RmsNormOp>(), {"head.in"});
  Value Head = weight("head", {C.VocabSize, C.HiddenSize}, Format::BF16);
  graph::ReturnOp::create(B, Loc, linear(X, Head, f32({C.VocabSize})));
}

} // namespace dsv4
