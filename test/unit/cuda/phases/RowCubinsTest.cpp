// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The row phases at the real model's dimensions, for every architecture: they
// compile out of the embedded sources, spill nothing, keep arrays in registers,
// fit an SM, and use no approximate instruction. Skipped by name without NVRTC.
// Not run on hardware.

#include "targets/cuda/DeviceSources.h"
#include "targets/cuda/toolchain/CubinGates.h"
#include "test/unit/cuda-sources/ReadSource.h"

#include <gtest/gtest.h>

using namespace dsv4::cuda;

namespace {

/// Shared bytes are those of the plans in the kernels' headers, in numbers: a
/// change of a plan is to be seen here.
struct Kernel {
  const char *name;
  uint32_t threads, sharedBytes, registers, blocksPerSm;
};
constexpr Kernel Kernels[] = {
    {"mix", 416, 3584, 96, 1},         {"headMix", 96, 2304, 96, 4},
    {"pre", 544, 16500, 96, 1},        {"head", 512, 16420, 80, 1},
    {"normed", 128, 4100, 64, 4},      {"routeByBias", 128, 0, 80, 4},
    {"routeByTable", 128, 0, 64, 4},   {"lists", 1024, 33792, 64, 1},
    {"swigluOfSlots", 256, 0, 48, 4},  {"sumOfExperts", 256, 0, 64, 4},
    {"embedding", 256, 0, 32, 4},      {"quantized", 256, 0, 48, 4},
    {"preEncoded", 544, 16500, 96, 1}, {"normedEncoded", 128, 4100, 64, 4},
    {"swigluEncoded", 256, 0, 64, 4},  {"quantizedEncoded", 256, 0, 64, 4},
    {"combinedMix", 416, 3584, 96, 1}, {"routeLists", 256, 9216, 96, 2},
    {"threeTasks", 128, 0, 128, 4},
};

class RowCubinsTest : public testing::TestWithParam<const char *> {};

TEST_P(RowCubinsTest, WithinTheLimits) {
  auto Nvrtc = NvrtcCompiler::load();
  if (!Nvrtc)
    GTEST_SKIP() << llvm::toString(Nvrtc.takeError());
  CompileRequest Request;
  Request.name = "RowKernels.cu";
  Request.source = readSource("test/unit/cuda/phases/RowKernels.cu");
  Request.arch = GetParam();
  Request.wantPtx = true;
  addDeviceHeaders(Request);
  auto Result = Nvrtc->compile(Request);
  ASSERT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
  EXPECT_EQ(Result->ptx.find(".approx"), std::string::npos);
  EXPECT_EQ(Result->ptx.find(".full"), std::string::npos);
  auto File = readCubin(Result->cubin);
  ASSERT_TRUE(bool(File)) << llvm::toString(File.takeError());
  addLog(*File, Result->resources);
  auto Target = findCudaTarget(GetParam());
  ASSERT_TRUE(bool(Target));
  for (const Kernel &K : Kernels) {
    const CubinFunction *Function = File->find(K.name);
    ASSERT_TRUE(Function) << K.name;
    EXPECT_EQ(Function->maxBlockThreads(), K.threads) << K.name;
    KernelLimits Limits;
    Limits.maxRegisters = K.registers;
    Limits.dynamicShared = K.sharedBytes;
    Limits.threads = K.threads;
    Limits.blocksPerSm = K.blocksPerSm;
    std::string Wrong;
    for (const std::string &Line : violations(*Function, **Target, Limits))
      Wrong += Line + "\n";
    EXPECT_EQ(Wrong, "");
    RecordProperty(std::string(K.name) + "_registers",
                   int(Function->registers));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowCubinsTest,
                         testing::Values("sm_80", "sm_89", "sm_90a", "sm_100a",
                                         "sm_120a"),
                         [](const auto &Info) {
                           return std::string(Info.param);
                         });

} // namespace
