// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA half of a program as constants: dsv4_cuda_program of
// runtime/abi/cuda_program.h.

#ifndef DSV4_COMPILER_LINK_CUDAPROGRAMEMITTER_H
#define DSV4_COMPILER_LINK_CUDAPROGRAMEMITTER_H

#include "targets/cuda/CudaProgram.h"

#include "llvm/IR/Constant.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <map>

namespace dsv4 {

/// Code for one architecture, or PTX for newer ones.
struct CudaImage {
  int32_t kind = 0; // enum dsv4_cuda_image_kind
  int32_t arch = 0; // 90
  bool isSpecific = false;
  int32_t requiredDriver = 0; // 13000
  std::string code;           // PTX without its zero byte
};

/// What a cubin says of a kernel.
struct KernelCost {
  int32_t registers = 0, localBytes = 0;
};

struct CudaHalf {
  cuda::CudaProgram program;
  std::vector<CudaImage> images;
  std::map<std::string, KernelCost> costs; // by symbol
  int64_t driverBytes = 0; // to leave free for code, graphs and local memory
};

/// A pointer to the table. Errors: a kernel without a cost, a struct of another
/// size than the ABI's.
llvm::Expected<llvm::Constant *> emitCudaHalf(llvm::Module &module,
                                              const CudaHalf &half);

} // namespace dsv4

#endif // DSV4_COMPILER_LINK_CUDAPROGRAMEMITTER_H
