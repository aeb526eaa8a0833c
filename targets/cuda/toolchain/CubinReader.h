// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a cubin says about each kernel: registers, stack, shared memory, the
// launch bounds, its parameters and its instructions. The file is hostile until
// read: every offset is checked against the bytes that are there, and nothing
// is allocated by a size that a field claims.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINREADER_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINREADER_H

#include "targets/cuda/toolchain/PtxasLog.h"
#include "targets/cuda/toolchain/Sass.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace dsv4::cuda {

/// One kernel, or a device function that was not inlined.
struct CubinFunction {
  std::string name;
  bool isKernel = false;
  uint32_t registers = 0;  // per thread; 0: the file does not say
  uint32_t frameBytes = 0; // stack frame of a thread: arrays and spills
  uint32_t stackBytes = 0; // with what it calls
  /// Only the assembler's log knows (addLog).
  std::optional<uint32_t> spillStoreBytes, spillLoadBytes;
  uint32_t sharedBytes = 0; // static, without what the system reserves
  uint32_t barriers = 0;    // named barriers in use
  /// Threads of a block: from __launch_bounds__ and from reqntid; 0: no limit
  /// given.
  std::array<uint32_t, 3> maxThreads = {}, requiredThreads = {};
  uint32_t parameterBytes = 0, parameterOffset = 0; // in constant bank 0
  uint32_t constantBytes = 0;                       // of constant bank 0
  /// Without the padding behind the last instruction.
  std::vector<SassInstruction> code;

  uint32_t maxBlockThreads() const {
    return maxThreads[0] * maxThreads[1] * maxThreads[2];
  }
};

struct Cubin {
  unsigned arch = 0; // 80, 89, 90, 100, 120
  std::vector<CubinFunction> functions;

  const CubinFunction *find(llvm::StringRef name) const;
};

/// Errors say what is wrong at which offset.
llvm::Expected<Cubin> readCubin(llvm::StringRef bytes);

/// Adds the bytes of spills to the functions that the log names.
void addLog(Cubin &cubin, llvm::ArrayRef<PtxasResources> resources);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINREADER_H
