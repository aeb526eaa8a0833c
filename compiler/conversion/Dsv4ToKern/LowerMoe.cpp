// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of a mixture-of-experts layer: gate and the shared expert's first
// products in one phase, routing, expert products, and their sum.

#include "compiler/conversion/Dsv4ToKern/Lowering.h"

using namespace mlir;
using namespace dsv4;

/// The phases that turn router logits into ids, weights and expert lists.
Lowering::Routing Lowering::emitRouting(graph::MoeOp Op, Value Logits) {
  Location Loc = Op.getLoc();
  int64_t E = cast<kern::BufferType>(Logits.getType()).getFixed();
  int64_t K = Op.getK();
  bool ByTable = cast<qfmt::WeightType>(Op.getRoute().getType()).getFormat() ==
                 qfmt::Format::I64;
  Value Route = getWeight(Op.getRoute());
  Value Ids = makeBuffer("router.ids", kern::Per::Token, {K}, I32);
  Value RouteWeights = makeBuffer("router.weights", kern::Per::Token, {K}, F32);
  kern::RouteOp::create(Phase, Loc, getName("route"), Logits,
                        ByTable ? Value() : Route, ByTable ? Route : Value(),
                        Ids, RouteWeights, Op.getScaleAttr(), NoScratch,
                        NoSchedule);
  int64_t Words = 2 + 2 * E + int64_t(Program.getMaxStepTokens()) * K;
  Value Lists = makeBuffer("router.lists", kern::Per::Program, {Words}, I32);
  kern::DispatchOp::create(Phase, Loc, getName("dispatch"), Ids, Lists,
                           Phase.getI64IntegerAttr(E), NoScratch, NoSchedule);
  return {RouteWeights, Lists};
}

LogicalResult Lowering::lower(graph::MoeOp Op) {
  enterScope(Op.getGate());
  Location Loc = Op.getLoc();
  auto Dim = [](Value Weight, int FromEnd) {
    ArrayRef<int64_t> Shape =
        cast<qfmt::WeightType>(Weight.getType()).getShape();
    return Shape[Shape.size() - FromEnd];
  };
  auto Make = [&](StringRef Name, kern::Per Per, int64_t Width, Type Element) {
    return makeBuffer(Name, Per, {Width}, Element);
  };
  auto InputOf = [&](Value Weight) {
    return isQuantizedFormat(cast<qfmt::WeightType>(Weight.getType()))
               ? getQuantized(Op.getX(), Loc)
               : getBuffer(Op.getX());
  };
  int64_t E = Dim(Op.getGate(), 2);
  int64_t D = getValuesPerToken(Op.getX());
  int64_t I = Dim(Op.getW1(), 2), SharedI = Dim(Op.getSharedW1(), 2);

  Value Logits = Make("router.logits", kern::Per::Token, E, F32);
  Value SharedGate = Make("shared.gate", kern::Per::Token, SharedI, BF16);
  Value SharedUp = Make("shared.up", kern::Per::Token, SharedI, BF16);
  emitLinear(
      Loc, getName("gate_shared_w13"), kern::RowsOf::Tokens,
      {{getBuffer(Op.getX()), getWeight(Op.getGate()), Logits},
       {InputOf(Op.getSharedW1()), getWeight(Op.getSharedW1()), SharedGate},
       {InputOf(Op.getSharedW3()), getWeight(Op.getSharedW3()), SharedUp}});

  Routing R = emitRouting(Op, Logits);

  Value Gate = Make("experts.gate", kern::Per::Slot, I, BF16);
  Value Up = Make("experts.up", kern::Per::Slot, I, BF16);
  kern::ExpertLinearOp::create(Phase, Loc, getName("experts.w13"),
                               InputOf(Op.getW1()), R.lists,
                               getWeight(Op.getW1()), getWeight(Op.getW3()),
                               Gate, Up, NoScratch, NoSchedule);
  Value H = Make("experts.h", kern::Per::Slot, I, BF16);
  kern::SwigluOp::create(Phase, Loc, getName("experts.swiglu"), Gate, Up,
                         R.weights, H, Op.getLimitAttr(), NoScratch,
                         NoSchedule);
  Value SharedH = Make("shared.h", kern::Per::Token, SharedI, BF16);
  kern::SwigluOp::create(Phase, Loc, getName("shared.swiglu"), SharedGate,
                         SharedUp, Value(), SharedH, Op.getLimitAttr(),
                         NoScratch, NoSchedule);
  Value Y = Make("experts.y", kern::Per::Slot, D, BF16);
  kern::ExpertLinearOp::create(Phase, Loc, getName("experts.w2"), H, R.lists,
                               getWeight(Op.getW2()), Value(), Y, Value(),
                               NoScratch, NoSchedule);
  Value Shared = Make("shared.y", kern::Per::Token, D, BF16);
  emitLinear(Loc, getName("shared.w2"), kern::RowsOf::Tokens,
             Job{SharedH, getWeight(Op.getSharedW2()), Shared});
  kern::CombineOp::create(Phase, Loc, getName("combine"), Y, Shared,
                          makeBuffer(Op.getResult(), "out"), NoScratch,
                          NoSchedule);
  return success();
}
