// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention phases: verifiers, item rules and scratch.

#include "dialects/kern/IR/KernVerify.h"

using namespace mlir;
using namespace dsv4::kern;
using dsv4::qfmt::Format;

static int64_t getStateWidth(Value State) {
  return stateOf(State).getRowFormat().getWidth();
}

/// heads x N bf16 per token; answers N, or fails.
static FailureOr<int64_t> checkHeads(Operation *Op, StringRef Constraint,
                                     StringRef Name, Value Value,
                                     int64_t Heads) {
  if (Heads <= 0)
    return Op->emitOpError(Constraint)
           << ": expected positive heads, got " << Heads;
  if (failed(checkBuffer(Op, Constraint, Name, Value,
                         {Per::Token, {}, 'b', Heads})))
    return failure();
  return widthOf(Value) / Heads;
}

/// A rotary table of at most N dims.
static LogicalResult checkTab(Operation *Op, Value Tab, int64_t N) {
  if (failed(checkBuffer(Op, "C2", "tab", Tab, {Per::Token, {}, 'f', 2})))
    return failure();
  if (widthOf(Tab) > N)
    return Op->emitOpError("C2: expected tab to have at most ")
           << N << " dims, got " << widthOf(Tab);
  return success();
}

PhaseItems QueryHeadsOp::getItems() {
  return {ItemsRule::Tokens, int64_t(getHeads())};
}

LogicalResult QueryHeadsOp::verify() {
  FailureOr<int64_t> N = checkHeads(*this, "C1", "raw", getRaw(), getHeads());
  if (failed(N))
    return failure();
  if (*N % 16)
    return emitOpError("C1: expected heads of a multiple of 16 elements, got ")
           << *N;
  if (failed(checkSameType(*this, "C1", "q", getQ(), "raw", getRaw())))
    return failure();
  return checkTab(*this, getTab(), *N);
}

PhaseItems StoreKvOp::getItems() { return {ItemsRule::Tokens}; }

LogicalResult StoreKvOp::verify() {
  if (failed(checkState(*this, "C1", "window", getWindow(), StateKind::Window)))
    return failure();
  int64_t D = getStateWidth(getWindow());
  int64_t R = stateOf(getWindow()).getRowFormat().getRopeDims();
  return success(
      succeeded(
          checkBuffer(*this, "C2", "raw", getRaw(), {Per::Token, {D}, 'b'})) &&
      succeeded(checkWeight(*this, "C3", "norm", getNorm(), Format::BF16, D)) &&
      succeeded(
          checkBuffer(*this, "C4", "tab", getTab(), {Per::Token, {R}, 'f'})));
}

int64_t CompressOp::getRatio() { return stateOf(getEntries()).getExtent(); }
int64_t CompressOp::getRowWidth() { return getStateWidth(getEntries()); }
bool CompressOp::isOverlapping() { return widthOf(getU()) != getRowWidth(); }
bool CompressOp::isIndex() {
  return stateOf(getEntries()).getKind() == StateKind::IndexEntries;
}

PhaseItems CompressOp::getItems() { return {ItemsRule::Tokens}; }

Affine CompressOp::getScratchBytes() {
  // Maximum, sum and accumulator per channel, and the row itself.
  return {roundUp(4 * getRowWidth() * 4, PlanAlignment)};
}

/// C4, C5: the carry and the frequencies.
static LogicalResult checkCompressState(CompressOp Op, int64_t W, int64_t D) {
  if (failed(checkState(Op, "C4", "carry", Op.getCarry(), StateKind::Carry)))
    return failure();
  StateType Carry = stateOf(Op.getCarry());
  int64_t Slots = Op.getRatio() * (W / D);
  if (Carry.getWidth() != W || Carry.getExtent() < Slots)
    return Op.emitOpError("C4: expected carry of at least ")
           << Slots << " slots of width " << W << ", got " << Carry;
  int64_t Dims = 2 * Op.getFreqs().size();
  int64_t FormatDims = stateOf(Op.getEntries()).getRowFormat().getRopeDims();
  if (Dims > D || Dims == 0 || (FormatDims && FormatDims != Dims))
    return Op.emitOpError("C5: expected frequencies for ")
           << (FormatDims ? FormatDims : D) << " dims, got " << Dims;
  return success();
}

