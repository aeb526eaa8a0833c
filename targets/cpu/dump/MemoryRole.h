// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a load or store of a kernel touches, from KernelBuilder to the machine
// instruction, for the dump of hot loops. It travels as an alias scope: LLVM
// keeps those through inlining, and when a load is folded into the instruction
// that uses it. No access is ever declared free of a scope, so the code is the
// same with them and without.

#ifndef DSV4_TARGETS_CPU_DUMP_MEMORYROLE_H
#define DSV4_TARGETS_CPU_DUMP_MEMORYROLE_H

#include "mlir/IR/Attributes.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace mlir {
class ArrayAttr;
}
namespace llvm {
class MachineMemOperand;
}

namespace dsv4::cpu {

/// Roles that the dump knows: a load of theirs is a class of its own.
inline constexpr llvm::StringLiteral WeightsRole = "weights";
inline constexpr llvm::StringLiteral ScalesRole = "scales";
inline constexpr llvm::StringLiteral InputRole = "input";
/// Weights that have been decoded already, in the panel.
inline constexpr llvm::StringLiteral PanelRole = "panel";

struct MemoryRole {
  std::string what;     // one of those above, other words, or nothing
  int64_t bits = 0;     // of an element; 0: elements are not counted
  std::string function; // for which the builder wrote the access
};

/// The alias scopes of an access with this role.
mlir::ArrayAttr scopesOf(mlir::MLIRContext *Context, const MemoryRole &Role);

/// The roles that a machine instruction's access was made from: one, or more
/// where LLVM has joined accesses; none where it lost them.
llvm::SmallVector<MemoryRole, 1> rolesOf(const llvm::MachineMemOperand &Access);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_DUMP_MEMORYROLE_H
