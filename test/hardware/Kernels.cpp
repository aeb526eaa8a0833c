// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Kernels.h.

#include "test/hardware/Kernels.h"

#include <algorithm>

namespace dsv4::cuda::test {

void KernelList::note(const Phase &phase, u32 threads) {
  Kernel &kernel = kernels[phase.symbol()];
  kernel.body = phase.body;
  kernel.params = phase.params;
  kernel.threads = std::max(kernel.threads, threads);
}

std::string KernelList::source() const {
  std::string text =
      R"(// Made by dsv4-hardware list; see docs/cuda-hardware-tests.md.
#include "targets/cuda/device/entry.h"
#include "test/hardware/Probes.cuh"
#include "test/hardware/TimingConfigs.cuh"
#include "test/unit/cuda-attention/AttentionConfigs.cuh"
#include "test/unit/cuda-linear/LinearConfigs.cuh"
#include "test/unit/cuda/phases/RowConfigs.cuh"

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

)";
  for (const auto &[symbol, kernel] : kernels) {
    text += "namespace dsv4::cuda { using P" + symbol + " = " + kernel.params +
            "; }\n";
    text += "DSV4_ENTRY(" + symbol + ", P" + symbol + ", " +
            std::to_string(kernel.threads) + ", " + kernel.body + ")\n";
  }
  return text;
}

} // namespace dsv4::cuda::test
