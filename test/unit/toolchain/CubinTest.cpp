// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cubin reader against what the assembler says of the same kernels, and
// against files that are cut off or damaged.

#include "ToolchainTestSupport.h"

#include <gmock/gmock.h>

#include <random>

using namespace dsv4::cuda;
using testing::HasSubstr;

namespace {

const char *const knownSource = R"(
extern "C" __global__ void __launch_bounds__(128)
    shared(float a, const float *x, float *y, int n) {
  __shared__ float s[300];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  float t = 0;
  for (int k = 0; k < n; ++k)
    t += s[(threadIdx.x + k) & 255] * a;
  y[threadIdx.x] = t;
}
extern "C" __global__ void locals(const float *x, float *y, int n) {
  float b[64];
  for (int i = 0; i < 64; ++i)
    b[i] = x[i];
  for (int i = 0; i < n; ++i)
    b[(i * 7) & 63] += b[i & 63];
  y[0] = b[n & 63];
}
extern "C" __global__ void plain(float *y) { y[threadIdx.x] = 1; }
)";

TEST(Cubin, AgreesWithTheAssembler) {
  DSV4_NEEDS_NVRTC();
  for (const CudaTarget &target : cudaTargets()) {
    SCOPED_TRACE(target.name);
    CompileRequest request;
    request.source = knownSource;
    request.arch = target.name;
    auto result = nvrtc.compile(request);
    ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
    auto cubin = readCubin(result->cubin);
    ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
    ASSERT_EQ(cubin->functions.size(), 3u);
    ASSERT_EQ(result->resources.size(), 3u) << result->log;
    for (const PtxasResources &said : result->resources) {
      SCOPED_TRACE(said.name);
      const CubinFunction *found = cubin->find(said.name);
      ASSERT_NE(found, nullptr);
      EXPECT_TRUE(found->isKernel);
      EXPECT_EQ(found->registers, said.registers);
      EXPECT_EQ(found->frameBytes, said.stackBytes);
      EXPECT_EQ(found->sharedBytes, said.sharedBytes);
      EXPECT_EQ(found->barriers, said.barriers);
    }
    EXPECT_EQ(cubin->find("shared")->sharedBytes, 1200u);
    EXPECT_EQ(cubin->find("shared")->barriers, 1u);
    EXPECT_EQ(cubin->find("shared")->maxBlockThreads(), 128u);
    EXPECT_EQ(cubin->find("plain")->maxBlockThreads(), 0u);
    EXPECT_EQ(cubin->find("shared")->parameterBytes, 28u);
    EXPECT_EQ(cubin->find("plain")->parameterBytes, 8u);
    EXPECT_EQ(cubin->find("plain")->constantBytes,
              cubin->find("plain")->parameterOffset + 8u);
    EXPECT_EQ(cubin->find("locals")->frameBytes, 256u);
    SassMix locals = mixOf(cubin->find("locals")->code, cubin->arch);
    EXPECT_GE(locals.of("STL"), 16u);
    EXPECT_GE(locals.of("LDL"), 2u);
    SassMix plain = mixOf(cubin->find("plain")->code, cubin->arch);
    EXPECT_EQ(plain.of("STG"), 1u);
    EXPECT_EQ(plain.of("EXIT"), 1u);
    EXPECT_EQ(plain.of("NOP"), 0u);
    EXPECT_EQ(plain.of(SassClass::LocalLoad), 0u);
    EXPECT_EQ(plain.of(SassClass::Unknown), 0u);
  }
}

TEST(Cubin, SpillsComeFromTheLog) {
  DSV4_NEEDS_NVRTC();
  for (const CudaTarget &target : cudaTargets()) {
    SCOPED_TRACE(target.name);
    Cubin cubin =
        compileForTest(nvrtc, spillSource, target.name, {"--maxrregcount=32"});
    const CubinFunction *spill = cubin.find("spill");
    ASSERT_NE(spill, nullptr);
    EXPECT_LE(spill->registers, 32u);
    ASSERT_TRUE(spill->spillStoreBytes && spill->spillLoadBytes);
    EXPECT_GT(*spill->spillStoreBytes, 0u);
    SassMix mix = mixOf(spill->code, cubin.arch);
    EXPECT_GT(mix.of("STL"), 0u);
    EXPECT_GT(mix.of("LDL"), 0u);
    // Every byte is a thread's, and an instruction moves at most 16.
    EXPECT_LE(*spill->spillStoreBytes, 16 * mix.of("STL"));
  }
}

