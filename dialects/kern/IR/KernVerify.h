// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks that the op verifiers share. Every message names the constraint of
// the op's description, what was expected and what was found.

#ifndef DSV4_DIALECTS_KERN_IR_KERNVERIFY_H
#define DSV4_DIALECTS_KERN_IR_KERNVERIFY_H

#include "dialects/kern/IR/KernOps.h"

namespace dsv4::kern {

/// What a buffer operand has to be. `Width` 0: anything that `Multiple`
/// divides.
struct BufferRule {
  Per per;
  Affine width;
  char element; // 'b' bf16, 'f' f32, 'i' i32
  int64_t multiple = 1;
};

/// Fails with "<Constraint>: expected <Name> to be a <per> buffer of <width>
/// <element>, got <type>".
mlir::LogicalResult checkBuffer(mlir::Operation *Op, llvm::StringRef Constraint,
                                llvm::StringRef Name, mlir::Value Value,
                                const BufferRule &Rule);

/// Fails unless the weight has this shape and format.
mlir::LogicalResult checkWeight(mlir::Operation *Op, llvm::StringRef Constraint,
                                llvm::StringRef Name, mlir::Value Value,
                                qfmt::Format Format,
                                llvm::ArrayRef<int64_t> Shape);

/// Fails unless both have the same type.
mlir::LogicalResult checkSameType(mlir::Operation *Op,
                                  llvm::StringRef Constraint,
                                  llvm::StringRef Name, mlir::Value Value,
                                  llvm::StringRef OtherName, mlir::Value Other);

/// Fails unless the state is of this kind.
mlir::LogicalResult checkState(mlir::Operation *Op, llvm::StringRef Constraint,
                               llvm::StringRef Name, mlir::Value Value,
                               StateKind Kind);

inline BufferType bufferOf(mlir::Value V) {
  return llvm::cast<BufferType>(V.getType());
}
inline qfmt::WeightType weightOf(mlir::Value V) {
  return llvm::cast<qfmt::WeightType>(V.getType());
}
inline StateType stateOf(mlir::Value V) {
  return llvm::cast<StateType>(V.getType());
}
/// Fixed width of a buffer in elements.
inline int64_t widthOf(mlir::Value V) { return bufferOf(V).getFixed(); }

} // namespace dsv4::kern

#endif // DSV4_DIALECTS_KERN_IR_KERNVERIFY_H
