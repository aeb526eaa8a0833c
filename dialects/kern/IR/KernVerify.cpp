// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared checks of the op verifiers.

#include "dialects/kern/IR/KernVerify.h"

using namespace mlir;

namespace dsv4::kern {

static bool hasElement(Type Element, char Want) {
  return Want == 'b'   ? Element.isBF16()
         : Want == 'f' ? Element.isF32()
                       : Element.isInteger(32);
}

static StringRef nameOfElement(char Element) {
  return Element == 'b' ? "bf16" : Element == 'f' ? "f32" : "i32";
}

LogicalResult checkBuffer(Operation *Op, StringRef Constraint, StringRef Name,
                          Value Value, const BufferRule &Rule) {
  BufferType Type = bufferOf(Value);
  bool AnyWidth = Rule.width == Affine{};
  bool WidthFits =
      AnyWidth ? Type.getPerBlock() == 0 && Type.getFixed() % Rule.multiple == 0
               : Type.getWidth() == Rule.width;
  if (Type.getPer() == Rule.per && WidthFits &&
      hasElement(Type.getElement(), Rule.element))
    return success();
  InFlightDiagnostic Diag = Op->emitOpError(Constraint)
                            << ": expected " << Name << " to be a "
                            << stringifyPer(Rule.per) << " buffer of ";
  if (AnyWidth && Rule.multiple > 1)
    Diag << "a multiple of " << Rule.multiple << " ";
  else if (!AnyWidth && Rule.width.perBlock)
    Diag << Rule.width.fixed << " + " << Rule.width.perBlock << " per_block ";
  else if (!AnyWidth)
    Diag << Rule.width.fixed << " ";
  return Diag << nameOfElement(Rule.element) << ", got " << Type;
}

LogicalResult checkWeight(Operation *Op, StringRef Constraint, StringRef Name,
                          Value Value, qfmt::Format Format,
                          ArrayRef<int64_t> Shape) {
  auto Want = qfmt::WeightType::get(Op->getContext(), Shape, Format);
  if (Value.getType() == Want)
    return success();
  return Op->emitOpError(Constraint) << ": expected " << Name << " to be "
                                     << Want << ", got " << Value.getType();
}

LogicalResult checkSameType(Operation *Op, StringRef Constraint, StringRef Name,
                            Value Value, StringRef OtherName,
                            mlir::Value Other) {
  if (Value.getType() == Other.getType())
    return success();
  return Op->emitOpError(Constraint)
         << ": expected " << Name << " to have the type of " << OtherName
         << ", " << Other.getType() << ", got " << Value.getType();
}

LogicalResult checkState(Operation *Op, StringRef Constraint, StringRef Name,
                         Value Value, StateKind Kind) {
  if (stateOf(Value).getKind() == Kind)
    return success();
  return Op->emitOpError(Constraint)
         << ": expected " << Name << " to be a " << stringifyStateKind(Kind)
         << " state, got " << Value.getType();
}

} // namespace dsv4::kern
