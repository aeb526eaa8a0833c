// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an instruction of a kernel does, in the terms of its budget
// (docs/kernels.md), and what it reads and writes. From LLVM's own tables and
// memory operands; what vector instructions do is a table of their names.

#ifndef DSV4_TARGETS_CPU_DUMP_INSTRUCTIONCLASS_H
#define DSV4_TARGETS_CPU_DUMP_INSTRUCTIONCLASS_H

#include "targets/cpu/dump/MemoryRole.h"

#include <vector>

namespace llvm {
class MachineInstr;
}

namespace dsv4::cpu {

enum class InstructionClass {
  WeightsLoad,
  ScalesLoad,
  InputLoad,
  ConstantLoad,
  Load, // of anything else
  Broadcast,
  Prefetch,
  Permute,   // moves data between lanes; also looks up tables
  ShiftMask, // shifts and bit operations
  MultiplyAdd,
  Arithmetic, // every other computation on vectors
  Compare,    // and selections, and mask registers
  Move,
  Store,
  Spill, // to or from a slot of the stack
  Scalar,
  Branch,
  Call,
  Other, // a vector instruction that the table lacks
};
inline constexpr int NumInstructionClasses = int(InstructionClass::Other) + 1;

llvm::StringRef className(InstructionClass Class);

/// What LLVM's name of an instruction on vectors says (InstructionNames.cpp).
InstructionClass classByName(llvm::StringRef Name, bool IsX86);

/// One access of an instruction, or an operand of it that lies in memory.
struct MemoryAccess {
  llvm::SmallVector<MemoryRole, 1> roles;
  int64_t bytes = 0;
  bool isStore = false, isSpill = false, isConstant = false;
};

std::vector<MemoryAccess> accessesOf(const llvm::MachineInstr &MI);

InstructionClass classify(const llvm::MachineInstr &MI,
                          llvm::ArrayRef<MemoryAccess> Accesses);

/// Single multiply-adds that an instruction of that class computes.
int64_t multiplyAddsOf(const llvm::MachineInstr &MI);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_DUMP_INSTRUCTIONCLASS_H
