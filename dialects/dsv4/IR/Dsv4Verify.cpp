// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Dsv4Verify.h.

#include "dialects/dsv4/IR/Dsv4Verify.h"

using namespace mlir;

namespace dsv4::graph {

int64_t valuesPerToken(Value V) {
  int64_t Values = 1;
  for (int64_t Dim :
       cast<RankedTensorType>(V.getType()).getShape().drop_front())
    Values *= Dim;
  return Values;
}

static void printShape(InFlightDiagnostic &Out, ArrayRef<int64_t> Dims) {
  Out << "[T";
  for (int64_t Dim : Dims)
    if (ShapedType::isDynamic(Dim))
      Out << ", ?";
    else
      Out << ", " << Dim;
  Out << "]";
}

LogicalResult checkTensor(Operation *Op, StringRef Constraint, StringRef Name,
                          Value V, ArrayRef<int64_t> Dims) {
  auto Type = cast<RankedTensorType>(V.getType());
  if (Type.getRank() > 0 && Type.isDynamicDim(0) &&
      Type.getShape().drop_front() == Dims)
    return success();
  InFlightDiagnostic Error = Op->emitOpError();
  Error << Constraint << ": expected " << Name << " ";
  printShape(Error, Dims);
  return Error << ", got " << Type;
}

LogicalResult checkWeight(Operation *Op, StringRef Constraint, StringRef Name,
                          Value V, ArrayRef<int64_t> Shape,
                          ArrayRef<qfmt::Format> Formats) {
  qfmt::WeightType Type = weightOf(V);
  if (Type.getShape() == Shape && llvm::is_contained(Formats, Type.getFormat()))
    return success();
  InFlightDiagnostic Error = Op->emitOpError();
  Error << Constraint << ": expected " << Name << " ";
  llvm::interleave(
      Formats, [&](qfmt::Format F) { Error << qfmt::stringifyFormat(F); },
      [&] { Error << " or "; });
  Error << " [";
  llvm::interleave(
      Shape, [&](int64_t Dim) { Error << Dim; }, [&] { Error << ", "; });
  return Error << "], got " << Type;
}

LogicalResult checkState(Operation *Op, StringRef Constraint, Value V,
                         StateKind Kind, int64_t Width) {
  StateType Type = stateOf(V);
  if (Type.getKind() == Kind && Type.getWidth() == Width)
    return success();
  return Op->emitOpError() << Constraint << ": expected a "
                           << stringifyStateKind(Kind) << " state of width "
                           << Width << ", got " << Type;
}

LogicalResult checkSame(Operation *Op, StringRef Constraint, Value Result,
                        Value Like, StringRef Name) {
  if (Result.getType() == Like.getType())
    return success();
  return Op->emitOpError() << Constraint
                           << ": expected the result to have the type of "
                           << Name << ", " << Like.getType() << ", got "
                           << Result.getType();
}

} // namespace dsv4::graph
