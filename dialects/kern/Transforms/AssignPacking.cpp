// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern-assign-packing: one packed layout per weight, and its place.

#include "dialects/kern/IR/KernPacking.h"
#include "dialects/kern/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::kern {

#define GEN_PASS_DEF_ASSIGNPACKINGPASS
#include "dialects/kern/Transforms/Passes.h.inc"

namespace {

struct AssignPackingPass : impl::AssignPackingPassBase<AssignPackingPass> {
  using Base::Base;

  void runOnOperation() override {
    ProgramOp Program = getOperation();
    int64_t End = 0;
    for (WeightOp Weight : Program.getOps<WeightOp>()) {
      FailureOr<Layout> Layout = chooseLayout(Weight);
      if (failed(Layout))
        return signalPassFailure();
      End = roundUp(End, PlanAlignment) + place(Weight, *Layout, End);
      ++(*Layout == Layout::Tile16 ? numTiled : numRaw);
    }
    Program.setWeightBytes(End);
  }

  /// The layout that every reader asks for.
  FailureOr<Layout> chooseLayout(WeightOp Weight) {
    std::optional<Layout> Chosen;
    for (OpOperand &Use : Weight.getHandle().getUses()) {
      auto Phase = cast<KernPhaseOpInterface>(Use.getOwner());
      Layout Wanted = Phase.getOperandLayout(Use.getOperandNumber());
      if (Chosen && *Chosen != Wanted)
        return Weight.emitOpError("phases ask for different layouts of ")
               << Weight.getTensor() << ": " << stringifyLayout(*Chosen)
               << " and " << stringifyLayout(Wanted) << " ("
               << Phase.getPhaseName() << ")";
      Chosen = Wanted;
    }
    if (!Chosen)
      return Weight.emitOpError("no phase reads ") << Weight.getTensor();
    auto Type = cast<qfmt::WeightType>(Weight.getHandle().getType());
    if (!canPack(Type, *Chosen))
      return Weight.emitOpError("layout ")
             << stringifyLayout(*Chosen) << " cannot hold " << Type << " of "
             << Weight.getTensor();
    return *Chosen;
  }

  /// Writes the attributes and answers the packed bytes.
  int64_t place(WeightOp Weight, Layout Layout, int64_t End) {
    int64_t Bytes = getPackedBytes(
        cast<qfmt::WeightType>(Weight.getHandle().getType()), Layout);
    Weight.setPackingAttr(PackingAttr::get(&getContext(), Layout));
    Weight.setOffset(roundUp(End, PlanAlignment));
    Weight.setBytes(Bytes);
    return Bytes;
  }
};

} // namespace
} // namespace dsv4::kern
