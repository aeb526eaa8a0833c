// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern-plan-state: offsets inside one sequence's state, affine in the context.

#include "dialects/kern/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::kern {

#define GEN_PASS_DEF_PLANSTATEPASS
#include "dialects/kern/Transforms/Passes.h.inc"

namespace {

/// Rank of a state in the layout. Fixed sizes come first, so that their offsets
/// do not depend on the context; entries whose bytes per block are no multiple
/// of 64 come last, so that they unalign nothing.
int getRank(StateType Type) {
  switch (Type.getKind()) {
  case StateKind::Window:
    return 0;
  case StateKind::Carry:
    return 1;
  case StateKind::IndexEntries:
    return 2;
  case StateKind::Entries:
    return Type.getBytes().perBlock % PlanAlignment ? 4 : 3;
  }
  llvm_unreachable("all kinds are handled");
}

constexpr int LastRank = 4;

struct PlanStatePass : impl::PlanStatePassBase<PlanStatePass> {
  using Base::Base;

  void runOnOperation() override {
    ProgramOp Program = getOperation();
    SmallVector<StateOp> States;
    for (int Rank = 0; Rank <= LastRank; ++Rank)
      for (StateOp State : Program.getOps<StateOp>())
        if (getRank(State.getHandle().getType()) == Rank)
          States.push_back(State);
    Affine End;
    Affine Classes[4];
    for (StateOp State : States) {
      StateType Type = State.getHandle().getType();
      if (failed(place(State, Type, End)))
        return signalPassFailure();
      Affine &Class = Classes[int(Type.getKind())];
      Class = Class + Type.getBytes();
      ++numStates;
    }
    annotate(Program, Classes, End);
  }

  /// Puts a state at the end of what is placed.
  LogicalResult place(StateOp State, StateType Type, Affine &End) {
    Affine Bytes = Type.getBytes();
    int64_t Alignment = Type.getAlignment();
    if (Bytes.perBlock % Alignment)
      return State.emitOpError("expected bytes per block in multiples of ")
             << Alignment << ", got " << Bytes.perBlock;
    Affine Offset = End.alignedTo(Alignment);
    State.setOffsetAttr(AffineAttr::get(&getContext(), Offset));
    State.setBytesAttr(AffineAttr::get(&getContext(), Bytes));
    End = Offset + Bytes;
    return success();
  }

  void annotate(ProgramOp Program, ArrayRef<Affine> Classes, Affine End) {
    Builder B(&getContext());
    SmallVector<NamedAttribute> Named;
    for (int Kind = 0; Kind < 4; ++Kind)
      Named.push_back(
          B.getNamedAttr(stringifyStateKind(StateKind(Kind)),
                         AffineAttr::get(&getContext(), Classes[Kind])));
    Program.setStateClassesAttr(B.getDictionaryAttr(Named));
    Program.setStateBytesAttr(AffineAttr::get(&getContext(), End));
  }
};

} // namespace
} // namespace dsv4::kern
