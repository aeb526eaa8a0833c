// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of attention, compressor and indexer ops, unfused and fused.

#include "dialects/dsv4/IR/Dsv4Verify.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dsv4::graph;
using dsv4::qfmt::Format;

static LogicalResult checkRopeDims(Operation *Op, StringRef Constraint,
                                   RopeAttr Rope, int64_t Width) {
  if (Rope.getDims() <= Width)
    return success();
  return Op->emitOpError() << Constraint << ": expected at most " << Width
                           << " rotary dims, got " << Rope.getDims();
}

/// Heads [T, H, N].
static LogicalResult checkHeads(Operation *Op, StringRef Name, Value V) {
  if (rank(V) == 3)
    return success();
  return Op->emitOpError("C1: expected ")
         << Name << " [T, H, N], got " << V.getType();
}

static LogicalResult checkPowerOfTwo(Operation *Op, Value X) {
  int64_t N = lastDim(X);
  if (N >= 16 && llvm::isPowerOf2_64(N))
    return success();
  return Op->emitOpError(
             "C2: expected a power of two of at least 16 elements, got ")
         << N;
}

LogicalResult HeadNormOp::verify() {
  if (failed(checkHeads(*this, "x", getX())))
    return failure();
  if (lastDim(getX()) % 16)
    return emitOpError("C1: expected heads of a multiple of 16 elements, got ")
           << lastDim(getX());
  return checkSame(*this, "C1", getResult(), getX(), "x");
}

LogicalResult RopeOp::verify() {
  if (rank(getX()) != 2 && rank(getX()) != 3)
    return emitOpError("C1: expected x [T, N] or [T, H, N], got ")
           << getX().getType();
  if (failed(checkSame(*this, "C1", getResult(), getX(), "x")))
    return failure();
  return checkRopeDims(*this, "C2", getRope(), lastDim(getX()));
}

LogicalResult QuantizeKvOp::verify() {
  if (failed(checkSame(*this, "C1", getResult(), getKv(), "kv")))
    return failure();
  int64_t Codes = lastDim(getKv()) - int64_t(getRopeDims());
  if (Codes <= 0 || Codes % 64)
    return emitOpError("C2: expected a multiple of 64 elements before the "
                       "rotary dims, got ")
           << Codes;
  return success();
}

LogicalResult StoreWindowOp::verify() {
  return checkState(*this, "C1", getWindow(), StateKind::Window,
                    lastDim(getKv()));
}

LogicalResult CompressOp::verify() {
  StateType Entries = stateOf(getEntries());
  if (Entries.getKind() != StateKind::Entries &&
      Entries.getKind() != StateKind::IndexEntries)
    return emitOpError("C1: expected an entries or index_entries state, got ")
           << Entries;
  int64_t N = Entries.getWidth(), W = lastDim(getValues());
  int64_t Ratio = Entries.getExtent();
  if (W != N && W != 2 * N)
    return emitOpError("C1: expected values of ")
           << N << " or " << 2 * N << " per token, got " << W;
  if (failed(checkTensor(*this, "C1", "gates", getGates(), {W})) ||
      failed(checkWeight(*this, "C2", "ape", getApe(), {Ratio, W},
                         {Format::F32})) ||
      failed(
          checkWeight(*this, "C2", "norm", getNorm(), {N}, {Format::BF16})) ||
      failed(checkState(*this, "C3", getCarry(), StateKind::Carry, W)))
    return failure();
  if (stateOf(getCarry()).getExtent() != Ratio * W / N)
    return emitOpError("C3: expected a carry of ")
           << Ratio * W / N << " slots, got " << stateOf(getCarry());
  int64_t Dims = Entries.getRows().getRopeDims();
  if (Dims && Dims != getRope().getDims())
    return emitOpError("C4: expected the ")
           << Dims << " rotary dims of the row format, got "
           << getRope().getDims();
  return checkRopeDims(*this, "C4", getRope(), N);
}

LogicalResult HadamardOp::verify() {
  if (failed(checkSame(*this, "C1", getResult(), getX(), "x")))
    return failure();
  return checkPowerOfTwo(*this, getX());
}

LogicalResult QuantizeFp4Op::verify() {
  if (failed(checkSame(*this, "C1", getResult(), getX(), "x")))
    return failure();
  if (lastDim(getX()) % 32)
    return emitOpError("C2: expected a multiple of 32 elements, got ")
           << lastDim(getX());
  return success();
}

