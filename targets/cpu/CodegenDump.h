// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes one stage of code generation to a file, where that is wanted.

#ifndef DSV4_TARGETS_CPU_CODEGENDUMP_H
#define DSV4_TARGETS_CPU_CODEGENDUMP_H

#include "targets/cpu/CpuCodegen.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace dsv4::cpu {

/// Does nothing where `Dumps` names no folder. Errors name the file.
llvm::Error dump(const CodegenDumps &Dumps, llvm::StringRef Name,
                 llvm::function_ref<void(llvm::raw_ostream &)> Write);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_CODEGENDUMP_H
