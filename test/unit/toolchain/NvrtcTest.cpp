// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiling from memory: what comes out, what errors say, that bytes repeat.

#include "ToolchainTestSupport.h"

#include <gmock/gmock.h>

using namespace dsv4::cuda;
using testing::HasSubstr;

namespace {

const char *const addSource = R"(
#include "scale.h"
template <int N> __global__ void scale(float *x) {
  x[threadIdx.x] = x[threadIdx.x] * N + factor();
}
)";

CompileRequest scaleRequest() {
  CompileRequest request;
  request.source = addSource;
  request.headers["scale.h"] =
      "#pragma once\n__device__ inline float factor() { return 3.0f; }\n";
  request.arch = "sm_90a";
  request.wantPtx = true;
  request.nameExpressions = {"scale<4>", "scale<8>"};
  return request;
}

TEST(Nvrtc, CompilesForEveryTarget) {
  DSV4_NEEDS_NVRTC();
  for (const CudaTarget &target : cudaTargets()) {
    CompileRequest request = scaleRequest();
    request.arch = target.name;
    auto result = nvrtc.compile(request);
    ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
    EXPECT_THAT(result->ptx, HasSubstr(".target " + request.arch));
    auto cubin = readCubin(result->cubin);
    ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
    EXPECT_EQ(cubin->arch, unsigned(target.major * 10 + target.minor));
    ASSERT_EQ(cubin->functions.size(), 2u);
    for (const std::string &name : request.nameExpressions)
      EXPECT_NE(cubin->find(result->symbols[name]), nullptr) << name;
  }
}

TEST(Nvrtc, BytesRepeat) {
  DSV4_NEEDS_NVRTC();
  for (const CudaTarget &target : cudaTargets()) {
    SCOPED_TRACE(target.name);
    CompileRequest request = scaleRequest();
    request.arch = target.name;
    auto first = nvrtc.compile(request), second = nvrtc.compile(request);
    ASSERT_TRUE(bool(first) && bool(second));
    EXPECT_TRUE(first->cubin == second->cubin);
    EXPECT_EQ(first->ptx, second->ptx);
    EXPECT_EQ(first->log, second->log);
  }
}

TEST(Nvrtc, ArithmeticIsTheProjects) {
  DSV4_NEEDS_NVRTC();
  CompileRequest request;
  request.source = "__global__ void f(float *x) { x[0] = x[1] * x[2] + x[3]; }";
  request.arch = "sm_90a";
  request.wantPtx = true;
  auto result = nvrtc.compile(request);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_THAT(result->ptx, HasSubstr("mul.rn.ftz.f32"));
  EXPECT_THAT(result->ptx, testing::Not(HasSubstr("fma.rn")));
  request.contract = true;
  request.flushDenormals = false;
  result = nvrtc.compile(request);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_THAT(result->ptx, HasSubstr("fma.rn.f32"));
}

TEST(Nvrtc, ErrorsCarryTheLog) {
  DSV4_NEEDS_NVRTC();
  CompileRequest request = scaleRequest();
  request.name = "broken.cu";
  request.source = "__global__ void f() { undeclared(); }";
  request.nameExpressions.clear();
  auto result = nvrtc.compile(request);
  ASSERT_FALSE(bool(result));
  std::string why = llvm::toString(result.takeError());
  EXPECT_THAT(why, HasSubstr("cannot compile 'broken.cu' for sm_90a"));
  EXPECT_THAT(why, HasSubstr("\"undeclared\" is undefined"));

  request.source = "#include \"absent.h\"\n";
  result = nvrtc.compile(request);
  ASSERT_FALSE(bool(result));
  EXPECT_THAT(llvm::toString(result.takeError()), HasSubstr("absent.h"));

  request.arch = "sm_75";
  result = nvrtc.compile(request);
  ASSERT_FALSE(bool(result));
  EXPECT_THAT(llvm::toString(result.takeError()),
              HasSubstr("unknown GPU architecture 'sm_75': expected one of "
                        "sm_80, sm_89, sm_90a, sm_100a, sm_120a"));
}

// Without bounds on blocks the assembler does not know how many registers a
// kernel begins with.
TEST(Nvrtc, WhatTheAssemblerIgnoresIsReported) {
  DSV4_NEEDS_NVRTC();
  CompileRequest request;
  request.source =
      "__global__ void f(float *x) { asm volatile(\"setmaxnreg.inc."
      "sync.aligned.u32 232;\"); x[0] = 1; }";
  request.arch = "sm_90a";
  auto result = nvrtc.compile(request);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  ASSERT_EQ(result->losses.size(), 1u) << result->log;
  EXPECT_THAT(result->losses[0], HasSubstr("'setmaxnreg' ignored"));
  request.source = "__global__ void f(float *x) { x[0] = 1; }";
  result = nvrtc.compile(request);
  ASSERT_TRUE(bool(result));
  EXPECT_TRUE(result->losses.empty());
}

TEST(PtxasLog, NumbersOfEachKernel) {
  const char *log = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'spill' for 'sm_90a'
ptxas info    : Function properties for spill
    256 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 31 registers, used 0 barriers, 256 bytes cumulative stack size
ptxas info    : Compile time = 21.508 ms
ptxas info    : Function properties for helper
ptxas         .     8 bytes stack frame, 4 bytes spill stores, 0 bytes spill loads
ptxas info    : Compiling entry function 'axpy' for 'sm_90a'
ptxas info    : Function properties for axpy
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 16 registers, used 1 barriers, 1024 bytes smem
)";
  std::vector<PtxasResources> all = parsePtxasLog(log);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "spill");
  EXPECT_EQ(all[0].arch, "sm_90a");
  EXPECT_TRUE(all[0].isKernel);
  EXPECT_EQ(all[0].stackBytes, 256u);
  EXPECT_EQ(all[0].spillStoreBytes, 12u);
  EXPECT_EQ(all[0].spillLoadBytes, 16u);
  EXPECT_EQ(all[0].registers, 31u);
  EXPECT_EQ(all[1].name, "helper");
  EXPECT_FALSE(all[1].isKernel);
  EXPECT_EQ(all[1].stackBytes, 8u);
  EXPECT_EQ(all[1].spillStoreBytes, 4u);
  EXPECT_EQ(all[2].barriers, 1u);
  EXPECT_EQ(all[2].sharedBytes, 1024u);
  EXPECT_THAT(withoutTimes(log), testing::Not(HasSubstr("Compile time")));
}

} // namespace
