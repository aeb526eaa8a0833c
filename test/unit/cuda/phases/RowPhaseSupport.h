// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of row phases share: a step in memory that kernels may read,
// random rows, and runs under many schedules and grids, which all must give the
// bits of the scalar functions.

#ifndef DSV4_TEST_UNIT_CUDA_PHASES_ROWPHASESUPPORT_H
#define DSV4_TEST_UNIT_CUDA_PHASES_ROWPHASESUPPORT_H

#include "runtime/abi/program.h"
#include "runtime/numerics/denormals.h"
#include "test/unit/cpu/ScalarOps.h"
#include "test/unit/cuda/Compare.h"

#include <random>

namespace dsv4::cuda::test {

using cpu::test::Floats, cpu::test::floatsOf;

constexpr u64 Schedules = 20;

/// A step of `tokens` rows; ids, positions and wanted rows are the test's.
struct StepMemory {
  explicit StepMemory(i64 Tokens)
      : token(Tokens), position(Tokens), output(Tokens) {
    for (i64 T = 0; T < Tokens; ++T)
      position[T] = output[T] = i32(T);
    step.tokens = step.outputs = Tokens;
  }
  const dsv4_step *showTo(Emulator &Emu) const {
    dsv4_step Shown = step;
    Shown.token = Emu.input("token", token).raw();
    Shown.position = Emu.input("position", position).raw();
    Shown.output_row = Emu.input("output_row", output).raw();
    return Emu.input("step", std::vector<dsv4_step>{Shown}).raw();
  }

  dsv4_step step = {};
  std::vector<i32> token, position, output;
};

/// Random values around 1 with both signs, some zeros, some tiny and large.
class RandomRows {
public:
  explicit RandomRows(u32 Seed) : engine(Seed) {}
  float value(float Scale = 1) {
    u32 Kind = engine() % 16;
    float Size = std::normal_distribution<float>(0, 1)(engine) * Scale;
    return Kind == 0 ? 0.0f
                     : std::ldexp(Size, Kind == 1   ? -20
                                        : Kind == 2 ? 4
                                                    : 0);
  }
  std::vector<u16> bf16(size_t Count, float Scale = 1) {
    std::vector<u16> Out(Count);
    for (u16 &V : Out)
      V = num::floatToBf16(value(Scale));
    return Out;
  }
  Floats f32(size_t Count, float Scale = 1) {
    Floats Out(Count);
    for (float &V : Out)
      V = value(Scale);
    return Out;
  }
  u32 below(u32 Limit) { return engine() % Limit; }

private:
  std::mt19937 engine;
};

inline std::vector<u16> bf16Of(const Floats &Values) {
  std::vector<u16> Out(Values.size());
  for (size_t I = 0; I < Values.size(); ++I)
    Out[I] = num::floatToBf16(Values[I]);
  return Out;
}

/// Bits, so that zeros of both signs differ.
inline std::vector<u32> bitsOf(const Floats &Values) {
  std::vector<u32> Out(Values.size());
  for (size_t I = 0; I < Values.size(); ++I)
    Out[I] = num::bitsOf(Values[I]);
  return Out;
}

/// Calls prepare(emulator, step, grid), which launches and returns a check,
/// for many schedules and grids.
template <class Prepare>
void forSchedules(StepMemory &Step, const Prepare &prepare) {
  num::FlushDenormals Flush;
  for (u64 Seed = 1; Seed <= schedules(Schedules); ++Seed) {
    SCOPED_TRACE("seed " + std::to_string(Seed));
    Emulator Emu({.seed = Seed, .residentBlocks = u32(1 + Seed % 4)});
    auto Check = prepare(Emu, Step.showTo(Emu), Dim{u32(1 + Seed % 5)});
    Result Result = Emu.run();
    ASSERT_TRUE(Result.ok()) << Result.text();
    Check();
    if (testing::Test::HasFatalFailure())
      return;
  }
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_PHASES_ROWPHASESUPPORT_H