TEST(Cubin, BadHeadersSayWhat) {
  auto why = [](std::string bytes) {
    auto cubin = readCubin(bytes);
    return cubin ? "read" : llvm::toString(cubin.takeError());
  };
  EXPECT_THAT(why(""), HasSubstr("0 bytes, expected at least 64"));
  EXPECT_THAT(why(std::string(64, 'x')), HasSubstr("ELF's magic"));
  std::string header = std::string("\x7f"
                                   "ELF\x02\x01\x01\x41\x08",
                                   9) +
                       std::string(55, '\0');
  EXPECT_THAT(why(header), HasSubstr("machine 0, expected 190"));
  header[18] = char(190);
  EXPECT_THAT(why(header), HasSubstr("architecture sm_0"));
  header[49] = 90;
  EXPECT_THAT(why(header), HasSubstr("section headers of 0 bytes"));
  header[58] = 64;
  header[60] = 1;
  header[40] = 64;
  EXPECT_THAT(why(header), HasSubstr("reach beyond the 64 bytes"));
}

TEST(Cubin, FieldsThatReachBeyondAreErrors) {
  DSV4_NEEDS_NVRTC();
  CompileRequest request;
  request.source = knownSource;
  request.arch = "sm_90a";
  auto result = nvrtc.compile(request);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  std::string good = result->cubin;
  uint64_t headers;
  memcpy(&headers, &good[40], 8);
  // What is written where, and what must be said.
  auto with = [&](size_t at, uint64_t value) {
    std::string bytes = good;
    memcpy(&bytes[at], &value, 8);
    auto cubin = readCubin(bytes);
    return cubin ? "read" : llvm::toString(cubin.takeError());
  };
  size_t section = headers + 3 * 64; // the symbol table
  EXPECT_THAT(with(40, good.size() - 8),
              HasSubstr("section headers at offset"));
  EXPECT_THAT(with(40, ~0ull), HasSubstr("section headers at offset"));
  EXPECT_THAT(with(section + 24, ~0ull), HasSubstr("reaches beyond the"));
  EXPECT_THAT(with(section + 32, good.size()), HasSubstr("reaches beyond the"));
  EXPECT_THAT(with(section + 32, 25), HasSubstr("symbol table is malformed"));
  EXPECT_THAT(with(section + 32, 24 * 3), HasSubstr("read"));
  // The size of the last symbol, which is a kernel or a section.
  uint64_t symbols, bytes;
  memcpy(&symbols, &good[section + 24], 8);
  memcpy(&bytes, &good[section + 32], 8);
  for (uint64_t at = symbols; at < symbols + bytes; at += 24) {
    if ((good[at + 4] & 15) != 2 || (good[at + 6] == 0 && good[at + 7] == 0))
      continue;
    EXPECT_THAT(with(at + 16, ~0ull), HasSubstr("larger than the file"));
    EXPECT_THAT(with(at + 16, good.size() / 2 / 16 * 16),
                HasSubstr("does not fit its section"));
    EXPECT_THAT(with(at + 8, 1ull << 40),
                HasSubstr("does not fit its section"));
  }
}

/// Reads, and looks at everything that a report looks at.
void useAll(llvm::StringRef bytes) {
  auto cubin = readCubin(bytes);
  if (!cubin)
    return llvm::consumeError(cubin.takeError());
  for (const CubinFunction &function : cubin->functions) {
    mixOf(function.code, cubin->arch);
    auto loops = findLoops(function.code, cubin->arch);
    if (!loops)
      llvm::consumeError(loops.takeError());
  }
}

TEST(Cubin, DamagedFilesAreErrorsOrReadable) {
  DSV4_NEEDS_NVRTC();
  CompileRequest request;
  request.source = knownSource;
  request.arch = "sm_120a";
  auto result = nvrtc.compile(request);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  const std::string good = result->cubin;
  // In memory of exactly that size, so that a sanitizer sees each byte beyond.
  for (size_t size = 0; size < good.size(); size += 7) {
    std::vector<char> bytes(good.begin(), good.begin() + size);
    bytes.shrink_to_fit();
    useAll({bytes.data(), bytes.size()});
  }
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::vector<char> bytes(good.begin(), good.end());
    int count = 1 + random() % 8;
    for (int i = 0; i < count; ++i)
      bytes[random() % bytes.size()] = char(random());
    useAll({bytes.data(), bytes.size()});
  }
}

} // namespace