LogicalResult CompressOp::verify() {
  StateKind Kind = stateOf(getEntries()).getKind();
  if (Kind != StateKind::Entries && Kind != StateKind::IndexEntries)
    return checkState(*this, "C1", "entries", getEntries(), StateKind::Entries);
  int64_t D = getRowWidth(), W = widthOf(getU());
  if (W != D && W != 2 * D)
    return emitOpError("C2: expected u to be a token buffer of ")
           << D << " or " << 2 * D << " f32, got " << getU().getType();
  if (failed(checkBuffer(*this, "C2", "u", getU(), {Per::Token, {W}, 'f'})) ||
      failed(checkBuffer(*this, "C2", "g", getG(), {Per::Token, {W}, 'f'})) ||
      failed(checkWeight(*this, "C3", "ape", getApe(), Format::F32,
                         {getRatio(), W})) ||
      failed(checkWeight(*this, "C3", "norm", getNorm(), Format::BF16, D)))
    return failure();
  return checkCompressState(*this, W, D);
}

PhaseItems CarryOp::getItems() { return {ItemsRule::Tokens}; }

LogicalResult CarryOp::verify() {
  if (failed(checkState(*this, "C1", "carry", getCarry(), StateKind::Carry)))
    return failure();
  int64_t W = stateOf(getCarry()).getWidth();
  if (failed(checkBuffer(*this, "C2", "u", getU(), {Per::Token, {W}, 'f'})))
    return failure();
  return checkBuffer(*this, "C2", "g", getG(), {Per::Token, {W}, 'f'});
}

PhaseItems IndexQueryOp::getItems() {
  return {ItemsRule::Tokens, int64_t(getHeads())};
}

LogicalResult IndexQueryOp::verify() {
  FailureOr<int64_t> N = checkHeads(*this, "C1", "raw", getRaw(), getHeads());
  if (failed(N))
    return failure();
  if (*N < 32 || (*N & (*N - 1)))
    return emitOpError("C1: expected heads of a power of two >= 32 elements, "
                       "got ")
           << *N;
  if (failed(checkSameType(*this, "C1", "q", getQ(), "raw", getRaw())))
    return failure();
  return checkTab(*this, getTab(), *N);
}

PhaseItems IndexScoreOp::getItems() {
  return {ItemsRule::Entries, 1, 0, stateOf(getEntries()).getExtent(),
          EntryBlock};
}

Affine IndexScoreOp::getScratchBytes() {
  // The queries as bytes with one number per group of 32, and two decoded
  // tiles: 16 bytes per k, and two lines per group.
  int64_t N = getStateWidth(getEntries()), Groups = N / 32;
  int64_t Queries = getHeads() * (N + Groups * 4);
  int64_t Integers = roundUp(Queries + 2 * (N * 16 + Groups * 128), 64);
  // For a matrix unit two tiles in BF16 and their dots with 32 heads.
  int64_t Unit = 2 * (N * 32 + 32 * 64);
  return {roundUp(Integers + Unit, PlanAlignment)};
}

LogicalResult IndexScoreOp::verify() {
  if (failed(checkState(*this, "C1", "entries", getEntries(),
                        StateKind::IndexEntries)))
    return failure();
  int64_t N = getStateWidth(getEntries()), H = getHeads();
  int64_t PerBlock = ContextBlock / stateOf(getEntries()).getExtent();
  return success(succeeded(checkBuffer(*this, "C2", "q", getQ(),
                                       {Per::Token, {H * N}, 'b'})) &&
                 succeeded(checkBuffer(*this, "C2", "weights", getWeights(),
                                       {Per::Token, {H}, 'b'})) &&
                 succeeded(checkBuffer(*this, "C3", "scores", getScores(),
                                       {Per::Token, {0, PerBlock}, 'b'})));
}