LogicalResult ScaleWeightsOp::verify() {
  return checkSame(*this, "C1", getResult(), getX(), "x");
}

/// C1 of index_score: heads, their weights, and the rows they meet.
static LogicalResult checkIndex(Operation *Op, Value Q, Value Weights,
                                Value Entries) {
  if (failed(checkHeads(Op, "q", Q)) ||
      failed(
          checkState(Op, "C1", Entries, StateKind::IndexEntries, lastDim(Q))))
    return failure();
  return checkTensor(Op, "C1", "weights", Weights, {dim(Q, 1)});
}

LogicalResult IndexScoreOp::verify() {
  if (failed(checkIndex(*this, getQ(), getWeights(), getEntries())))
    return failure();
  return checkTensor(*this, "C2", "scores", getScores(),
                     {ShapedType::kDynamic});
}

LogicalResult TopKOp::verify() {
  if (int64_t(getK()) <= 0 || int64_t(getRatio()) <= 0)
    return emitOpError("C2: expected positive k and ratio, got ")
           << getK() << " and " << getRatio();
  if (rank(getScores()) != 2)
    return emitOpError("C1: expected scores [T, ?], got ")
           << getScores().getType();
  return checkTensor(*this, "C1", "ids", getIds(), {int64_t(getK())});
}

/// The constraints of sparse_attention.
template <class OpT> static LogicalResult checkAttention(OpT Op) {
  Value Q = Op.getQ();
  if (failed(checkHeads(Op, "q", Q)) ||
      failed(checkSame(Op, "C1", Op.getHeads(), Q, "q")) ||
      failed(checkWeight(Op, "C2", "sink", Op.getSink(), {dim(Q, 1)},
                         {Format::F32})) ||
      failed(
          checkState(Op, "C3", Op.getWindow(), StateKind::Window, lastDim(Q))))
    return failure();
  if (Op.getEntries() && failed(checkState(Op, "C3", Op.getEntries(),
                                           StateKind::Entries, lastDim(Q))))
    return failure();
  if (Op.getIds() && !Op.getEntries())
    return Op.emitOpError("C4: expected ids only together with entries");
  return success();
}

LogicalResult SparseAttentionOp::verify() { return checkAttention(*this); }

LogicalResult AttentionOp::verify() {
  if (failed(checkAttention(*this)))
    return failure();
  return checkRopeDims(*this, "C5", getRope(), lastDim(getQ()));
}

LogicalResult GroupedLinearOp::verify() {
  ArrayRef<int64_t> Shape = weightOf(getWeight()).getShape();
  int64_t Groups = getGroups(), Values = valuesPerToken(getHeads());
  if (Shape.size() != 2 || Groups <= 0 || Shape[0] % Groups ||
      Shape[1] * Groups != Values)
    return emitOpError("C1: expected weight [")
           << Groups << " R, " << (Groups > 0 ? Values / Groups : 0)
           << "], got " << getWeight().getType();
  return checkTensor(*this, "C2", "result", getResult(), {Shape[0]});
}

LogicalResult QueryHeadsOp::verify() {
  if (failed(checkHeads(*this, "raw", getRaw())) ||
      failed(checkSame(*this, "C1", getResult(), getRaw(), "raw")))
    return failure();
  return checkRopeDims(*this, "C2", getRope(), lastDim(getRaw()));
}

LogicalResult StoreKvOp::verify() {
  int64_t N = lastDim(getRaw());
  if (failed(checkSame(*this, "C1", getResult(), getRaw(), "raw")) ||
      failed(
          checkWeight(*this, "C1", "norm", getNorm(), {N}, {Format::BF16})) ||
      failed(checkState(*this, "C1", getWindow(), StateKind::Window, N)))
    return failure();
  if (stateOf(getWindow()).getRows().getRopeDims() != getRope().getDims())
    return emitOpError("C1: expected the window's rotary dims, got ")
           << getRope().getDims();
  return success();
}

LogicalResult IndexQueryOp::verify() {
  if (failed(checkHeads(*this, "raw", getRaw())) ||
      failed(checkSame(*this, "C1", getResult(), getRaw(), "raw")) ||
      failed(checkPowerOfTwo(*this, getRaw())))
    return failure();
  return checkRopeDims(*this, "C2", getRope(), lastDim(getRaw()));
}

LogicalResult IndexSelectOp::verify() {
  if (failed(checkIndex(*this, getQ(), getWeights(), getEntries())))
    return failure();
  return checkTensor(*this, "C1", "ids", getIds(), {int64_t(getK())});
}
