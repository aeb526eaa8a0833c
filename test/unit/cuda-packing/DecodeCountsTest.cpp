// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What decoding costs, counted in cubins of every architecture: ALU
// instructions of a lane per weight, no spills, no stack. The figures are those
// of docs/cuda-packing.md. Not run on hardware; skipped by name without NVRTC.

#include "targets/cuda/DeviceSources.h"
#include "targets/cuda/toolchain/CubinGates.h"
#include "test/unit/cuda-sources/ReadSource.h"

#include <gtest/gtest.h>

using namespace dsv4::cuda;

namespace {

/// A kernel of the test at one architecture; `Budget` is ALU instructions per
/// weight, of which a lane has 64 in a tile.
struct Case {
  const char *arch, *kernel;
  double budget;
};

void PrintTo(const Case &C, std::ostream *Out) {
  *Out << C.kernel << " for " << C.arch << ", at most " << C.budget;
}

class DecodeCountsTest : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    auto Loaded = NvrtcCompiler::load();
    if (!Loaded)
      GTEST_SKIP() << llvm::toString(Loaded.takeError());
    CompileRequest Request;
    Request.name = "DecodeKernels.cu";
    Request.source = readSource("test/unit/cuda-packing/DecodeKernels.cu");
    const char *Strip = "test/unit/cuda-packing/Fp4Strip.cuh";
    Request.headers[Strip] = readSource(Strip);
    addDeviceHeaders(Request);
    Request.arch = GetParam().arch;
    std::string Kernel = std::string("dsv4::cuda::") + GetParam().kernel;
    Request.nameExpressions = {Kernel + "<1>", Kernel + "<2>"};
    if (isStrip())
      Request.nameExpressions = {Kernel + "<false>", Kernel + "<true>"};
    auto Compiled = Loaded->compile(Request);
    ASSERT_TRUE(bool(Compiled)) << llvm::toString(Compiled.takeError());
    Result = *Compiled;
    auto Read = readCubin(Result.cubin);
    ASSERT_TRUE(bool(Read)) << llvm::toString(Read.takeError());
    File = *Read;
    addLog(File, Result.resources);
  }

  bool isStrip() const { return GetParam().kernel == std::string("fp4Strip"); }

  const CubinFunction &function(const std::string &Suffix) const {
    std::string Name = std::string("dsv4::cuda::") + GetParam().kernel + Suffix;
    const CubinFunction *Found = File.find(Result.symbols.at(Name));
    if (!Found)
      throw std::runtime_error("no kernel " + Name);
    return *Found;
  }

  /// Violations of limits, each a line: no spills, stack or unknown opcodes.
  std::string wrong(const CubinFunction &F, const KernelLimits &Limits) const {
    auto Target = findCudaTarget(GetParam().arch);
    EXPECT_TRUE(bool(Target));
    std::string Lines;
    for (const std::string &Line : violations(F, **Target, Limits))
      Lines += Line + "\n";
    return Lines;
  }

  /// The loop of a whole kernel: four products of 16 weights of a lane each
  /// make a tile.
  void strip() {
    KernelLimits Limits;
    Limits.maxRegisters = 96; // with the path of escapes
    Limits.mustHave = {"QGMMA", "PRMT"};
    EXPECT_EQ(wrong(function("<true>"), Limits), "");
    Limits.maxRegisters = 64;
    Limits.hotLoop = LoopBudget{GetParam().budget, 16, "QGMMA"};
    const CubinFunction &Strip = function("<false>");
    EXPECT_EQ(wrong(Strip, Limits), "");
    EXPECT_EQ(Result.log.find("serialized"), std::string::npos) << Result.log;
    auto Loops = findLoops(Strip.code, File.arch);
    ASSERT_TRUE(bool(Loops));
    for (const SassLoop *Loop : hotLoops(Strip, File.arch, *Loops, "QGMMA"))
      RecordProperty(
          "alu_per_weight",
          std::to_string(aluPerUnit(Strip, File.arch, *Loop, *Limits.hotLoop)));
    RecordProperty("registers", int(Strip.registers));
  }

  CompileResult Result;
  Cubin File;
};

TEST_P(DecodeCountsTest, WithinTheBudget) {
  if (isStrip())
    return strip();
  const CubinFunction &One = function("<1>"), &Two = function("<2>");
  KernelLimits Limits;
  Limits.maxRegisters = 48;
  EXPECT_EQ(wrong(One, Limits), "");
  EXPECT_EQ(wrong(Two, Limits), "");
  double Cost = double(mixOf(Two.code, File.arch).alu()) -
                double(mixOf(One.code, File.arch).alu());
  RecordProperty("alu_per_weight", std::to_string(Cost / 64));
  EXPECT_GT(Cost, 16) << "the assembler dropped what was to be counted";
  EXPECT_LE(Cost / 64, GetParam().budget);
}

/// As counted with CUDA 13.0, rounded up to what a different assembler may
/// take.
INSTANTIATE_TEST_SUITE_P(
    All, DecodeCountsTest,
    testing::Values(
        Case{"sm_80", "fp4ToE4m3", 1.0}, Case{"sm_89", "fp4ToE4m3", 1.0},
        Case{"sm_90a", "fp4ToE4m3", 1.0}, Case{"sm_100a", "fp4ToE4m3", 1.0},
        Case{"sm_120a", "fp4ToE4m3", 1.0}, Case{"sm_80", "fp4ToF16", 1.5},
        Case{"sm_89", "fp4ToF16", 1.5}, Case{"sm_90a", "fp4ToF16", 1.5},
        Case{"sm_100a", "fp4ToF16", 1.5}, Case{"sm_120a", "fp4ToF16", 1.5},
        Case{"sm_80", "fp8ToF16", 2.5}, Case{"sm_89", "fp8ToF16", 0.6},
        Case{"sm_90a", "fp8ToF16", 0.6}, Case{"sm_100a", "fp8ToF16", 0.6},
        Case{"sm_120a", "fp8ToF16", 0.6},
        // The whole loop: loads and promotion included.
        Case{"sm_90a", "fp4Strip", 1.5}),
    [](const testing::TestParamInfo<Case> &Info) {
      return std::string(Info.param.kernel) + "_" + Info.param.arch;
    });

} // namespace
