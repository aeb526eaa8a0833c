// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plain values that the phase interface answers with, and its default
// implementations.

#ifndef DSV4_DIALECTS_KERN_IR_KERNPHASE_H
#define DSV4_DIALECTS_KERN_IR_KERNPHASE_H

#include "dialects/kern/IR/KernDialect.h"
#include "mlir/IR/Operation.h"

namespace dsv4::kern {

/// How many items a phase has; the fields of dsv4_phase in
/// runtime/abi/program.h: factor x the quantity named by the rule.
struct PhaseItems {
  ItemsRule rule = ItemsRule::One;
  int64_t factor = 1;
  /// Operand whose first i32 counts active experts (ActiveExperts).
  int64_t operand = 0;
  /// Tokens per entry and entries per item (Entries).
  int64_t ratio = 0;
  int64_t block = 0;
};

/// Estimated work of a phase: what is read once per step and per token row.
struct PhaseCost {
  int64_t weightBytes = 0;   // packed weights, read once per step
  int64_t bytesPerToken = 0; // buffers, state and expert weights, per row
  int64_t flopsPerToken = 0; // multiply-adds count two
};

/// Operand numbers with a read (or, if `Write`, a write) effect, ascending.
llvm::SmallVector<unsigned> operandsWithEffect(mlir::Operation *Op, bool Write);

/// Cost from operand types: weights and buffers once, two operations per weight
/// element and row; expert stacks count the share that one token uses.
PhaseCost estimateCost(mlir::Operation *Op);

} // namespace dsv4::kern

#endif // DSV4_DIALECTS_KERN_IR_KERNPHASE_H
