// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See GraphWriter.h and BuildGraph.h.

#include "compiler/import/GraphWriter.h"
#include "compiler/import/BuildGraph.h"

using namespace mlir;

namespace dsv4 {

Type GraphWriter::tensor(ArrayRef<int64_t> Dims, Type Element) {
  SmallVector<int64_t> Shape = {ShapedType::kDynamic};
  Shape.append(Dims.begin(), Dims.end());
  return RankedTensorType::get(Shape, Element);
}

Type GraphWriter::bf16(ArrayRef<int64_t> Dims) {
  return tensor(Dims, B.getBF16Type());
}

Type GraphWriter::f32(ArrayRef<int64_t> Dims) {
  return tensor(Dims, B.getF32Type());
}

Type GraphWriter::ids(ArrayRef<int64_t> Dims) {
  return tensor(Dims, B.getI32Type());
}

Value GraphWriter::weight(const std::string &Name, ArrayRef<int64_t> Shape,
                          qfmt::Format Format) {
  bool Scaled = Format == qfmt::Format::FP8 || Format == qfmt::Format::FP4;
  StringAttr Scale = Scaled ? B.getStringAttr(Name + ".scale") : StringAttr();
  return graph::WeightOp::create(
      B, Loc, qfmt::WeightType::get(B.getContext(), Shape, Format),
      B.getStringAttr(Name + ".weight"), Scale);
}

Value GraphWriter::plain(const std::string &Name, ArrayRef<int64_t> Shape,
                         qfmt::Format Format) {
  return graph::WeightOp::create(
      B, Loc, qfmt::WeightType::get(B.getContext(), Shape, Format),
      B.getStringAttr(Name), StringAttr());
}

Value GraphWriter::state(const std::string &Name, graph::StateKind Kind,
                         int64_t Extent, int64_t Width, qfmt::RowsAttr Rows) {
  return graph::StateOp::create(
      B, Loc, graph::StateType::get(B.getContext(), Kind, Extent, Width, Rows),
      B.getStringAttr(Name));
}

Value GraphWriter::quantize(Value X) {
  return graph::QuantizeOp::create(B, Loc, X.getType(), X);
}

Value GraphWriter::linear(Value X, Value W, Type Type) {
  return graph::LinearOp::create(B, Loc, Type, X, W);
}

Value GraphWriter::rmsNorm(Value X, const std::string &Name, int64_t Width) {
  return graph::RmsNormOp::create(B, Loc, X.getType(), X,
                                  weight(Name, {Width}, qfmt::Format::BF16),
                                  real(C.NormEps));
}

graph::RopeAttr GraphWriter::rope(bool Compressed) {
  if (!Compressed)
    return graph::RopeAttr::get(B.getContext(), C.RopeDims, C.RopeTheta, 0, 0,
                                0, 0);
  return graph::RopeAttr::get(B.getContext(), C.RopeDims, C.CompressRopeTheta,
                              C.YarnFactor, C.YarnOriginal, C.YarnBetaFast,
                              C.YarnBetaSlow);
}

/// The numbers of the config that passes and reports look at.
static DictionaryAttr configAttr(OpBuilder &B, const ModelConfig &C) {
  NamedAttrList List;
  auto Add = [&](StringRef Name, int64_t Value) {
    List.append(Name, B.getI64IntegerAttr(Value));
  };
  Add("num_hidden_layers", C.NumLayers);
  Add("hidden_size", C.HiddenSize);
  Add("vocab_size", C.VocabSize);
  Add("num_attention_heads", C.NumHeads);
  Add("head_dim", C.HeadDim);
  Add("n_routed_experts", C.NumExperts);
  Add("num_experts_per_tok", C.ExpertsPerToken);
  Add("num_hash_layers", C.NumHashLayers);
  Add("sliding_window", C.Window);
  Add("index_topk", C.IndexTopK);
  Add("max_position_embeddings", C.MaxPositions);
  List.append("compress_ratios", B.getDenseI64ArrayAttr(C.CompressRatios));
  return List.getDictionary(B.getContext());
}

OwningOpRef<ModuleOp> buildGraph(MLIRContext &Context,
                                 const ModelConfig &Config,
                                 ExpertFormat Experts, StringRef Identity) {
  Context.loadDialect<graph::Dsv4Dialect, qfmt::QFmtDialect>();
  OpBuilder B(&Context);
  OwningOpRef<ModuleOp> Module = ModuleOp::create(B.getUnknownLoc());
  B.setInsertionPointToStart(Module->getBody());
  auto Model =
      graph::ModelOp::create(B, B.getUnknownLoc(), B.getStringAttr("model"),
                             configAttr(B, Config), B.getStringAttr(Identity));
  Type Ids = RankedTensorType::get({ShapedType::kDynamic}, B.getI32Type());
  Block *Body = B.createBlock(&Model.getBody(), {}, {Ids, Ids},
                              {B.getUnknownLoc(), B.getUnknownLoc()});
  GraphWriter(B, Config, Experts)
      .writeModel(Body->getArgument(0), Body->getArgument(1));
  return Module;
}

} // namespace dsv4
