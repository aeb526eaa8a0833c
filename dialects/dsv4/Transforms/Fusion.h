// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the fusion passes share: producers with a single use, and trace names
// and locations that survive on fused ops.

#ifndef DSV4_DIALECTS_DSV4_TRANSFORMS_FUSION_H
#define DSV4_DIALECTS_DSV4_TRANSFORMS_FUSION_H

#include "dialects/dsv4/IR/Dsv4.h"

namespace dsv4::graph {

/// The op that makes V, if it is an OpT and V has no other use.
template <class OpT> OpT soleProducer(mlir::Value V) {
  return V && V.hasOneUse() ? V.getDefiningOp<OpT>() : OpT();
}

/// The only user of V, if it is an OpT.
template <class OpT> OpT soleUser(mlir::Value V) {
  return V.hasOneUse() ? llvm::dyn_cast<OpT>(*V.getUsers().begin()) : OpT();
}

/// Trace name of a value, or "".
llvm::StringRef traceName(mlir::Value V);

/// Gives results the names of the values that they replace; a null value has
/// none. Sets nothing if there is no name at all.
void takeTraceNames(mlir::Operation *Op, llvm::ArrayRef<mlir::Value> Replaced);

/// Where a fused op comes from: the locations of all its parts, so that a
/// message about it names each of them.
mlir::Location fuseLocations(llvm::ArrayRef<mlir::Operation *> Parts);

} // namespace dsv4::graph

#endif // DSV4_DIALECTS_DSV4_TRANSFORMS_FUSION_H
