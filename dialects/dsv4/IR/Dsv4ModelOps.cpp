// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the model's own ops: model, weights, state, embedding, norm,
// linear layers. C1, C2 ... are the constraints of the op descriptions.

#include "dialects/dsv4/IR/Dsv4Verify.h"

using namespace mlir;
using namespace dsv4::graph;
using dsv4::qfmt::Format;

LogicalResult ModelOp::verifyRegions() {
  Block &Body = getBody().front();
  auto Ids = RankedTensorType::get({ShapedType::kDynamic},
                                   IntegerType::get(getContext(), 32));
  if (Body.getNumArguments() != 2 || Body.getArgument(0).getType() != Ids ||
      Body.getArgument(1).getType() != Ids)
    return emitOpError("C1: expected arguments (tensor<?xi32>, tensor<?xi32>)");
  if (Body.empty() || !isa<ReturnOp>(Body.back()))
    return emitOpError("C2: expected dsv4.return at the end");
  return success();
}

LogicalResult ReturnOp::verify() {
  if (rank(getLogits()) == 2)
    return success();
  return emitOpError("C1: expected logits [T, V], got ")
         << getLogits().getType();
}

LogicalResult WeightOp::verify() {
  auto Type = getResult().getType();
  bool Scaled =
      Type.getFormat() == Format::FP8 || Type.getFormat() == Format::FP4;
  if (Scaled != bool(getScale()))
    return emitOpError("C1: expected ")
           << (Scaled ? "a" : "no") << " scale tensor for "
           << dsv4::qfmt::stringifyFormat(Type.getFormat());
  bool Stacked = Type.getShape().size() == 3;
  if (getTensor().contains("{e}") != Stacked ||
      (getScale() && getScale()->contains("{e}") != Stacked))
    return emitOpError("C2: expected {e} in the names exactly for [E, N, K]");
  return success();
}

LogicalResult StateOp::verify() {
  return getName().empty() ? emitOpError("C1: expected a name") : success();
}

LogicalResult EmbedOp::verify() {
  ArrayRef<int64_t> Shape = weightOf(getTable()).getShape();
  if (Shape.size() != 2 || weightOf(getTable()).getFormat() != Format::BF16)
    return emitOpError("C1: expected table bf16 [V, D], got ")
           << getTable().getType();
  return checkTensor(*this, "C1", "result", getResult(), {Shape[1]});
}

LogicalResult ExpandStreamsOp::verify() {
  if (rank(getX()) == 2 && rank(getResult()) == 3 &&
      lastDim(getResult()) == lastDim(getX()))
    return success();
  return emitOpError("C1: expected result [T, C, D] of x [T, D], got ")
         << getResult().getType() << " of " << getX().getType();
}

LogicalResult RmsNormOp::verify() {
  if (rank(getX()) != 2)
    return emitOpError("C1: expected x [T, D], got ") << getX().getType();
  if (failed(checkSame(*this, "C1", getResult(), getX(), "x")))
    return failure();
  return checkWeight(*this, "C1", "weight", getWeight(), {lastDim(getX())},
                     {Format::BF16});
}

LogicalResult QuantizeOp::verify() {
  if (failed(checkSame(*this, "C1", getResult(), getX(), "x")))
    return failure();
  if (lastDim(getX()) % 128)
    return emitOpError("C2: expected a multiple of 128 elements, got ")
           << lastDim(getX());
  return success();
}

LogicalResult LinearOp::verify() {
  ArrayRef<int64_t> Shape = weightOf(getWeight()).getShape();
  if (Shape.size() != 2 || weightOf(getWeight()).getFormat() == Format::I64)
    return emitOpError("C1: expected weight [N, K], got ")
           << getWeight().getType();
  if (failed(checkTensor(*this, "C1", "x", getX(), {Shape[1]})))
    return failure();
  if (getResult().getType().getElementType().isInteger(32) ||
      valuesPerToken(getResult()) != Shape[0])
    return emitOpError("C2: expected ")
           << Shape[0] << " bf16 or f32 values per token, got "
           << getResult().getType();
  return success();
}
