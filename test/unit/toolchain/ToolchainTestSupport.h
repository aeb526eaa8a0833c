// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One NVRTC for all tests of this program, and kernels compiled by it. Where
// this machine has none, tests that need it are skipped by name.

#ifndef DSV4_TEST_UNIT_TOOLCHAIN_TOOLCHAINTESTSUPPORT_H
#define DSV4_TEST_UNIT_TOOLCHAIN_TOOLCHAINTESTSUPPORT_H

#include "targets/cuda/toolchain/CubinReader.h"
#include "targets/cuda/toolchain/NvrtcCompiler.h"

#include <gtest/gtest.h>

namespace dsv4::cuda {

/// Kernel "spill": 96 live values, which do not fit 32 registers.
extern const char *const spillSource;

/// Null without NVRTC; then `why` says so.
const NvrtcCompiler *testNvrtc(std::string &why);

/// Compiles and reads, with the log added; a failure is the test's failure.
Cubin compileForTest(const NvrtcCompiler &nvrtc, const std::string &source,
                     const std::string &arch,
                     std::vector<std::string> options = {});

/// The mix of a cubin's first kernel.
SassMix mixOfOnly(const Cubin &cubin);

} // namespace dsv4::cuda

/// Defines `nvrtc` or skips the test.
#define DSV4_NEEDS_NVRTC()                                                     \
  std::string nvrtcMissing;                                                    \
  const dsv4::cuda::NvrtcCompiler *nvrtcFound =                                \
      dsv4::cuda::testNvrtc(nvrtcMissing);                                     \
  if (!nvrtcFound)                                                             \
    GTEST_SKIP() << nvrtcMissing;                                              \
  const dsv4::cuda::NvrtcCompiler &nvrtc = *nvrtcFound

#endif // DSV4_TEST_UNIT_TOOLCHAIN_TOOLCHAINTESTSUPPORT_H
