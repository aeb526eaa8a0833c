// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels as the lowering instantiates them, compiled by NVRTC: Flash for
// every architecture, the golden models for one. The compiler's own gates hold,
// and the sizes that the host counted are the bodies'. Skipped by name without
// NVRTC. Not run on hardware.

#include "test/unit/cuda-lower-phases/LoweredModels.h"

#include "targets/cuda/DeviceSources.h"
#include "targets/cuda/toolchain/CubinGates.h"

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

struct Case {
  const char *model, *target;
};

void PrintTo(const Case &c, std::ostream *out) {
  *out << c.model << " for " << c.target;
}

const Case cases[] = {{"flash", "sm_80"},   {"flash", "sm_89"},
                      {"flash", "sm_90a"},  {"flash", "sm_100a"},
                      {"flash", "sm_120a"}, {"mini", "sm_90a"},
                      {"odd", "sm_90a"},    {"yarn", "sm_90a"}};

class CudaLowerCubins : public testing::TestWithParam<Case> {};

TEST_P(CudaLowerCubins, CompileWithinTheTarget) {
  auto nvrtc = NvrtcCompiler::load();
  if (!nvrtc)
    GTEST_SKIP() << llvm::toString(nvrtc.takeError());
  const CudaTarget *target = llvm::cantFail(findCudaTarget(GetParam().target));
  if (llvm::Error unsupported = nvrtc->supports(*target))
    GTEST_SKIP() << llvm::toString(std::move(unsupported));
  CudaProgram program = lowered(GetParam().model, target->name);
  llvm::erase_if(program.kernels, isOfProducts);
  ASSERT_GE(program.kernels.size(), 20u);
  CompileRequest request;
  request.source = program.source();
  request.arch = target->name;
  addDeviceHeaders(request);
  auto result = nvrtc->compile(request);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  auto cubin = readCubin(result->cubin);
  ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
  addLog(*cubin, result->resources);
  for (const KernelSpec &kernel : program.kernels) {
    const CubinFunction *function = cubin->find(kernel.symbol);
    ASSERT_NE(function, nullptr) << kernel.symbol;
    KernelLimits limits;
    limits.dynamicShared = uint32_t(kernel.sharedBytes);
    limits.threads = uint32_t(kernel.threads);
    for (const std::string &line : violations(*function, *target, limits))
      ADD_FAILURE() << kernel.symbol << ": " << line;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaLowerCubins, testing::ValuesIn(cases),
                         [](const auto &info) {
                           return std::string(info.param.model) + "_" +
                                  info.param.target;
                         });

} // namespace