PhaseItems TopKOp::getItems() { return {ItemsRule::Tokens}; }

Affine TopKOp::getScratchBytes() {
  // 16-bit keys in chunks of 512 entries, a 16-bit maximum of 16 entries, and
  // 32-bit ids of all entries where all are equal.
  int64_t PerBlock = ContextBlock / getRatio();
  int64_t Chunk = 512 * 2 + 32 * 2;
  return Affine{Chunk, 2 * PerBlock + ceilDiv(PerBlock, 16) * 2 + 4 * PerBlock}
      .alignedTo(PlanAlignment);
}

LogicalResult TopKOp::verify() {
  if (getRatio() <= 0 || ContextBlock % getRatio())
    return emitOpError("C1: expected a ratio that divides ")
           << ContextBlock << ", got " << getRatio();
  if (failed(checkBuffer(
          *this, "C1", "scores", getScores(),
          {Per::Token, {0, ContextBlock / int64_t(getRatio())}, 'b'})))
    return failure();
  if (getK() <= 0)
    return emitOpError("C2: expected positive k, got ") << getK();
  return checkBuffer(*this, "C2", "ids", getIds(),
                     {Per::Token, {int64_t(getK())}, 'i'});
}

PhaseItems AttendOp::getItems() { return {ItemsRule::Tokens, headGroups()}; }

Affine AttendOp::getScratchBytes() {
  // Of the head groups that share decoded rows: scores over all rows and up to
  // 63 that fill a block; padded accumulators, queries, at most f32. Once: 32
  // padded pairs of decoded BF16 rows, or fewer of f32.
  int64_t N = widthOf(getQ()) / getHeads();
  int64_t Shared = groupsTogether();
  Affine Rows{roundUp(getWindowSize(), 16) + 64};
  if (getIds())
    Rows = Rows + Affine{roundUp(widthOf(getIds()), 16)};
  else if (getEntries())
    Rows = Rows + Affine{16, ContextBlock / stateOf(getEntries()).getExtent()};
  return (Rows * (Shared * HeadGroup * 4) +
          Affine{Shared * HeadGroup * (2 * N * 4 + 64) + 32 * (N * 4 + 128)})
      .alignedTo(PlanAlignment);
}

/// C5, C6: what is attended to besides the window.
static LogicalResult checkAttendEntries(AttendOp Op) {
  if (Op.getIds() && !Op.getEntries())
    return Op.emitOpError("C6: expected ids only together with entries");
  if (!Op.getEntries())
    return success();
  if (failed(
          checkState(Op, "C5", "entries", Op.getEntries(), StateKind::Entries)))
    return failure();
  if (stateOf(Op.getEntries()).getRows() != stateOf(Op.getWindow()).getRows())
    return Op.emitOpError("C5: expected entries in the window's row format, "
                          "got ")
           << Op.getEntries().getType();
  if (!Op.getIds())
    return success();
  return checkBuffer(Op, "C6", "ids", Op.getIds(), {Per::Token, {}, 'i'});
}

LogicalResult AttendOp::verify() {
  if (failed(checkState(*this, "C1", "window", getWindow(), StateKind::Window)))
    return failure();
  StateType Window = stateOf(getWindow());
  if (getWindowSize() <= 0 || Window.getExtent() < int64_t(getWindowSize()))
    return emitOpError("C1: expected a window state of at least ")
           << getWindowSize() << " rows, got " << Window;
  int64_t N = getStateWidth(getWindow()), H = getHeads();
  int64_t R = Window.getRowFormat().getRopeDims();
  return success(
      succeeded(
          checkBuffer(*this, "C2", "q", getQ(), {Per::Token, {H * N}, 'b'})) &&
      succeeded(checkSameType(*this, "C2", "heads_out", getHeadsOut(), "q",
                              getQ())) &&
      succeeded(
          checkBuffer(*this, "C3", "tab", getTab(), {Per::Token, {R}, 'f'})) &&
      succeeded(checkWeight(*this, "C4", "sink", getSink(), Format::F32, H)) &&
      succeeded(checkAttendEntries(*this)));
}
