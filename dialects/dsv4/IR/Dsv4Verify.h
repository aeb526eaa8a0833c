// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the verifiers of dsv4 ops share: comparing a tensor or weight with the
// shape that the op's constraints demand, and saying so.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4VERIFY_H
#define DSV4_DIALECTS_DSV4_IR_DSV4VERIFY_H

#include "dialects/dsv4/IR/Dsv4.h"

namespace dsv4::graph {

/// Elements behind the token axis, or 0 where the tensor is not [T, ...].
inline int64_t dim(mlir::Value V, unsigned I) {
  auto Type = llvm::cast<mlir::RankedTensorType>(V.getType());
  return I < Type.getRank() ? Type.getDimSize(I) : 0;
}
inline int64_t rank(mlir::Value V) {
  return llvm::cast<mlir::RankedTensorType>(V.getType()).getRank();
}
inline int64_t lastDim(mlir::Value V) { return dim(V, rank(V) - 1); }
/// Product of the axes behind the first.
int64_t valuesPerToken(mlir::Value V);

/// A tensor [T, Dims...] with a dynamic first axis.
mlir::LogicalResult checkTensor(mlir::Operation *Op, llvm::StringRef Constraint,
                                llvm::StringRef Name, mlir::Value V,
                                llvm::ArrayRef<int64_t> Dims);
/// A weight of exactly this shape and one of these formats.
mlir::LogicalResult checkWeight(mlir::Operation *Op, llvm::StringRef Constraint,
                                llvm::StringRef Name, mlir::Value V,
                                llvm::ArrayRef<int64_t> Shape,
                                llvm::ArrayRef<qfmt::Format> Formats);
/// A state of this kind and width.
mlir::LogicalResult checkState(mlir::Operation *Op, llvm::StringRef Constraint,
                               mlir::Value V, StateKind Kind, int64_t Width);
/// The result has the type of an operand.
mlir::LogicalResult checkSame(mlir::Operation *Op, llvm::StringRef Constraint,
                              mlir::Value Result, mlir::Value Like,
                              llvm::StringRef Name);

inline StateType stateOf(mlir::Value V) {
  return llvm::cast<StateType>(V.getType());
}
inline qfmt::WeightType weightOf(mlir::Value V) {
  return llvm::cast<qfmt::WeightType>(V.getType());
}

} // namespace dsv4::graph

#endif // DSV4_DIALECTS_DSV4_IR_DSV4VERIFY_H
