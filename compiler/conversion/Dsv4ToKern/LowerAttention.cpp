// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of queries, window store, compressor, indexer and attention.

#include "compiler/conversion/Dsv4ToKern/Lowering.h"
#include "compiler/conversion/Dsv4ToKern/RopeFrequencies.h"

using namespace mlir;
using namespace dsv4;

static SmallVector<float> getFrequencies(graph::RopeAttr Rope) {
  return getRopeFrequencies({Rope.getDims(), Rope.getTheta(), Rope.getFactor(),
                             Rope.getOriginal(), Rope.getBetaFast(),
                             Rope.getBetaSlow()});
}

/// Heads of a tensor [T, H, N].
static IntegerAttr getHeads(OpBuilder &B, Value Tensor) {
  return B.getI64IntegerAttr(
      cast<RankedTensorType>(Tensor.getType()).getDimSize(1));
}

Value Lowering::getRopeTable(graph::RopeAttr Rope, Location Loc) {
  Value &Table = RopeTables[Rope];
  if (Table)
    return Table;
  std::string Name = "rope." + std::to_string(Rope.getTheta());
  Table = kern::BufferOp::create(
              Decl, Loc,
              kern::BufferType::get(kern::Per::Token, Rope.getDims(), F32),
              Decl.getStringAttr(Name), kern::AffineAttr(), kern::AffineAttr(),
              DenseI64ArrayAttr())
              .getHandle();
  kern::RopeTableOp::create(Phase, Loc, Phase.getStringAttr(Name),
                            Phase.getDenseF32ArrayAttr(getFrequencies(Rope)),
                            Table, NoScratch, NoSchedule);
  return Table;
}

LogicalResult Lowering::lower(graph::QueryHeadsOp Op) {
  Value Tab = getRopeTable(Op.getRope(), Op.getLoc());
  kern::QueryHeadsOp::create(
      Phase, Op.getLoc(), getName("query_heads"), getBuffer(Op.getRaw()), Tab,
      makeBuffer(Op.getResult(), "q"), getHeads(Phase, Op.getRaw()),
      Op.getEpsAttr(), NoScratch, NoSchedule);
  return success();
}

LogicalResult Lowering::lower(graph::StoreKvOp Op) {
  enterScope(Op.getNorm());
  Value Tab = getRopeTable(Op.getRope(), Op.getLoc());
  kern::StoreKvOp::create(Phase, Op.getLoc(), getName("store_kv"),
                          getBuffer(Op.getRaw()), getWeight(Op.getNorm()), Tab,
                          getState(Op.getWindow()), Op.getEpsAttr(), NoScratch,
                          NoSchedule);
  return success();
}

LogicalResult Lowering::lower(graph::CompressOp Op) {
  enterScope(Op.getNorm());
  bool IsIndex =
      Op.getEntries().getType().getKind() == graph::StateKind::IndexEntries;
  Value U = getBuffer(Op.getValues()), G = getBuffer(Op.getGates());
  Value Carry = getState(Op.getCarry());
  kern::CompressOp::create(
      Phase, Op.getLoc(), getName(IsIndex ? "index.compress" : "compress"), U,
      G, getWeight(Op.getApe()), getWeight(Op.getNorm()), Carry,
      getState(Op.getEntries()),
      Phase.getDenseF32ArrayAttr(getFrequencies(Op.getRope())), Op.getEpsAttr(),
      NoScratch, NoSchedule);
  kern::CarryOp::create(Phase, Op.getLoc(),
                        getName(IsIndex ? "index.carry" : "carry"), U, G, Carry,
                        NoScratch, NoSchedule);
  return success();
}

LogicalResult Lowering::lower(graph::IndexQueryOp Op) {
  Value Tab = getRopeTable(Op.getRope(), Op.getLoc());
  kern::IndexQueryOp::create(
      Phase, Op.getLoc(), getName("index.query"), getBuffer(Op.getRaw()), Tab,
      makeBuffer(Op.getResult(), "index.q"), getHeads(Phase, Op.getRaw()),
      NoScratch, NoSchedule);
  return success();
}

LogicalResult Lowering::lower(graph::IndexSelectOp Op) {
  int64_t Ratio = Op.getEntries().getType().getExtent();
  Value Scores = makeBuffer("index.scores", kern::Per::Token,
                            {0, kern::ContextBlock / Ratio}, BF16);
  kern::IndexScoreOp::create(
      Phase, Op.getLoc(), getName("index.score"), getBuffer(Op.getQ()),
      getBuffer(Op.getWeights()), getState(Op.getEntries()), Scores,
      getHeads(Phase, Op.getQ()), Op.getFactorAttr(), NoScratch, NoSchedule);
  kern::TopKOp::create(Phase, Op.getLoc(), getName("index.top_k"), Scores,
                       makeBuffer(Op.getIds(), "index.ids"), Op.getKAttr(),
                       Phase.getI64IntegerAttr(Ratio), NoScratch, NoSchedule);
  return success();
}

LogicalResult Lowering::lower(graph::AttentionOp Op) {
  enterScope(Op.getSink());
  Value Tab = getRopeTable(Op.getRope(), Op.getLoc());
  Value Entries = Op.getEntries() ? getState(Op.getEntries()) : Value();
  Value Ids = Op.getIds() ? getBuffer(Op.getIds()) : Value();
  kern::AttendOp::create(
      Phase, Op.getLoc(), getName("attend"), getBuffer(Op.getQ()), Tab,
      getWeight(Op.getSink()), getState(Op.getWindow()), Entries, Ids,
      makeBuffer(Op.getHeads(), "heads"), getHeads(Phase, Op.getQ()),
      Phase.getI64IntegerAttr(Op.getWindow().getType().getExtent()),
      Op.getScaleAttr(), NoScratch, NoSchedule);
  return success();
}
