// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connection phases: verifiers and item rules.

#include "dialects/kern/IR/KernVerify.h"

using namespace mlir;
using namespace dsv4::kern;
using dsv4::qfmt::Format;

/// Elements that hc_mix works on at once, of each stream.
static constexpr int64_t Chunk = 128;

/// Floats per chunk of hc_mix's partials for M rows of fn: M dots, then the sum
/// of squares, padded to 16.
static int64_t getPartialStride(int64_t M) { return roundUp(M + 1, 16); }

int64_t HcMixOp::getHidden() { return widthOf(getStreamsIn()) / getStreams(); }

int64_t HcMixOp::getStride() {
  return getPartialStride(weightOf(getFn()).getShape()[0]);
}

PhaseItems HcMixOp::getItems() {
  return {ItemsRule::Tokens, getHidden() / Chunk};
}

Layout HcMixOp::getOperandLayout(unsigned) { return Layout::Tile16; }

/// Streams and partials of M rows, of the phase that reads or writes them.
static LogicalResult checkStreams(Operation *Op, Value Streams, int64_t Count) {
  if (Count <= 0)
    return Op->emitOpError("C1: expected at least one stream, got ") << Count;
  return checkBuffer(Op, "C1", "streams_in", Streams,
                     {Per::Token, {}, 'b', Count * Chunk});
}

static LogicalResult checkPartials(Operation *Op, StringRef Constraint,
                                   Value Partials, int64_t Hidden, int64_t M) {
  return checkBuffer(Op, Constraint, "partials", Partials,
                     {Per::Token, {Hidden / Chunk * getPartialStride(M)}, 'f'});
}

/// C3: the operands that close the previous sublayer.
static LogicalResult checkClosing(HcMixOp Op, int64_t C, int64_t D) {
  unsigned Present = bool(Op.getOut()) + bool(Op.getPost()) +
                     bool(Op.getComb()) + bool(Op.getStreamsOut());
  if (Present != 0 && Present != 4)
    return Op.emitOpError("C3: expected out, post, comb and streams_out "
                          "together, got ")
           << Present << " of them";
  if (Present == 0)
    return success();
  if (Op.getStreamsOut() == Op.getStreamsIn())
    return Op.emitOpError("C3: expected streams_out to be another buffer than "
                          "streams_in");
  Operation *O = Op;
  return success(
      succeeded(
          checkBuffer(O, "C3", "out", Op.getOut(), {Per::Token, {D}, 'b'})) &&
      succeeded(
          checkBuffer(O, "C3", "post", Op.getPost(), {Per::Token, {C}, 'f'})) &&
      succeeded(checkBuffer(O, "C3", "comb", Op.getComb(),
                            {Per::Token, {C * C}, 'f'})) &&
      succeeded(checkSameType(O, "C3", "streams_out", Op.getStreamsOut(),
                              "streams_in", Op.getStreamsIn())));
}

LogicalResult HcMixOp::verify() {
  int64_t C = getStreams();
  if (failed(checkStreams(*this, getStreamsIn(), C)))
    return failure();
  int64_t D = getHidden();
  ArrayRef<int64_t> Fn = weightOf(getFn()).getShape();
  int64_t M = Fn[0] == C ? C : C * (2 + C);
  return success(succeeded(checkWeight(*this, "C2", "fn", getFn(), Format::F32,
                                       {M, C * D})) &&
                 succeeded(checkClosing(*this, C, D)) &&
                 succeeded(checkPartials(*this, "C4", getPartials(), D, M)));
}

PhaseItems HcPreOp::getItems() { return {ItemsRule::Tokens}; }

LogicalResult HcPreOp::verify() {
  int64_t C = getStreams();
  if (failed(checkStreams(*this, getStreamsIn(), C)))
    return failure();
  int64_t D = widthOf(getStreamsIn()) / C, M = C * (2 + C);
  if (failed(checkPartials(*this, "C1", getPartials(), D, M)) ||
      failed(checkWeight(*this, "C2", "scale", getScale(), Format::F32, 3)) ||
      failed(checkWeight(*this, "C2", "base", getBase(), Format::F32, M)) ||
      failed(checkWeight(*this, "C2", "norm", getNorm(), Format::BF16, D)))
    return failure();
  if (failed(checkBuffer(*this, "C3", "x", getX(), {Per::Token, {D}, 'b'})) ||
      (getXq() &&
       failed(checkSameType(*this, "C3", "xq", getXq(), "x", getX()))) ||
      failed(checkBuffer(*this, "C3", "post", getPost(),
                         {Per::Token, {C}, 'f'})) ||
      failed(checkBuffer(*this, "C3", "comb", getComb(),
                         {Per::Token, {C * C}, 'f'})))
    return failure();
  if (getSinkhornIters() <= 0)
    return emitOpError("C4: expected positive sinkhorn_iters, got ")
           << getSinkhornIters();
  return success();
}

PhaseItems HcHeadOp::getItems() { return {ItemsRule::Outputs}; }

LogicalResult HcHeadOp::verify() {
  int64_t C = getStreams();
  if (failed(checkStreams(*this, getStreamsIn(), C)))
    return failure();
  int64_t D = widthOf(getStreamsIn()) / C;
  return success(
      succeeded(checkPartials(*this, "C1", getPartials(), D, C)) &&
      succeeded(
          checkWeight(*this, "C2", "scale", getScale(), Format::F32, 1)) &&
      succeeded(checkWeight(*this, "C2", "base", getBase(), Format::F32, C)) &&
      succeeded(checkWeight(*this, "C2", "norm", getNorm(), Format::BF16, D)) &&
      succeeded(
          checkBuffer(*this, "C3", "x", getX(), {Per::Output, {D}, 'b'})));
}
