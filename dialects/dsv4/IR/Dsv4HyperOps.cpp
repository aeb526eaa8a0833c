// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the hyper-connection ops, unfused and fused: the fused ones are
// checked by the constraints of their parts.

#include "dialects/dsv4/IR/Dsv4Verify.h"

using namespace mlir;
using namespace dsv4::graph;
using dsv4::qfmt::Format;

/// C1 of the mixes: streams [T, C, D] and the weights of `Rows` mixed rows.
static LogicalResult checkMix(Operation *Op, Value Streams, Value Fn,
                              Value Scale, Value Base, bool Head) {
  if (rank(Streams) != 3)
    return Op->emitOpError("C1: expected streams [T, C, D], got ")
           << Streams.getType();
  int64_t C = dim(Streams, 1), D = dim(Streams, 2);
  int64_t Rows = Head ? C : C * (2 + C);
  if (failed(checkWeight(Op, "C1", "fn", Fn, {Rows, C * D}, {Format::F32})) ||
      failed(
          checkWeight(Op, "C1", "scale", Scale, {Head ? 1 : 3}, {Format::F32})))
    return failure();
  return checkWeight(Op, "C1", "base", Base, {Rows}, {Format::F32});
}

/// C2 of hc_mix: post and comb belong to the streams.
static LogicalResult checkPostComb(Operation *Op, StringRef Constraint,
                                   Value Streams, Value Post, Value Comb) {
  int64_t C = dim(Streams, 1);
  if (failed(checkTensor(Op, Constraint, "post", Post, {C})))
    return failure();
  return checkTensor(Op, Constraint, "comb", Comb, {C, C});
}

static LogicalResult checkIterations(Operation *Op, uint64_t Iterations) {
  if (Iterations > 0 && Iterations < 1000)
    return success();
  return Op->emitOpError("C3: expected 1 to 999 sinkhorn_iters, got ")
         << Iterations;
}

/// C1 of hc_post: everything that closes a sublayer.
static LogicalResult checkPost(Operation *Op, Value Out, Value Streams,
                               Value Post, Value Comb) {
  if (rank(Streams) != 3)
    return Op->emitOpError("C1: expected streams [T, C, D], got ")
           << Streams.getType();
  if (failed(checkTensor(Op, "C1", "out", Out, {dim(Streams, 2)})))
    return failure();
  return checkPostComb(Op, "C1", Streams, Post, Comb);
}

/// The reduced and normed sublayer input.
static LogicalResult checkInput(Operation *Op, Value Streams, Value Norm,
                                Value X) {
  int64_t D = dim(Streams, 2);
  if (failed(checkWeight(Op, "C1", "norm", Norm, {D}, {Format::BF16})))
    return failure();
  return checkTensor(Op, "C1", "x", X, {D});
}

LogicalResult HcMixOp::verify() {
  if (failed(checkMix(*this, getStreams(), getFn(), getScale(), getBase(),
                      false)) ||
      failed(
          checkTensor(*this, "C2", "pre", getPre(), {dim(getStreams(), 1)})) ||
      failed(checkPostComb(*this, "C2", getStreams(), getPost(), getComb())))
    return failure();
  return checkIterations(*this, getSinkhornIters());
}

LogicalResult HcPreOp::verify() {
  if (rank(getStreams()) != 3)
    return emitOpError("C1: expected streams [T, C, D], got ")
           << getStreams().getType();
  if (failed(checkTensor(*this, "C1", "pre", getPre(), {dim(getStreams(), 1)})))
    return failure();
  return checkTensor(*this, "C1", "result", getResult(),
                     {dim(getStreams(), 2)});
}

LogicalResult HcPostOp::verify() {
  if (failed(checkPost(*this, getOut(), getStreams(), getPost(), getComb())))
    return failure();
  return checkSame(*this, "C1", getResult(), getStreams(), "streams");
}

LogicalResult HcHeadMixOp::verify() {
  if (failed(
          checkMix(*this, getStreams(), getFn(), getScale(), getBase(), true)))
    return failure();
  return checkTensor(*this, "C2", "pre", getPre(), {dim(getStreams(), 1)});
}

LogicalResult HcEntryOp::verify() {
  if (failed(checkMix(*this, getStreams(), getFn(), getScale(), getBase(),
                      false)) ||
      failed(checkPostComb(*this, "C2", getStreams(), getPost(), getComb())) ||
      failed(checkIterations(*this, getSinkhornIters())))
    return failure();
  return checkInput(*this, getStreams(), getNorm(), getX());
}

LogicalResult HcBoundaryOp::verify() {
  if (failed(checkPost(*this, getOut(), getStreams(), getPost(), getComb())) ||
      failed(checkMix(*this, getStreams(), getFn(), getScale(), getBase(),
                      false)) ||
      failed(
          checkSame(*this, "C1", getNewStreams(), getStreams(), "streams")) ||
      failed(checkPostComb(*this, "C2", getStreams(), getNewPost(),
                           getNewComb())) ||
      failed(checkIterations(*this, getSinkhornIters())))
    return failure();
  return checkInput(*this, getStreams(), getNorm(), getX());
}

LogicalResult HcExitOp::verify() {
  if (failed(checkPost(*this, getOut(), getStreams(), getPost(), getComb())) ||
      failed(
          checkMix(*this, getStreams(), getFn(), getScale(), getBase(), true)))
    return failure();
  return checkInput(*this, getStreams(), getNorm(), getX());
}
