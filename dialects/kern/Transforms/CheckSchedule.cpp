// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern-check-schedule: proves that a planned program reads what was written
// and that nothing live is overwritten. Independent of how the plan was made.

#include "dialects/kern/Transforms/Passes.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace dsv4::kern {

#define GEN_PASS_DEF_CHECKSCHEDULEPASS
#include "dialects/kern/Transforms/Passes.h.inc"

namespace {

struct CheckSchedulePass : impl::CheckSchedulePassBase<CheckSchedulePass> {
  using Base::Base;

  void runOnOperation() override {
    ProgramOp Program = getOperation();
    if (failed(checkPhases(Program)) || failed(checkBuffers(Program)) ||
        failed(checkStates(Program)) || failed(checkWeights(Program)))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }

  /// Numbers ascend by one; reads follow writes; no phase writes an operand
  /// that it also has elsewhere.
  LogicalResult checkPhases(ProgramOp Program) {
    DenseSet<Value> Written;
    int64_t Number = 0;
    for (auto Phase : Program.getOps<KernPhaseOpInterface>()) {
      auto Schedule = Phase->getAttrOfType<ScheduleAttr>("schedule");
      if (!Schedule || Schedule.getPhase() != Number)
        return Phase.emitOpError("expected phase number ") << Number;
      if (failed(checkOperands(Phase, Written)))
        return failure();
      ++Number;
      ++numChecked;
    }
    if (!Written.contains(Program.getReturn().getLogits()))
      return Program.getReturn().emitOpError("no phase writes the logits");
    return success();
  }

  LogicalResult checkOperands(KernPhaseOpInterface Phase,
                              DenseSet<Value> &Written) {
    for (unsigned I : Phase.getReadOperands()) {
      Value Operand = Phase->getOperand(I);
      if (isa<BufferType>(Operand.getType()) && !Written.contains(Operand))
        return Phase.emitOpError("reads buffer ")
               << cast<BufferOp>(Operand.getDefiningOp()).getNameAttr()
               << " before any phase wrote it";
    }
    for (unsigned I : Phase.getWrittenOperands()) {
      Value Operand = Phase->getOperand(I);
      if (llvm::count(Phase->getOperands(), Operand) > 1)
        return Phase.emitOpError("operand ")
               << I << " is written and also given as another operand";
      Written.insert(Operand);
    }
    return success();
  }

  /// Buffers lie in the arena, cover their uses, and live ones are disjoint.
  LogicalResult checkBuffers(ProgramOp Program) {
    int64_t Max = Program.getMaxBlocks();
    std::optional<AffineAttr> Arena = Program.getBufferBytes();
    if (!Arena)
      return Program.emitOpError("expected buffer_bytes: plan buffers first");
    SmallVector<BufferOp> Seen;
    for (BufferOp Buffer : Program.getOps<BufferOp>()) {
      if (!Buffer.getOffset() || !Buffer.getBytes() || !Buffer.getLifetime())
        return Buffer.emitOpError("is not planned");
      if (failed(checkLifetime(Program, Buffer)))
        return failure();
      Affine End = getEnd(Buffer);
      if (!leEverywhere(End, Arena->getValue(), 1, Max))
        return Buffer.emitOpError("ends outside the arena");
      for (BufferOp Other : Seen)
        if (meet(Buffer, Other) && overlap(Buffer, Other, Max))
          return Buffer.emitOpError("overlaps ")
                 << Other.getNameAttr() << ", which is live too";
      Seen.push_back(Buffer);
    }
    return success();
  }

  LogicalResult checkLifetime(ProgramOp Program, BufferOp Buffer) {
    ArrayRef<int64_t> Life = *Buffer.getLifetime();
    for (Operation *User : Buffer->getUsers()) {
      int64_t At = Program.getNumPhases().value_or(0);
      if (auto Schedule = User->getAttrOfType<ScheduleAttr>("schedule"))
        At = Schedule.getPhase();
      if (Life.size() != 2 || At < Life[0] || At > Life[1])
        return Buffer.emitOpError("is used in phase ")
               << At << ", outside its lifetime";
    }
    return success();
  }

