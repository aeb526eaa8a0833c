// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs one phase of a kern program given as text, through the kernel that the
// CPU target emits for it.

#ifndef DSV4_TEST_UNIT_CPU_PHASEHARNESS_H
#define DSV4_TEST_UNIT_CPU_PHASEHARNESS_H

#include "dialects/kern/IR/KernOps.h"
#include "test/unit/cpu/KernelHarness.h"

namespace dsv4::cpu::test {

/// The kernel of the only phase of `Body`, the text inside a kern.program
/// (declarations and one phase; a kern.return is added). Failures fail the
/// running test.
class PhaseKernel {
public:
  PhaseKernel(IsaLevel Level, const std::string &Body)
      : PhaseKernel(targetOf(Level), Body) {}
  PhaseKernel(const TargetDesc &Target, const std::string &Body);
  /// Computes items [0, Items), at most `PerCall` in one go, then leaves the
  /// result in place. Gives the scratch that the phase asks for and checks that
  /// it takes no more.
  void run(StepRows &Rows, std::vector<void *> Operands, int64_t Items,
           int64_t PerCall = INT64_MAX / 2);

private:
  kern::Affine ScratchBytes;
  std::unique_ptr<LoadedKernels> Kernels;
};

/// A test that runs at every level of this CPU.
class LevelTest : public testing::TestWithParam<IsaLevel> {
protected:
  /// BF16 values with exponents from -Spread to Spread.
  Buffer randomBf16(int64_t Count, int Spread = 4) {
    Buffer B(Count * 2);
    fillBf16(B.as<uint16_t>(), Count, Spread, Random);
    return B;
  }
  /// Floats from -Range to Range.
  Buffer randomF32(int64_t Count, float Range = 1) {
    Buffer B(Count * 4);
    std::uniform_real_distribution<float> Uniform(-Range, Range);
    for (int64_t I = 0; I < Count; ++I)
      B.as<float>()[I] = Uniform(Random);
    return B;
  }

  std::mt19937 Random{11};
};

/// Gives a fixture derived from LevelTest its levels.
#define DSV4_ALL_LEVELS(FIXTURE)                                               \
  INSTANTIATE_TEST_SUITE_P(                                                    \
      Levels, FIXTURE, testing::ValuesIn(dsv4::cpu::test::levelsHere()),       \
      [](const auto &Info) { return dsv4::levelName(Info.param).str(); })

} // namespace dsv4::cpu::test

#endif // DSV4_TEST_UNIT_CPU_PHASEHARNESS_H
