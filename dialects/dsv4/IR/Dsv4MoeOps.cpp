// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of routing and expert ops, and of stacked projections.

#include "dialects/dsv4/IR/Dsv4Verify.h"

using namespace mlir;
using namespace dsv4::graph;
using dsv4::qfmt::Format;

LogicalResult RouterScoresOp::verify() {
  if (rank(getLogits()) != 2)
    return emitOpError("C1: expected logits [T, E], got ")
           << getLogits().getType();
  return checkSame(*this, "C1", getScores(), getLogits(), "logits");
}

/// C2 of the routes: K ids and weights per token, K <= E.
static LogicalResult checkRoute(Operation *Op, Value Scores, Value Ids,
                                Value Weights) {
  int64_t K = lastDim(Ids);
  if (rank(Ids) != 2 || K > lastDim(Scores))
    return Op->emitOpError("C2: expected ids [T, K] with K <= ")
           << lastDim(Scores) << ", got " << Ids.getType();
  return checkTensor(Op, "C2", "weights", Weights, {K});
}

LogicalResult RouteTopKOp::verify() {
  if (failed(checkWeight(*this, "C1", "bias", getBias(), {lastDim(getScores())},
                         {Format::F32})))
    return failure();
  return checkRoute(*this, getScores(), getIds(), getWeights());
}

LogicalResult RouteHashOp::verify() {
  auto Table = weightOf(getTable());
  if (Table.getShape().size() != 2 || Table.getFormat() != Format::I64 ||
      Table.getShape()[1] != lastDim(getIds()))
    return emitOpError("C1: expected table i64 [V, K], got ") << Table;
  return checkRoute(*this, getScores(), getIds(), getWeights());
}

LogicalResult ExpertLinearOp::verify() {
  ArrayRef<int64_t> Shape = weightOf(getWeight()).getShape();
  if (Shape.size() != 3)
    return emitOpError("C1: expected weight [E, N, K], got ")
           << getWeight().getType();
  int64_t K = lastDim(getIds());
  bool PerSlot = rank(getX()) == 3;
  if (lastDim(getX()) != Shape[2] || (PerSlot && dim(getX(), 1) != K))
    return emitOpError("C1: expected x [T, ")
           << Shape[2] << "] or [T, " << K << ", " << Shape[2] << "], got "
           << getX().getType();
  return checkTensor(*this, "C2", "result", getResult(), {K, Shape[1]});
}

LogicalResult SwigluOp::verify() {
  if (failed(checkSame(*this, "C1", getUp(), getGate(), "gate")) ||
      failed(checkSame(*this, "C1", getResult(), getGate(), "gate")))
    return failure();
  if (bool(getWeights()) != (rank(getGate()) == 3))
    return emitOpError("C2: expected weights exactly for gate [T, K, I]");
  if (!getWeights())
    return success();
  return checkTensor(*this, "C2", "weights", getWeights(), {dim(getGate(), 1)});
}

LogicalResult ExpertSumOp::verify() {
  if (rank(getY()) != 3)
    return emitOpError("C1: expected y [T, K, D], got ") << getY().getType();
  if (failed(checkTensor(*this, "C1", "ids", getIds(), {dim(getY(), 1)})))
    return failure();
  return checkTensor(*this, "C1", "result", getResult(), {lastDim(getY())});
}

LogicalResult AddSharedOp::verify() {
  if (failed(checkTensor(*this, "C1", "routed", getRouted(),
                         {lastDim(getShared())})))
    return failure();
  return checkSame(*this, "C1", getResult(), getShared(), "shared");
}

LogicalResult StackedLinearOp::verify() {
  size_t Count = getWeights().size();
  if (getQuantized().size() != Count || getResults().size() != Count)
    return emitOpError("C1: expected one flag and one result per weight, got ")
           << getQuantized().size() << " flags and " << getResults().size()
           << " results for " << Count;
  for (auto [Weight, Result] : llvm::zip(getWeights(), getResults())) {
    ArrayRef<int64_t> Shape = weightOf(Weight).getShape();
    if (Shape.size() != 2 || Shape[1] != lastDim(getX()) ||
        valuesPerToken(Result) != Shape[0])
      return emitOpError("C1: expected weight [N, ")
             << lastDim(getX()) << "] with N values per token, got "
             << Weight.getType() << " and " << Result.getType();
  }
  return success();
}

/// C1 of moe: one triple of expert weights; `Lead` is [E] or nothing.
static LogicalResult checkExperts(MoeOp Op, ArrayRef<int64_t> Lead, Value W1,
                                  Value W3, Value W2, StringRef Name) {
  int64_t D = lastDim(Op.getX());
  ArrayRef<int64_t> Shape = weightOf(W1).getShape();
  if (Shape.size() != Lead.size() + 2)
    return Op.emitOpError("C1: expected ")
           << Name << " w1 of rank " << Lead.size() + 2 << ", got "
           << W1.getType();
  int64_t I = Shape[Lead.size()];
  Format F = weightOf(W1).getFormat();
  SmallVector<int64_t> Up(Lead), Down(Lead);
  Up.append({I, D});
  Down.append({D, I});
  if (failed(checkWeight(Op, "C1", (Name + " w1").str(), W1, Up, {F})) ||
      failed(checkWeight(Op, "C1", (Name + " w3").str(), W3, Up, {F})))
    return failure();
  return checkWeight(Op, "C1", (Name + " w2").str(), W2, Down, {F});
}

LogicalResult MoeOp::verify() {
  if (failed(checkSame(*this, "C2", getResult(), getX(), "x")))
    return failure();
  ArrayRef<int64_t> Gate = weightOf(getGate()).getShape();
  if (Gate.size() != 2)
    return emitOpError("C1: expected gate [E, D], got ") << getGate().getType();
  int64_t E = Gate[0], K = getK();
  if (failed(checkWeight(*this, "C1", "gate", getGate(), {E, lastDim(getX())},
                         {Format::BF16})))
    return failure();
  if (K <= 0 || K > E)
    return emitOpError("C3: expected 1 to ") << E << " experts, got " << K;
  auto Route = weightOf(getRoute());
  bool Hashed = Route.getFormat() == Format::I64;
  if (Hashed ? Route.getShape().size() != 2 || Route.getShape()[1] != K
             : Route.getFormat() != Format::F32 ||
                   Route.getShape() != ArrayRef<int64_t>{E})
    return emitOpError("C1: expected route f32 [")
           << E << "] or i64 [V, " << K << "], got " << Route;
  if (failed(checkExperts(*this, {E}, getW1(), getW3(), getW2(), "routed")))
    return failure();
  return checkExperts(*this, {}, getSharedW1(), getSharedW3(), getSharedW2(),
                      "shared");
}
