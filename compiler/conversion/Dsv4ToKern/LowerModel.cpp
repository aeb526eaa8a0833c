// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of declarations, embedding, norm, quantisation and linear layers.

#include "compiler/conversion/Dsv4ToKern/Lowering.h"

using namespace mlir;
using namespace dsv4;

LogicalResult Lowering::lower(graph::WeightOp) {
  return success(); // declared on first use, so that order follows execution
}

LogicalResult Lowering::lower(graph::StateOp Op) {
  graph::StateType Type = Op.getResult().getType();
  auto Kind = kern::StateKind(uint32_t(Type.getKind()));
  int64_t Extent = Type.getExtent();
  if (Kind == kern::StateKind::Window)
    // No token of a step may overwrite a row that another one still needs.
    Extent =
        kern::roundUp(Extent + int64_t(Program.getMaxStepTokens()) - 1, 16);
  int64_t Width = Kind == kern::StateKind::Carry ? Type.getWidth() : 0;
  auto Handle = kern::StateType::getChecked([&] { return Op.emitOpError(); },
                                            Op.getContext(), Kind, Extent,
                                            Width, Attribute(Type.getRows()));
  if (!Handle)
    return failure();
  States[Op.getResult()] =
      kern::StateOp::create(Decl, Op.getLoc(), Handle, Op.getNameAttr(),
                            kern::AffineAttr(), kern::AffineAttr())
          .getHandle();
  return success();
}

LogicalResult Lowering::lower(graph::EmbedOp Op) {
  for (Operation *User : Op->getUsers())
    if (!isa<graph::ExpandStreamsOp>(User))
      return Op.emitOpError("expected only dsv4.expand_streams to use it");
  return success(); // part of the phase of expand_streams
}

LogicalResult Lowering::lower(graph::ExpandStreamsOp Op) {
  auto Embed = Op.getX().getDefiningOp<graph::EmbedOp>();
  if (!Embed)
    return Op.emitOpError("expected dsv4.embed as its input");
  kern::EmbedOp::create(
      Phase, FusedLoc::get(Op.getContext(), {Embed.getLoc(), Op.getLoc()}),
      getName("embed"), getWeight(Embed.getTable()),
      makeBuffer(Op.getResult(), "streams"), NoScratch, NoSchedule);
  return success();
}

LogicalResult Lowering::lower(graph::RmsNormOp Op) {
  enterScope(Op.getWeight());
  Value Y, Yq;
  if (wantsPlain(Op.getResult()) || !wantsQuantized(Op.getResult()))
    Y = makeBuffer(Op.getResult(), "normed");
  if (wantsQuantized(Op.getResult()))
    Yq = Quantized[Op.getResult()] =
        makeBuffer("normed_q", kern::Per::Token,
                   {getValuesPerToken(Op.getResult())}, BF16);
  kern::NormQuantOp::create(Phase, Op.getLoc(), getName("norm"),
                            getBuffer(Op.getX()), getWeight(Op.getWeight()), Y,
                            Yq, Op.getEpsAttr(), NoScratch, NoSchedule);
  return success();
}

LogicalResult Lowering::lower(graph::QuantizeOp Op) {
  Buffers[Op.getResult()] = getQuantized(Op.getX(), Op.getLoc());
  return success();
}

static kern::RowsOf getRows(Value Buffer) {
  return cast<kern::BufferType>(Buffer.getType()).getPer() == kern::Per::Output
             ? kern::RowsOf::Outputs
             : kern::RowsOf::Tokens;
}

LogicalResult Lowering::lower(graph::LinearOp Op) {
  enterScope(Op.getWeight());
  Value X = getBuffer(Op.getX());
  kern::RowsOf Rows = getRows(X);
  Value Y;
  if (Rows == kern::RowsOf::Tokens) {
    Y = makeBuffer(Op.getResult(), "linear");
  } else {
    Type Element =
        cast<RankedTensorType>(Op.getResult().getType()).getElementType();
    Y = Buffers[Op.getResult()] =
        makeBuffer("logits", kern::Per::Output,
                   {getValuesPerToken(Op.getResult())}, Element);
  }
  emitLinear(Op.getLoc(), getTensorName(Op.getWeight()), Rows,
             Job{X, getWeight(Op.getWeight()), Y});
  return success();
}

LogicalResult Lowering::lower(graph::StackedLinearOp Op) {
  SmallVector<Job> Jobs;
  for (auto [Weight, Result, IsQuantized] :
       llvm::zip_equal(Op.getWeights(), Op.getResults(), Op.getQuantized())) {
    enterScope(Weight);
    Value X = IsQuantized ? getQuantized(Op.getX(), Op.getLoc())
                          : getBuffer(Op.getX());
    Jobs.push_back(
        {X, getWeight(Weight), makeBuffer(Result, getTensorName(Weight))});
  }
  emitLinear(Op.getLoc(), getTensorName(Op.getWeights()[0]), getRows(Jobs[0].x),
             Jobs);
  return success();
}

LogicalResult Lowering::lower(graph::GroupedLinearOp Op) {
  enterScope(Op.getWeight());
  Job J{getBuffer(Op.getHeads()), getWeight(Op.getWeight()),
        makeBuffer(Op.getResult(), "low"), int64_t(Op.getGroups())};
  emitLinear(Op.getLoc(), getTensorName(Op.getWeight()), getRows(J.x), J);
  return success();
}

LogicalResult Lowering::lower(graph::ReturnOp Op) {
  kern::ReturnOp::create(Phase, Op.getLoc(), getBuffer(Op.getLogits()));
  return success();
}

void Lowering::emitLinear(Location Loc, StringRef Name, kern::RowsOf Rows,
                          ArrayRef<Job> Jobs) {
  SmallVector<Value> Operands;
  SmallVector<int64_t> Groups;
  for (const Job &J : Jobs) {
    Operands.append({J.x, J.w, J.y});
    Groups.push_back(J.groups);
  }
  kern::LinearOp::create(Phase, Loc, Phase.getStringAttr(Name),
                         kern::RowsOfAttr::get(Phase.getContext(), Rows),
                         Phase.getDenseI64ArrayAttr(Groups), Operands,
                         NoScratch, NoSchedule);
}
