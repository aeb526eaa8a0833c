// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the kernels of a whole kern program into one module, one function for
// all phases of the same shape.

#ifndef DSV4_TARGETS_CPU_EMITKERNELS_H
#define DSV4_TARGETS_CPU_EMITKERNELS_H

#include "dialects/kern/IR/KernOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "targets/common/TargetDesc.h"
#include "targets/common/TuningProfile.h"

#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <vector>

namespace dsv4::cpu {

struct EmittedKernels {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Function of each phase, in program order.
  std::vector<std::string> functions;
  /// What each function is, in words.
  std::map<std::string, std::string> words;
};

/// `Program` may be planned or not; its context gets the dialects that kernels
/// use. An error names a phase for which there is no kernel.
llvm::Expected<EmittedKernels> emitKernels(kern::ProgramOp Program,
                                           const TargetDesc &Target,
                                           const Tuning &Tuning);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_EMITKERNELS_H
