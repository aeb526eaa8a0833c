// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of hyper-connection boundaries to hc_mix followed by hc_pre or
// hc_head.

#include "compiler/conversion/Dsv4ToKern/Lowering.h"

using namespace mlir;
using namespace dsv4;

static int64_t getStreams(Value Tensor) {
  return cast<RankedTensorType>(Tensor.getType()).getDimSize(1);
}

Value Lowering::emitHcMix(Operation *Op, Value StreamsIn, Value Out, Value Post,
                          Value Comb, Value Fn, Value StreamsOut) {
  // See kern.hc_mix: per chunk of 128 the dots, then the sum of squares.
  auto Type = cast<qfmt::WeightType>(Fn.getType());
  int64_t C = getStreams(Op->getName().getStringRef() == "dsv4.hc_entry"
                             ? Op->getOperand(0)
                             : Op->getOperand(1));
  int64_t Width = cast<kern::BufferType>(StreamsIn.getType()).getFixed();
  int64_t Chunks = Width / C / 128;
  int64_t Stride = kern::roundUp(Type.getShape()[0] + 1, 16);
  Value Partials =
      makeBuffer("hc_partials", kern::Per::Token, {Chunks * Stride}, F32);
  kern::HcMixOp::create(Phase, Op->getLoc(), getName("hc_mix"), StreamsIn, Out,
                        Post, Comb, Fn, StreamsOut, Partials,
                        Phase.getI64IntegerAttr(C), NoScratch, NoSchedule);
  return Partials;
}

template <typename OpT>
void Lowering::emitHcPre(OpT Op, Value Streams, Value Partials, Value Post,
                         Value Comb, Value X) {
  Value XBuffer = makeBuffer(X, "in");
  Value Xq;
  if (wantsQuantized(X))
    Xq = Quantized[X] =
        makeBuffer("in_q", kern::Per::Token, {getValuesPerToken(X)}, BF16);
  kern::HcPreOp::create(
      Phase, Op.getLoc(), getName("hc_pre"), Partials, Streams,
      getWeight(Op.getScale()), getWeight(Op.getBase()),
      getWeight(Op.getNorm()), XBuffer, Xq, makeBuffer(Post, "post"),
      makeBuffer(Comb, "comb"), Phase.getI64IntegerAttr(getStreams(Post)),
      Op.getSinkhornItersAttr(), Op.getHcEpsAttr(), Op.getNormEpsAttr(),
      NoScratch, NoSchedule);
}

LogicalResult Lowering::lower(graph::HcEntryOp Op) {
  enterScope(Op.getNorm());
  Value Streams = getBuffer(Op.getStreams());
  Value Partials =
      emitHcMix(Op, Streams, {}, {}, {}, getWeight(Op.getFn()), {});
  emitHcPre(Op, Streams, Partials, Op.getPost(), Op.getComb(), Op.getX());
  return success();
}

LogicalResult Lowering::lower(graph::HcBoundaryOp Op) {
  enterScope(Op.getNorm());
  Value Streams = makeBuffer(Op.getNewStreams(), "streams");
  Value Partials =
      emitHcMix(Op, getBuffer(Op.getStreams()), getBuffer(Op.getOut()),
                getBuffer(Op.getPost()), getBuffer(Op.getComb()),
                getWeight(Op.getFn()), Streams);
  emitHcPre(Op, Streams, Partials, Op.getNewPost(), Op.getNewComb(), Op.getX());
  return success();
}

LogicalResult Lowering::lower(graph::HcExitOp Op) {
  Scope = "head";
  Value In = getBuffer(Op.getStreams());
  Value Streams =
      makeBuffer("streams", kern::Per::Token,
                 cast<kern::BufferType>(In.getType()).getWidth(), BF16);
  Value Partials =
      emitHcMix(Op, In, getBuffer(Op.getOut()), getBuffer(Op.getPost()),
                getBuffer(Op.getComb()), getWeight(Op.getFn()), Streams);
  Value X = Buffers[Op.getX()] =
      makeBuffer("in", kern::Per::Output, {getValuesPerToken(Op.getX())}, BF16);
  kern::HcHeadOp::create(Phase, Op.getLoc(), getName("hc_head"), Partials,
                         Streams, getWeight(Op.getScale()),
                         getWeight(Op.getBase()), getWeight(Op.getNorm()), X,
                         Phase.getI64IntegerAttr(getStreams(Op.getStreams())),
                         Op.getHcEpsAttr(), Op.getNormEpsAttr(), NoScratch,
                         NoSchedule);
  return success();
}
