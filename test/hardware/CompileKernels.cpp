// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// hardware-kernels IN.cu ARCH OUT.cubin: compiles what dsv4-hardware has listed
// as the compiler compiles a model's kernels, with the embedded device headers
// and the tests' own. Says what spills.

#include "targets/cuda/DeviceSources.h"

#include <cstdio>
#include <fstream>
#include <sstream>

using namespace dsv4::cuda;

static std::string readText(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file)
    fprintf(stderr, "hardware-kernels: cannot read %s\n", path.c_str());
  return text.str();
}

static int compile(const char *from, const char *arch, const char *to) {
  auto nvrtc = NvrtcCompiler::load();
  if (!nvrtc) {
    fprintf(stderr, "hardware-kernels: %s\n",
            llvm::toString(nvrtc.takeError()).c_str());
    return 1;
  }
  CompileRequest request;
  request.name = "hardware.cu";
  request.source = readText(from);
  request.arch = arch;
  addDeviceHeaders(request);
  for (const char *name :
       {"test/hardware/Probes.cuh", "test/hardware/TimingConfigs.cuh",
        "test/unit/cuda-attention/AttentionConfigs.cuh",
        "test/unit/cuda-linear/LinearConfigs.cuh",
        "test/unit/cuda/phases/RowConfigs.cuh"})
    request.headers[name] = readText(std::string(DSV4_SOURCE_DIR "/") + name);
  auto result = nvrtc->compile(request);
  if (!result) {
    fprintf(stderr, "hardware-kernels: %s\n",
            llvm::toString(result.takeError()).c_str());
    return 1;
  }
  for (const std::string &loss : result->losses)
    printf("loss: %s\n", loss.c_str());
  for (const PtxasResources &r : result->resources)
    if (r.spillStoreBytes || r.spillLoadBytes)
      printf("spills: %s\n", r.name.c_str());
  std::ofstream(to, std::ios::binary) << result->cubin;
  printf("%s: %zu bytes by NVRTC %s\n", to, result->cubin.size(),
         nvrtc->version().c_str());
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4)
    return compile(argv[1], argv[2], argv[3]);
  fprintf(stderr, "usage: hardware-kernels IN.cu ARCH OUT.cubin\n");
  return 2;
}
