// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern-schedule-phases: phase numbers, item rules, grain, scratch.

#include "dialects/kern/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::kern {

#define GEN_PASS_DEF_SCHEDULEPHASESPASS
#include "dialects/kern/Transforms/Passes.h.inc"

namespace {

struct SchedulePhasesPass : impl::SchedulePhasesPassBase<SchedulePhasesPass> {
  using Base::Base;

  void runOnOperation() override {
    ProgramOp Program = getOperation();
    Affine Scratch;
    int64_t Number = 0;
    for (auto Phase : Program.getOps<KernPhaseOpInterface>()) {
      PhaseItems Items = Phase.getItems();
      Phase->setAttr("schedule",
                     ScheduleAttr::get(&getContext(), Number++, Items.rule,
                                       Items.factor, Items.operand, Items.ratio,
                                       Items.block, getGrain(Phase, Items)));
      auto Stated = Phase->getAttrOfType<AffineAttr>("scratch");
      Affine Need = Stated ? Stated.getValue() : Phase.getScratchBytes();
      Scratch = {std::max(Scratch.fixed, Need.fixed),
                 std::max(Scratch.perBlock, Need.perBlock)};
      ++numPhases;
    }
    Program.setNumPhases(Number);
    Program.setScratchBytesAttr(
        AffineAttr::get(&getContext(), Scratch.alignedTo(PlanAlignment)));
  }

  /// Items per claim: enough to read claim-bytes, at most the items of one
  /// token (of one expert, of the phase).
  int64_t getGrain(KernPhaseOpInterface Phase, const PhaseItems &Items) const {
    PhaseCost Cost = Phase.getCost();
    int64_t PerItem = (Cost.weightBytes + Cost.bytesPerToken) / Items.factor;
    if (Items.rule == ItemsRule::Entries || PerItem >= claimBytes)
      return 1;
    int64_t Grain = claimBytes / std::max<int64_t>(PerItem, 1);
    return std::min(Grain, std::max<int64_t>(Items.factor, 1));
  }
};

} // namespace
} // namespace dsv4::kern
