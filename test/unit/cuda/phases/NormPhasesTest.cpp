// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// embed, norm_quant and quantize under emulation against runtime/numerics, bit
// for bit. Not run on hardware.

#include "test/unit/cuda/phases/RowConfigs.cuh"
#include "test/unit/cuda/phases/RowPhaseSupport.h"

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::norm_configs;
namespace num = dsv4::num;

namespace {

class NormPhasesTest : public testing::TestWithParam<u32> {};
INSTANTIATE_TEST_SUITE_P(Tokens, NormPhasesTest, testing::Values(1, 2, 7));

TEST_P(NormPhasesTest, EmbedCopiesRows) {
  constexpr u32 Row = EmbedConfig::Hidden;
  RandomRows Random(1);
  StepMemory Step(GetParam());
  std::vector<u16> Table = Random.bf16(16 * Row), Want;
  for (i32 &Token : Step.token) {
    Token = i32(Random.below(16));
    for (u32 I = 0; I < EmbedConfig::Streams; ++I)
      Want.insert(Want.end(), &Table[Token * Row], &Table[Token * Row] + Row);
  }
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    EmbedParams P{S, Emu.input("table", Table),
                  Emu.scratch<u16>("streams", Want.size())};
    Emu.launch("embed", Grid, {64}, 0, DSV4_PHASE(P, embed, EmbedConfig));
    return [=, &Want] { EXPECT_SAME(contents(P.streams, Want.size()), Want); };
  });
}

/// Makes weights of the first row for which the order of the norm's products
/// decides a bit; false if it has none.
bool makeOrderMatter(const std::vector<u16> &Raw, std::vector<u16> &Weight,
                     float Eps) {
  num::FlushDenormals Flush;
  i64 N = i64(Weight.size());
  Floats X = floatsOf(Raw.data(), N);
  float R = 1.0f / num::sqrt(num::sumOfSquares(X.data(), N) / float(N) + Eps);
  bool Found = false;
  for (i64 I = 0; I < N; ++I)
    for (u16 Bits = 0x3f80; Bits < 0x4000; ++Bits) {
      float W = num::bf16ToFloat(Bits);
      if (num::roundBf16(W * (X[I] * R)) != num::roundBf16((W * X[I]) * R)) {
        Weight[I] = Bits;
        Found = true;
      }
    }
  return Found;
}

template <class Config> void checkNorm(u32 Tokens) {
  constexpr u32 N = Config::Width;
  RandomRows Random(Tokens);
  StepMemory Step(Tokens);
  std::vector<u16> Raw = Random.bf16(Tokens * N), Weight = Random.bf16(N);
  for (int Try = 0; Try < 100 && !makeOrderMatter(Raw, Weight, Config::Eps);
       ++Try)
    Raw = Random.bf16(Tokens * N);
  Floats Normed(Tokens * N), Quantised;
  {
    num::FlushDenormals Flush;
    Floats X = floatsOf(Raw.data(), Raw.size()), W = floatsOf(Weight.data(), N);
    for (u32 T = 0; T < Tokens; ++T)
      num::rmsNorm(&X[T * N], W.data(), &Normed[T * N], N, Config::Eps);
    Quantised = Normed;
    if (Config::Quantised)
      num::fakeQuantizeE4M3(Quantised.data(), Tokens * N, 128);
  }
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    NormQuantParams P{};
    P.step = S;
    P.raw = Emu.input("raw", Raw);
    P.weight = Emu.input("weight", Weight);
    if (Config::Normed)
      P.y = Emu.scratch<u16>("y", Tokens * N);
    if (Config::Quantised)
      P.yq = Emu.scratch<u16>("yq", Tokens * N);
    Emu.launch("norm_quant", Grid, {NormQuantPlan<Config>::Threads},
               NormQuantPlan<Config>::SharedBytes,
               DSV4_PHASE(P, normQuant, Config));
    return [=, &Normed, &Quantised] {
      if (Config::Normed)
        EXPECT_SAME(contents(P.y, Tokens * N), bf16Of(Normed));
      if (Config::Quantised)
        EXPECT_SAME(contents(P.yq, Tokens * N), bf16Of(Quantised));
    };
  });
}

TEST_P(NormPhasesTest, NormAndQuantise) { checkNorm<Both>(GetParam()); }
TEST_P(NormPhasesTest, NormKeptQuantised) {
  checkNorm<OnlyQuantised>(GetParam());
}
TEST_P(NormPhasesTest, NormKeptPlain) { checkNorm<OnlyNormed>(GetParam()); }

TEST_P(NormPhasesTest, Quantize) {
  u32 Count = GetParam() * QuantizeConfig::Width;
  StepMemory Step(GetParam());
  std::vector<u16> X = RandomRows(3).bf16(Count);
  for (u32 I = 0; I < 128; ++I)
    X[I] = I % 2 ? 0x8000 : 0; // a block of zeros of both signs
  X[130] = 0x7e00;             // and one of values far above the others
  Floats Want = floatsOf(X.data(), Count);
  {
    num::FlushDenormals Flush;
    num::fakeQuantizeE4M3(Want.data(), Count, 128);
  }
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    QuantizeParams P{S, Emu.input("x", X), Emu.scratch<u16>("xq", Count)};
    Emu.launch("quantize", Grid, {96}, 0,
               DSV4_PHASE(P, quantize, QuantizeConfig));
    return [=, &Want] { EXPECT_SAME(contents(P.xq, Count), bf16Of(Want)); };
  });
}

} // namespace
