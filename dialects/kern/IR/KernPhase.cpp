// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Default answers of the phase interface: effects and cost from the operands.

#include "dialects/kern/IR/KernPhase.h"
#include "dialects/kern/IR/KernPacking.h"
#include "dialects/kern/IR/KernVerify.h"
#include "runtime/abi/program.h"

using namespace mlir;

namespace dsv4::kern {

static_assert(int(ItemsRule::One) == DSV4_ITEMS_ONE);
static_assert(int(ItemsRule::Tokens) == DSV4_ITEMS_TOKENS);
static_assert(int(ItemsRule::Outputs) == DSV4_ITEMS_OUTPUTS);
static_assert(int(ItemsRule::ActiveExperts) == DSV4_ITEMS_ACTIVE_EXPERTS);
static_assert(int(ItemsRule::Entries) == DSV4_ITEMS_ENTRIES);
static_assert(ContextBlock == DSV4_CONTEXT_BLOCK);

SmallVector<unsigned> operandsWithEffect(Operation *Op, bool Write) {
  SmallVector<MemoryEffects::EffectInstance> Effects;
  cast<MemoryEffectOpInterface>(Op).getEffects(Effects);
  SmallVector<unsigned> Numbers;
  for (const MemoryEffects::EffectInstance &Effect : Effects) {
    bool IsWrite = isa<MemoryEffects::Write>(Effect.getEffect());
    if (OpOperand *Operand = Effect.getEffectValue<OpOperand *>())
      if (IsWrite == Write)
        Numbers.push_back(Operand->getOperandNumber());
  }
  llvm::sort(Numbers);
  return Numbers;
}

static void addWeightCost(Operation *Op, unsigned Number, PhaseCost &Cost) {
  auto Phase = cast<KernPhaseOpInterface>(Op);
  auto Type = weightOf(Op->getOperand(Number));
  Layout Layout = Phase.getOperandLayout(Number);
  ArrayRef<int64_t> Shape = Type.getShape();
  if (isa<EmbedOp>(Op) || Type.getFormat() == qfmt::Format::I64) {
    // One row per token is gathered.
    Cost.bytesPerToken += getMatrixBytes(Type, Layout) / Shape[0];
    return;
  }
  int64_t Flops = 2;
  for (int64_t Dim : Shape.take_back(2))
    Flops *= Dim;
  if (Shape.size() == 3) {
    int64_t PerToken = Op->getParentOfType<ProgramOp>().getExpertsPerToken();
    Cost.bytesPerToken += PerToken * getMatrixBytes(Type, Layout);
    Cost.flopsPerToken += PerToken * Flops;
    return;
  }
  Cost.weightBytes += getPackedBytes(Type, Layout);
  if (Layout == Layout::Tile16)
    Cost.flopsPerToken += Flops;
}

PhaseCost estimateCost(Operation *Op) {
  PhaseCost Cost;
  auto Program = Op->getParentOfType<ProgramOp>();
  for (unsigned Number : operandsWithEffect(Op, /*Write=*/false)) {
    Value Operand = Op->getOperand(Number);
    if (auto Buffer = dyn_cast<BufferType>(Operand.getType())) {
      int64_t Rows =
          Buffer.getPer() == Per::Slot ? Program.getExpertsPerToken() : 1;
      Cost.bytesPerToken +=
          Rows * Buffer.getRowBytes().at(Program.getMaxBlocks());
    } else if (auto State = dyn_cast<StateType>(Operand.getType())) {
      Cost.bytesPerToken += State.getBytes().at(Program.getMaxBlocks());
    } else {
      addWeightCost(Op, Number, Cost);
    }
  }
  return Cost;
}

} // namespace dsv4::kern
