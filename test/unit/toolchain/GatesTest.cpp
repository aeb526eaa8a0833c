// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each limit is broken by a kernel that was written to break it alone.

#include "ToolchainTestSupport.h"
#include "targets/cuda/toolchain/CubinGates.h"

#include <gmock/gmock.h>

using namespace dsv4::cuda;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

// A turn of the loop reads one word and takes a known handful of ALU
// instructions; unrolled by four it is four words.
const char *const source = R"(
extern "C" __global__ void __launch_bounds__(128)
    good(const unsigned *x, unsigned *y, int n) {
  __shared__ unsigned s[1024];
  unsigned t = 0;
  #pragma unroll UNROLL
  for (int i = 0; i < n; ++i) {
    unsigned w = x[i * 128];
    t += __byte_perm(w, w >> 3, 0x5410) ^ (w * 7);
  }
  s[threadIdx.x] = t;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x ^ 1];
}
extern "C" __global__ void locals(const float *x, float *y, int n) {
  float b[64];
  for (int i = 0; i < 64; ++i)
    b[i] = x[i];
  for (int i = 0; i < n; ++i)
    b[(i * 7) & 63] += b[i & 63];
  y[0] = b[n & 63];
}
)";

class GatesTest : public testing::TestWithParam<const CudaTarget *> {
protected:
  const CudaTarget &target = *GetParam();
  Cubin compile(const NvrtcCompiler &nvrtc, int unroll,
                std::vector<std::string> more = {}) {
    more.push_back("--define-macro=UNROLL=" + std::to_string(unroll));
    return compileForTest(nvrtc, std::string(source) + spillSource, target.name,
                          more);
  }
  std::vector<std::string> judge(const Cubin &cubin, const char *name,
                                 const KernelLimits &limits) {
    const CubinFunction *function = cubin.find(name);
    EXPECT_NE(function, nullptr);
    return function ? violations(*function, target, limits)
                    : std::vector<std::string>{"absent"};
  }
};

TEST_P(GatesTest, AGoodKernelPasses) {
  DSV4_NEEDS_NVRTC();
  KernelLimits limits;
  limits.maxRegisters = 64;
  limits.threads = 128;
  limits.blocksPerSm = 2;
  limits.dynamicShared = 32 << 10;
  limits.mustHave = {"LDG", "STS", "LDS", "BAR", "PRMT"};
  limits.mustNotHave = {"HMMA", "LDL"};
  EXPECT_THAT(judge(compile(nvrtc, 4), "good", limits), IsEmpty());
}

TEST_P(GatesTest, RegistersAndThreads) {
  DSV4_NEEDS_NVRTC();
  Cubin cubin = compile(nvrtc, 4);
  KernelLimits limits;
  limits.maxRegisters = 4;
  EXPECT_THAT(judge(cubin, "good", limits),
              ElementsAre(HasSubstr("registers, expected at most 4")));
  limits.maxRegisters = 255;
  limits.threads = 128;
  limits.blocksPerSm = 200;
  EXPECT_THAT(judge(cubin, "good", limits),
              ElementsAre(HasSubstr("registers of an SM, which has 65536"),
                          HasSubstr("bytes of shared memory of an SM")));
  limits.blocksPerSm = 1;
  limits.threads = 256;
  EXPECT_THAT(judge(cubin, "good", limits),
              ElementsAre(HasSubstr("launch bounds allow 128")));
}

TEST_P(GatesTest, SharedMemory) {
  DSV4_NEEDS_NVRTC();
  Cubin cubin = compile(nvrtc, 4);
  KernelLimits limits;
  limits.dynamicShared = target.sharedPerBlock - 4096;
  EXPECT_THAT(judge(cubin, "good", limits), IsEmpty());
  limits.dynamicShared += 1;
  EXPECT_THAT(judge(cubin, "good", limits),
              ElementsAre(HasSubstr("bytes of shared memory (4096 static)")));
}

TEST_P(GatesTest, LocalMemoryAndSpills) {
  DSV4_NEEDS_NVRTC();
  Cubin cubin = compile(nvrtc, 4, {"--maxrregcount=32"});
  KernelLimits limits;
  EXPECT_THAT(judge(cubin, "locals", limits),
              ElementsAre(HasSubstr("loads and stores of local memory"),
                          HasSubstr("a stack frame of 256 bytes")));
  EXPECT_THAT(judge(cubin, "spill", limits),
              testing::Contains(HasSubstr("spills: ")));
  // Without a log the instructions still tell.
  for (CubinFunction &function : cubin.functions)
    function.spillStoreBytes = function.spillLoadBytes = std::nullopt;
  EXPECT_THAT(judge(cubin, "spill", limits),
              testing::Contains(HasSubstr("loads and stores of local memory")));
  limits.allowLocal = limits.allowSpills = true;
  EXPECT_THAT(judge(cubin, "locals", limits), IsEmpty());
  EXPECT_THAT(judge(cubin, "spill", limits), IsEmpty());
}

TEST_P(GatesTest, Instructions) {
  DSV4_NEEDS_NVRTC();
  Cubin cubin = compile(nvrtc, 4);
  KernelLimits limits;
  limits.mustHave = {"HMMA"};
  limits.mustNotHave = {"BAR"};
  EXPECT_THAT(judge(cubin, "good", limits),
              ElementsAre(HasSubstr("no HMMA, expected at least one"),
                          HasSubstr("1 BAR, expected none")));
  limits = {};
  limits.allowSpills = limits.allowLocal = true;
  cubin.functions[0].code.push_back({0x9ff, 0});
  EXPECT_THAT(judge(cubin, cubin.functions[0].name.c_str(), limits),
              ElementsAre(HasSubstr("unknown 0x9ff")));
}

TEST_P(GatesTest, HotLoop) {
  DSV4_NEEDS_NVRTC();
  for (int unroll : {1, 4}) {
    Cubin cubin = compile(nvrtc, unroll);
    const CubinFunction *good = cubin.find("good");
    ASSERT_NE(good, nullptr);
    KernelLimits limits;
    limits.hotLoop = LoopBudget{12.0, 1, "LDG"};
    EXPECT_THAT(judge(cubin, "good", limits), IsEmpty());
    limits.hotLoop->aluPerUnit = 3.0;
    EXPECT_THAT(judge(cubin, "good", limits),
                testing::Contains(HasSubstr("ALU instructions per unit, "
                                            "expected at most 3.00")));
    // A word is eight weights.
    limits.hotLoop->units = 8;
    EXPECT_THAT(judge(cubin, "good", limits), IsEmpty());
    limits.hotLoop->marker = "HMMA";
    EXPECT_THAT(judge(cubin, "good", limits),
                ElementsAre(HasSubstr("no hot loop with HMMA")));
    limits.hotLoop = LoopBudget{0.5, 1, ""};
    EXPECT_THAT(judge(cubin, "good", limits),
                ElementsAre(HasSubstr("ALU instructions per unit")));
  }
}

std::vector<const CudaTarget *> all() {
  std::vector<const CudaTarget *> out;
  for (const CudaTarget &target : cudaTargets())
    out.push_back(&target);
  return out;
}
INSTANTIATE_TEST_SUITE_P(Every, GatesTest, testing::ValuesIn(all()),
                         [](const auto &info) {
                           return std::string(info.param->name);
                         });

} // namespace
