// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a module of kernels (arith, math, vector, scf, LLVM operations inside
// functions) to LLVM IR and on to an object file, all in this process. The same
// input gives the same bytes.

#ifndef DSV4_TARGETS_CPU_CPUCODEGEN_H
#define DSV4_TARGETS_CPU_CPUCODEGEN_H

#include "mlir/IR/BuiltinOps.h"
#include "targets/common/TargetDesc.h"

#include "llvm/IR/Module.h"

#include <map>
#include <memory>
#include <string>

namespace dsv4::cpu {

/// Registers what the kernel language and the translation to LLVM IR need.
void registerKernelDialects(mlir::MLIRContext &Context);

/// Where the stages are written to, one file each ("kernels.mlir",
/// "kernels.ll", "kernels.opt.ll", "kernels.s", "hot-loops.txt"); empty:
/// nowhere.
struct CodegenDumps {
  std::string folder;
  /// What functions are, by name, for the reader of hot-loops.txt.
  std::map<std::string, std::string> words = {};
};

/// Lowers `Kernels` in place to the LLVM dialect and translates it. Functions
/// get the target's attributes: flushed denormals, no contraction, 512 bit
/// vectors where the level has them.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateKernels(mlir::ModuleOp Kernels, const TargetDesc &Target,
                 llvm::LLVMContext &Context, const CodegenDumps &Dumps = {});

/// Gives an empty module the target's triple and data layout.
llvm::Error setTarget(llvm::Module &Module, const TargetDesc &Target);

/// Optimises `Module` and returns the bytes of a relocatable object file
/// (position independent).
llvm::Expected<std::string> emitObject(llvm::Module &Module,
                                       const TargetDesc &Target,
                                       const CodegenDumps &Dumps = {});

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_CPUCODEGEN_H
