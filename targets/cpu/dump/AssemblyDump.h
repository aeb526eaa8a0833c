// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Assembly of the kernels with LLVM's comments, and their hot loops.

#ifndef DSV4_TARGETS_CPU_DUMP_ASSEMBLYDUMP_H
#define DSV4_TARGETS_CPU_DUMP_ASSEMBLYDUMP_H

#include "targets/cpu/CpuCodegen.h"

#include "llvm/Target/TargetMachine.h"

namespace dsv4::cpu {

/// Writes kernels.s and hot-loops.txt of an optimised module, which stays as it
/// is. The instructions are those of the object that `Machine` makes of it.
llvm::Error dumpAssembly(const llvm::Module &Module,
                         llvm::TargetMachine &Machine,
                         const CodegenDumps &Dumps);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_DUMP_ASSEMBLYDUMP_H
