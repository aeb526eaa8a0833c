// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers and helpers of the program and its declarations.

#include "dialects/kern/IR/KernAsm.h"
#include "dialects/kern/IR/KernOps.h"

using namespace mlir;
using namespace dsv4::kern;

int64_t ProgramOp::getMaxRows(Per Per) {
  switch (Per) {
  case Per::Token:
    return getMaxStepTokens();
  case Per::Slot:
    return getMaxStepTokens() * getExpertsPerToken();
  case Per::Output:
    return getMaxOutputs();
  case Per::Program:
    return 1;
  }
  llvm_unreachable("all kinds are handled");
}

Affine ProgramOp::getBufferBytes(BufferType Type) {
  return (Type.getRowBytes() * getMaxRows(Type.getPer()))
      .alignedTo(PlanAlignment);
}

ReturnOp ProgramOp::getReturn() {
  Block &Body = getBody().front();
  return Body.empty() ? ReturnOp() : dyn_cast<ReturnOp>(Body.back());
}

LogicalResult ProgramOp::verify() {
  if (getMaxContext() <= 0 || getMaxContext() % ContextBlock)
    return emitOpError("C1: expected max_context to be a positive multiple of ")
           << ContextBlock << ", got " << getMaxContext();
  std::pair<StringRef, int64_t> Maxima[] = {
      {"max_sequences", getMaxSequences()},
      {"max_step_tokens", getMaxStepTokens()},
      {"max_outputs", getMaxOutputs()},
      {"experts_per_token", getExpertsPerToken()}};
  for (auto [Name, Value] : Maxima)
    if (Value <= 0)
      return emitOpError("C1: expected positive ") << Name << ", got " << Value;
  if (getMaxOutputs() > getMaxStepTokens())
    return emitOpError("C1: expected max_outputs <= max_step_tokens, got ")
           << getMaxOutputs() << " > " << getMaxStepTokens();
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  bool SawPhase = false;
  for (Operation &Op : getBody().front()) {
    bool IsPhase = isa<KernPhaseOpInterface>(Op);
    bool IsDeclaration = isa<BufferOp, WeightOp, StateOp>(Op);
    if (!IsPhase && !IsDeclaration && !isa<ReturnOp>(Op))
      return Op.emitOpError("C2: expected only kern declarations and phases "
                            "in a kern.program");
    if (IsDeclaration && SawPhase)
      return Op.emitOpError("C2: expected declarations before the phases");
    SawPhase |= IsPhase;
  }
  if (!getReturn())
    return emitOpError("C2: expected kern.return as the last op");
  return success();
}

LogicalResult BufferOp::verify() {
  if (getName().empty())
    return emitOpError("C1: expected a name");
  return success();
}

LogicalResult StateOp::verify() {
  if (getName().empty())
    return emitOpError("C1: expected a name");
  return success();
}

LogicalResult WeightOp::verify() {
  qfmt::WeightType Type = cast<qfmt::WeightType>(getHandle().getType());
  bool Scaled = Type.getFormat() == qfmt::Format::FP8 ||
                Type.getFormat() == qfmt::Format::FP4;
  if (Scaled && !getScale())
    return emitOpError("C1: expected a scale tensor for ") << Type;
  if (!Scaled && getScale())
    return emitOpError("C1: expected no scale tensor for ") << Type;
  bool Stack = Type.getShape().size() == 3;
  if (Stack != getTensor().contains("{e}"))
    return emitOpError("C2: expected {e} in the tensor name exactly for a "
                       "stack of experts, got ")
           << getTensor() << " of " << Type;
  return success();
}

LogicalResult ReturnOp::verify() {
  BufferType Type = cast<BufferType>(getLogits().getType());
  if (Type.getPer() != Per::Output || !Type.getElement().isF32())
    return emitOpError("C1: expected logits to be an output buffer of f32, "
                       "got ")
           << Type;
  return success();
}

#define GET_OP_CLASSES
#include "dialects/kern/IR/KernOps.cpp.inc"

#include "dialects/kern/IR/KernInterfaces.cpp.inc"
