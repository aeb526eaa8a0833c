// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of the CPU target: one emitter per phase op, one file per family,
// and one function per distinct phase shape.

#ifndef DSV4_TARGETS_CPU_KERNELS_KERNELS_H
#define DSV4_TARGETS_CPU_KERNELS_KERNELS_H

#include "dialects/kern/IR/KernOps.h"
#include "targets/cpu/KernelBuilder.h"
#include "targets/cpu/Packing.h"

#include <string>

namespace dsv4::cpu {

/// Writes the kernel of a phase under `Name`. The op's operand list is the
/// kernel's operand table; everything else that it needs is in operand types,
/// attributes and the enclosing kern.program.
using KernelEmitter = void (*)(KernelBuilder &K, mlir::Operation *Phase,
                               llvm::StringRef Name);

/// The emitter of an op such as "kern.linear", or null.
KernelEmitter findEmitter(llvm::StringRef OpName);

/// What decides a kernel's code: op, operand types, attributes other than the
/// phase's name and plan, and the program's experts per token. Phases with
/// equal keys share a function.
std::string kernelKey(mlir::Operation *Phase);

/// How the format of a stored weight is packed in tiles.
TileFormat tileFormat(qfmt::Format Format);

void emitLinear(KernelBuilder &K, mlir::Operation *Phase, llvm::StringRef Name);
void emitExpertLinear(KernelBuilder &K, mlir::Operation *Phase,
                      llvm::StringRef Name);
void emitQuantize(KernelBuilder &K, mlir::Operation *Phase,
                  llvm::StringRef Name);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_KERNELS_H
