// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels compiled as the product does (same passes, same object file) and
// loaded into this process, to be measured or tested.

#ifndef DSV4_COMPILER_TUNE_LOADEDKERNELS_H
#define DSV4_COMPILER_TUNE_LOADEDKERNELS_H

#include "runtime/abi/program.h"
#include "targets/cpu/CpuCodegen.h"
#include "targets/cpu/KernelBuilder.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace llvm::orc {
class LLJIT;
}

namespace dsv4::tune {

class LoadedKernels {
public:
  /// Compiles what `emit` writes. Errors: kernels that do not verify, those of
  /// code generation.
  static llvm::Expected<LoadedKernels>
  compile(const TargetDesc &target,
          llvm::function_ref<void(cpu::KernelBuilder &)> emit,
          const Tuning &tuning = {}, const cpu::CodegenDumps &dumps = {});
  ~LoadedKernels();
  LoadedKernels(LoadedKernels &&other);

  /// The kernel of that name; valid while this lives.
  llvm::Expected<dsv4_kernel> find(llvm::StringRef name) const;

private:
  explicit LoadedKernels(std::unique_ptr<llvm::orc::LLJIT> jit);
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

} // namespace dsv4::tune

#endif // DSV4_COMPILER_TUNE_LOADEDKERNELS_H
