// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --dump-kernels-to for a GPU: kernels.cu (every instantiation), kernels.cubin,
// kernels.txt (registers, shared memory and instructions of each), graphs.txt
// (launches in order) and graph-N.dot.

#ifndef DSV4_COMPILER_DRIVER_CUDADUMPS_H
#define DSV4_COMPILER_DRIVER_CUDADUMPS_H

#include "targets/cuda/CudaProgram.h"
#include "targets/cuda/toolchain/CubinReader.h"

#include "llvm/Support/Error.h"

namespace dsv4 {

llvm::Error dumpCuda(const cuda::CudaProgram &program, const cuda::Cubin &cubin,
                     llvm::StringRef cubinBytes, const std::string &folder);

} // namespace dsv4

#endif // DSV4_COMPILER_DRIVER_CUDADUMPS_H
