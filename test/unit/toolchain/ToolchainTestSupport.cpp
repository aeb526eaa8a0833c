// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ToolchainTestSupport.h"

namespace dsv4::cuda {

const char *const spillSource = R"(
extern "C" __global__ void spill(const float *x, float *y) {
  float b[96];
  #pragma unroll
  for (int i = 0; i < 96; ++i)
    b[i] = x[i * 32 + threadIdx.x];
  __syncthreads();
  float t = 0;
  #pragma unroll
  for (int i = 0; i < 96; ++i)
    t = t * b[95 - i] + b[i];
  y[threadIdx.x] = t;
}
)";

const NvrtcCompiler *testNvrtc(std::string &why) {
  static std::string reason;
  static const NvrtcCompiler *one = []() -> const NvrtcCompiler * {
    auto loaded = NvrtcCompiler::load();
    if (loaded)
      return new NvrtcCompiler(std::move(*loaded));
    reason = llvm::toString(loaded.takeError());
    return nullptr;
  }();
  why = reason;
  return one;
}

Cubin compileForTest(const NvrtcCompiler &nvrtc, const std::string &source,
                     const std::string &arch,
                     std::vector<std::string> options) {
  CompileRequest request;
  request.source = source;
  request.arch = arch;
  request.options = std::move(options);
  auto result = nvrtc.compile(request);
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    return {};
  }
  auto cubin = readCubin(result->cubin);
  if (!cubin) {
    ADD_FAILURE() << llvm::toString(cubin.takeError());
    return {};
  }
  addLog(*cubin, result->resources);
  return std::move(*cubin);
}

SassMix mixOfOnly(const Cubin &cubin) {
  for (const CubinFunction &function : cubin.functions)
    if (function.isKernel) // the toolkit may add functions that trap
      return mixOf(function.code, cubin.arch);
  ADD_FAILURE() << "no kernel";
  return {};
}

} // namespace dsv4::cuda
