// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mixture-of-experts phases: verifiers, item rules and scratch.

#include "dialects/kern/IR/KernPacking.h"
#include "dialects/kern/IR/KernVerify.h"

using namespace mlir;
using namespace dsv4::kern;
using dsv4::qfmt::Format;

static int64_t getExpertsPerToken(Operation *Op) {
  return Op->getParentOfType<ProgramOp>().getExpertsPerToken();
}

PhaseItems RouteOp::getItems() { return {ItemsRule::Tokens}; }

LogicalResult RouteOp::verify() {
  if (failed(checkBuffer(*this, "C1", "logits", getLogits(),
                         {Per::Token, {}, 'f'})))
    return failure();
  if (bool(getBias()) == bool(getTable()))
    return emitOpError("C2: expected either bias or table");
  int64_t E = widthOf(getLogits()), K = getExpertsPerToken(*this);
  if (getBias() &&
      failed(checkWeight(*this, "C2", "bias", getBias(), Format::F32, E)))
    return failure();
  if (getTable()) {
    auto Table = weightOf(getTable());
    if (Table.getFormat() != Format::I64 || Table.getShape().size() != 2 ||
        Table.getShape()[1] != K)
      return emitOpError("C2: expected table to be i64 [V, ")
             << K << "], got " << Table;
  }
  if (K > E)
    return emitOpError("C3: expected at least ") << K << " experts, got " << E;
  if (failed(checkBuffer(*this, "C3", "ids", getIds(), {Per::Token, {K}, 'i'})))
    return failure();
  return checkBuffer(*this, "C3", "weights", getWeights(),
                     {Per::Token, {K}, 'f'});
}

PhaseItems DispatchOp::getItems() { return {ItemsRule::One}; }

LogicalResult DispatchOp::verify() {
  auto Program = (*this)->getParentOfType<ProgramOp>();
  int64_t K = Program.getExpertsPerToken();
  if (failed(checkBuffer(*this, "C1", "ids", getIds(), {Per::Token, {K}, 'i'})))
    return failure();
  int64_t Words =
      2 + 2 * int64_t(getExperts()) + Program.getMaxStepTokens() * K;
  return checkBuffer(*this, "C2", "lists", getLists(),
                     {Per::Program, {Words}, 'i'});
}

PhaseItems ExpertLinearOp::getItems() {
  int64_t Matrices = getWOther() ? 2 : 1;
  return {ItemsRule::ActiveExperts, Matrices * getNumTiles(weightOf(getW())),
          getListsMutable().getOperandNumber()};
}

Affine ExpertLinearOp::getScratchBytes() {
  int64_t K = weightOf(getW()).getShape().back();
  return {roundUp(getProductScratchBytes(K), PlanAlignment)};
}

Layout ExpertLinearOp::getOperandLayout(unsigned) { return Layout::Tile16; }

LogicalResult ExpertLinearOp::verify() {
  auto W = weightOf(getW());
  ArrayRef<int64_t> Shape = W.getShape();
  bool Fits = Shape.size() == 3 && Shape[2] % 128 == 0 &&
              W.getFormat() != Format::F32 && W.getFormat() != Format::I64;
  if (!Fits)
    return emitOpError("C1: expected w to be fp4, fp8 or bf16 [E, N, K] with K "
                       "a multiple of 128, got ")
           << W;
  if (getWOther() &&
      failed(checkSameType(*this, "C1", "w_other", getWOther(), "w", getW())))
    return failure();
  Per XPer = bufferOf(getX()).getPer() == Per::Slot ? Per::Slot : Per::Token;
  if (failed(checkBuffer(*this, "C2", "x", getX(), {XPer, {Shape[2]}, 'b'})) ||
      failed(
          checkBuffer(*this, "C3", "y", getY(), {Per::Slot, {Shape[1]}, 'b'})))
    return failure();
  if (bool(getWOther()) != bool(getYOther()))
    return emitOpError("C4: expected both or none of w_other and y_other");
  if (getYOther() &&
      failed(checkSameType(*this, "C3", "y_other", getYOther(), "y", getY())))
    return failure();
  return checkBuffer(*this, "C5", "lists", getLists(), {Per::Program, {}, 'i'});
}

PhaseItems SwigluOp::getItems() {
  bool Slots = bufferOf(getGate()).getPer() == Per::Slot;
  return {ItemsRule::Tokens, Slots ? getExpertsPerToken(*this) : 1};
}

LogicalResult SwigluOp::verify() {
  bool Slots = bufferOf(getGate()).getPer() == Per::Slot;
  if (failed(checkBuffer(*this, "C1", "gate", getGate(),
                         {Slots ? Per::Slot : Per::Token, {}, 'b', 128})) ||
      failed(checkSameType(*this, "C1", "up", getUp(), "gate", getGate())) ||
      failed(checkSameType(*this, "C1", "h", getH(), "gate", getGate())))
    return failure();
  if (bool(getWeights()) != Slots)
    return emitOpError("C2: expected weights exactly for slot rows, got ")
           << getGate().getType() << (getWeights() ? " with" : " without")
           << " weights";
  if (!getWeights())
    return success();
  return checkBuffer(*this, "C2", "weights", getWeights(),
                     {Per::Token, {getExpertsPerToken(*this)}, 'f'});
}

PhaseItems CombineOp::getItems() {
  return {ItemsRule::Tokens, widthOf(getY()) / 128};
}

LogicalResult CombineOp::verify() {
  int64_t D = widthOf(getY());
  return success(succeeded(checkBuffer(*this, "C1", "y", getY(),
                                       {Per::Slot, {}, 'b', 128})) &&
                 succeeded(checkBuffer(*this, "C2", "shared", getShared(),
                                       {Per::Token, {D}, 'b'})) &&
                 succeeded(checkBuffer(*this, "C2", "out", getOut(),
                                       {Per::Token, {D}, 'b'})));
}
