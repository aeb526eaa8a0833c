// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every kernel that the tests launch, noted while they run under emulation, as
// source for NVRTC: one DSV4_ENTRY each, as in a compiled model.

#ifndef DSV4_TEST_HARDWARE_KERNELS_H
#define DSV4_TEST_HARDWARE_KERNELS_H

#include "test/hardware/Phase.h"

#include <map>

namespace dsv4::cuda::test {

class KernelList {
public:
  void note(const Phase &phase, u32 threads);
  std::string source() const;
  size_t size() const { return kernels.size(); }

private:
  struct Kernel {
    std::string body, params;
    u32 threads = 0; // the most of all launches
  };
  std::map<std::string, Kernel> kernels; // by symbol
};

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_HARDWARE_KERNELS_H