  static Affine getEnd(BufferOp Buffer) {
    return Buffer.getOffset()->getValue() + Buffer.getBytes()->getValue();
  }

  static bool meet(BufferOp A, BufferOp B) {
    return (*A.getLifetime())[0] <= (*B.getLifetime())[1] &&
           (*B.getLifetime())[0] <= (*A.getLifetime())[1];
  }

  static bool overlap(BufferOp A, BufferOp B, int64_t Max) {
    return !leEverywhere(getEnd(A), B.getOffset()->getValue(), 1, Max) &&
           !leEverywhere(getEnd(B), A.getOffset()->getValue(), 1, Max);
  }

  /// Rows of this step are stored before they are read; a carry is read (the
  /// rows of earlier steps) before it is overwritten.
  LogicalResult checkStates(ProgramOp Program) {
    for (StateOp State : Program.getOps<StateOp>()) {
      if (!State.getOffset() || !State.getBytes())
        return State.emitOpError("is not planned");
      bool IsCarry = State.getHandle().getType().getKind() == StateKind::Carry;
      bool SawRead = false, SawWrite = false;
      for (auto Phase : Program.getOps<KernPhaseOpInterface>()) {
        bool Reads = touches(Phase, Phase.getReadOperands(), State);
        bool Writes = touches(Phase, Phase.getWrittenOperands(), State);
        if (Reads && (IsCarry ? SawWrite : !SawWrite))
          return Phase.emitOpError(IsCarry ? "reads carry " : "reads state ")
                 << State.getNameAttr()
                 << (IsCarry ? " after it was overwritten"
                             : " before this step's rows are stored");
        SawRead |= Reads;
        SawWrite |= Writes;
      }
      if (!SawRead || !SawWrite)
        return State.emitOpError("expected a phase that reads and one that "
                                 "writes it");
    }
    return checkStateBytes(Program);
  }

  static bool touches(KernPhaseOpInterface Phase, ArrayRef<unsigned> Operands,
                      StateOp State) {
    return llvm::any_of(Operands, [&](unsigned I) {
      return Phase->getOperand(I) == State.getHandle();
    });
  }

  /// States follow each other inside state_bytes.
  LogicalResult checkStateBytes(ProgramOp Program) {
    int64_t Max = Program.getMaxBlocks();
    std::optional<AffineAttr> All = Program.getStateBytes();
    SmallVector<StateOp> Seen;
    for (StateOp State : Program.getOps<StateOp>()) {
      Affine Begin = State.getOffset()->getValue();
      Affine End = Begin + State.getBytes()->getValue();
      if (!All || !leEverywhere(End, All->getValue(), 1, Max))
        return State.emitOpError("ends outside the sequence's state");
      for (StateOp Other : Seen) {
        Affine OtherBegin = Other.getOffset()->getValue();
        Affine OtherEnd = OtherBegin + Other.getBytes()->getValue();
        if (!leEverywhere(End, OtherBegin, 1, Max) &&
            !leEverywhere(OtherEnd, Begin, 1, Max))
          return State.emitOpError("overlaps ") << Other.getNameAttr();
      }
      Seen.push_back(State);
    }
    return success();
  }

  /// Packed weights ascend without overlap.
  LogicalResult checkWeights(ProgramOp Program) {
    int64_t End = 0;
    for (WeightOp Weight : Program.getOps<WeightOp>()) {
      if (!Weight.getPacking() || !Weight.getOffset() || !Weight.getBytes())
        return Weight.emitOpError("is not packed");
      if (int64_t(*Weight.getOffset()) < End)
        return Weight.emitOpError("overlaps the weight before it");
      End = *Weight.getOffset() + *Weight.getBytes();
    }
    if (int64_t(Program.getWeightBytes().value_or(0)) < End)
      return Program.emitOpError("expected weight_bytes of at least ") << End;
    return success();
  }
};

} // namespace
} // namespace dsv4::kern
