// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX to cubin in this process, through nvJitLink: what ptxas would do, for PTX
// that NVRTC or LLVM wrote. Needs neither a GPU nor a driver.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_JITLINKER_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_JITLINKER_H

#include "targets/cuda/CudaTarget.h"
#include "targets/cuda/toolchain/Libraries.h"
#include "targets/cuda/toolchain/PtxasLog.h"

#include <memory>

namespace dsv4::cuda {

struct LinkedCubin {
  std::string cubin;
  std::string log; // without times
  std::vector<PtxasResources> resources;
};

class JitLinker {
public:
  static llvm::Expected<JitLinker>
  load(const ToolchainSearch &search = ToolchainSearch::ofThisMachine());

  /// Assembles the PTX texts into one cubin. `name` is for messages; errors
  /// carry nvJitLink's log.
  llvm::Expected<LinkedCubin> link(llvm::StringRef name,
                                   const std::vector<std::string> &ptx,
                                   llvm::StringRef arch) const;

  std::string version() const;
  const std::string &path() const { return file; }

private:
  struct Api;
  static llvm::Expected<JitLinker> open(const LibraryPlace &place);

  std::shared_ptr<const Api> api;
  std::string file;
  unsigned versionMajor = 0, versionMinor = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_JITLINKER_H
