// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the assembler says about each kernel (--ptxas-options=-v): the only
// place where the bytes of spills are written down; a cubin shows instructions
// alone. Unknown lines are passed over: the text is for people and grows.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_PTXASLOG_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_PTXASLOG_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dsv4::cuda {

/// One kernel, or one function that was not inlined.
struct PtxasResources {
  std::string name, arch;
  bool isKernel = false;
  uint32_t stackBytes = 0, spillStoreBytes = 0, spillLoadBytes = 0;
  uint32_t registers = 0, barriers = 0, sharedBytes = 0;
};

std::vector<PtxasResources> parsePtxasLog(llvm::StringRef log);

/// Lines by which the assembler says that it did not do as the source asks:
/// wgmma serialised, setmaxnreg ignored.
std::vector<std::string> performanceLosses(llvm::StringRef log);

/// The log without what differs from run to run (compile times).
std::string withoutTimes(llvm::StringRef log);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_PTXASLOG_H
