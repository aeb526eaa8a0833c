// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fused phases against the launches that they replace, in the same run and bit
// for bit; those are held against runtime/numerics elsewhere. Not run on
// hardware.

#include "test/unit/cuda/phases/RowConfigs.cuh"
#include "test/unit/cuda/phases/RowPhaseSupport.h"

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::fused_configs;

namespace {

class FusedPhasesTest : public testing::TestWithParam<u32> {
protected:
  /// Blocks of FP16 for one number of tokens, of E4M3 for the others.
  static u32 blockBytes() {
    return u32(GetParam() == 2 ? WideActivationBytes : ActivationBytes);
  }
};
INSTANTIATE_TEST_SUITE_P(Tokens, FusedPhasesTest, testing::Values(1, 2, 7));

/// The blocks of encodeActivations behind a launch, for rows of `width`.
Global<u8> encodeBehind(Emulator &Emu, i64 Tokens, LaunchId After,
                        Global<const u16> Rows, u32 PerToken, u32 Width,
                        u32 BlockBytes) {
  size_t Bytes = size_t(Tokens) * PerToken * Width / 128 * BlockBytes;
  EncodeParams P{Emu.input<i64>("rows", {Tokens}), PerToken,  Width, Rows,
                 Emu.scratch<u8>("blocks", Bytes), BlockBytes};
  Emu.launch("encode", {2}, {64}, 0, DSV4_PHASE(P, encodeActivations),
             {{After, Edge::Programmatic}});
  return P.blocks;
}

TEST_P(FusedPhasesTest, NormQuantEncodes) {
  u32 Count = GetParam() * Norm::Width;
  StepMemory Step(GetParam());
  RandomRows Random(1);
  std::vector<u16> Raw = Random.bf16(Count), Weight = Random.bf16(Norm::Width);
  size_t Bytes = Count / 128 * blockBytes();
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    NormQuantParams P{S, Emu.input("raw", Raw), Emu.input("weight", Weight),
                      Emu.scratch<u16>("y", Count),
                      Emu.scratch<u16>("yq", Count)};
    NormQuantEncodeParams F{P, Emu.scratch<u8>("fused", Bytes), blockBytes()};
    F.phase.y = Emu.scratch<u16>("fused y", Count);
    F.phase.yq = Emu.scratch<u16>("fused yq", Count);
    constexpr u32 Threads = NormQuantPlan<Norm>::Threads,
                  Shared = NormQuantPlan<Norm>::SharedBytes;
    auto Id = Emu.launch("norm", Grid, {Threads}, Shared,
                         DSV4_PHASE(P, normQuant, Norm));
    Emu.launch("fused", Grid, {Threads}, Shared,
               DSV4_PHASE(F, normQuantEncode, Norm));
    auto Blocks =
        encodeBehind(Emu, GetParam(), Id, P.yq, 1, Norm::Width, blockBytes());
    return [=] {
      EXPECT_SAME(contents(F.blocks, Bytes), contents(Blocks, Bytes));
      EXPECT_SAME(contents(F.phase.y, Count), contents(P.y, Count));
      EXPECT_SAME(contents(F.phase.yq, Count), contents(P.yq, Count));
    };
  });
}

TEST_P(FusedPhasesTest, QuantizeEncodes) {
  u32 Count = GetParam() * Quantised::Width;
  StepMemory Step(GetParam());
  std::vector<u16> X = RandomRows(3).bf16(Count);
  for (u32 I = 0; I < 128; ++I)
    X[I] = I % 2 ? 0x8000 : 0; // a block of zeros of both signs
  size_t Bytes = Count / 128 * blockBytes();
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    QuantizeParams P{S, Emu.input("x", X), Emu.scratch<u16>("xq", Count)};
    QuantizeEncodeParams F{P, Emu.scratch<u8>("fused", Bytes), blockBytes()};
    F.phase.xq = Emu.scratch<u16>("fused xq", Count);
    auto Id = Emu.launch("quantize", Grid, {96}, 0,
                         DSV4_PHASE(P, quantize, Quantised));
    Emu.launch("fused", Grid, {96}, 0,
               DSV4_PHASE(F, quantizeEncode, Quantised));
    auto Blocks = encodeBehind(Emu, GetParam(), Id, P.xq, 1, Quantised::Width,
                               blockBytes());
    return [=] {
      EXPECT_SAME(contents(F.blocks, Bytes), contents(Blocks, Bytes));
      EXPECT_SAME(contents(F.phase.xq, Count), contents(P.xq, Count));
    };
  });
}

TEST_P(FusedPhasesTest, SwigluEncodes) {
  u32 Rows = GetParam() * Slots::PerToken, Count = Rows * Slots::Inner;
  StepMemory Step(GetParam());
  RandomRows Random(4);
  std::vector<u16> Gate = Random.bf16(Count, 5), Up = Random.bf16(Count, 5);
  Floats Weights = Random.f32(Rows);
  size_t Bytes = Count / 128 * blockBytes();
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    SwigluParams P{S, Emu.input("gate", Gate), Emu.input("up", Up),
                   Emu.input("weights", Weights), Emu.scratch<u16>("h", Count)};
    SwigluEncodeParams F{P, Emu.scratch<u8>("fused", Bytes), blockBytes()};
    F.phase.h = Emu.scratch<u16>("fused h", Count);
    auto Id = Emu.launch("swiglu", Grid, {64}, 0, DSV4_PHASE(P, swiglu, Slots));
    Emu.launch("fused", Grid, {64}, 0, DSV4_PHASE(F, swigluEncode, Slots));
    auto Blocks = encodeBehind(Emu, GetParam(), Id, P.h, Slots::PerToken,
                               Slots::Inner, blockBytes());
    return [=] {
      EXPECT_SAME(contents(F.blocks, Bytes), contents(Blocks, Bytes));
      EXPECT_SAME(contents(F.phase.h, Count), contents(P.h, Count));
    };
  });
}

TEST_P(FusedPhasesTest, HcPreEncodes) {
  u32 Tokens = GetParam(), Count = Tokens * D;
  StepMemory Step(Tokens);
  RandomRows Random(5);
  std::vector<u16> Streams = Random.bf16(Count * C), Gains = Random.bf16(D);
  Floats Partials = Random.f32(Tokens * D / 128 * mixStride(Mix::Rows), 0.1f);
  for (size_t I = Mix::Rows; I < Partials.size(); I += mixStride(Mix::Rows))
    Partials[I] = 100; // sums of squares
  Floats Scale = Random.f32(3), Base = Random.f32(Mix::Rows);
  size_t Bytes = Count / 128 * blockBytes();
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    HcPreParams P{S,
                  Emu.input("partials", Partials),
                  Emu.input("streams", Streams),
                  Emu.input("scale", Scale),
                  Emu.input("base", Base),
                  Emu.input("norm", Gains),
                  Emu.scratch<u16>("x", Count),
                  Emu.scratch<u16>("xq", Count),
                  Emu.scratch<float>("post", Tokens * C),
                  Emu.scratch<float>("comb", Tokens * C * C)};
    HcPreEncodeParams F{P, Emu.scratch<u8>("fused", Bytes), blockBytes()};
    F.phase.x = Emu.scratch<u16>("fused x", Count);
    F.phase.xq = Emu.scratch<u16>("fused xq", Count);
    F.phase.post = Emu.scratch<float>("fused post", Tokens * C);
    F.phase.comb = Emu.scratch<float>("fused comb", Tokens * C * C);
    constexpr u32 Threads = HcPrePlan<Pre>::Threads,
                  Shared = HcPrePlan<Pre>::SharedBytes;
    auto Id = Emu.launch("hc_pre", Grid, {Threads}, Shared,
                         DSV4_PHASE(P, hcPre, Pre));
    Emu.launch("fused", Grid, {Threads}, Shared,
               DSV4_PHASE(F, hcPreEncode, Pre));
    auto Blocks = encodeBehind(Emu, GetParam(), Id, P.xq, 1, D, blockBytes());
    return [=] {
      EXPECT_SAME(contents(F.blocks, Bytes), contents(Blocks, Bytes));
      EXPECT_SAME(contents(F.phase.x, Count), contents(P.x, Count));
      EXPECT_SAME(contents(F.phase.xq, Count), contents(P.xq, Count));
      EXPECT_SAME(bitsOf(contents(F.phase.post, Tokens * C)),
                  bitsOf(contents(P.post, Tokens * C)));
      EXPECT_SAME(bitsOf(contents(F.phase.comb, Tokens * C * C)),
                  bitsOf(contents(P.comb, Tokens * C * C)));
    };
  });
}

/// Two slots cancel, so the order of the sum shows.
std::vector<u16> cancelling(u32 Tokens, RandomRows &Random) {
  std::vector<u16> Y = Random.bf16(Tokens * Experts::PerToken * D);
  for (u32 T = 0; T < Tokens; ++T)
    for (u32 I = 0; I < D; I += 3)
      for (u32 Slot = 0; Slot < 2; ++Slot)
        Y[(T * Experts::PerToken + Slot) * D + I] =
            dsv4::num::floatToBf16(Slot == 0 ? 0x1p40f : -0x1p40f);
  return Y;
}

TEST_P(FusedPhasesTest, CombineInsideMix) {
  u32 Tokens = GetParam();
  StepMemory Step(Tokens);
  RandomRows Random(6);
  std::vector<u16> Streams = Random.bf16(Tokens * C * D),
                   Y = cancelling(Tokens, Random),
                   Shared = Random.bf16(Tokens * D);
  Floats Post = Random.f32(Tokens * C), Comb = Random.f32(Tokens * C * C),
         Fn = Random.f32(Mix::Rows * C * D, 0.1f);
  u32 Partials = Tokens * D / 128 * mixStride(Mix::Rows);
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    CombineParams A{S, Emu.input("y", Y), Emu.input("shared", Shared),
                    Emu.scratch<u16>("out", Tokens * D)};
    HcMixParams B{S,
                  Emu.input("streams", Streams),
                  A.out,
                  Emu.input("post", Post),
                  Emu.input("comb", Comb),
                  Emu.input("fn", Fn),
                  Emu.scratch<u16>("closed", Streams.size()),
                  Emu.scratch<float>("partials", Partials)};
    CombineMixParams F{B, A};
    F.mix.out = {}; // neither is touched
    F.combine.out = {};
    F.mix.streamsOut = Emu.scratch<u16>("fused closed", Streams.size());
    F.mix.partials = Emu.scratch<float>("fused partials", Partials);
    constexpr u32 Threads = HcMixPlan<Mix>::Threads,
                  Bytes = HcMixPlan<Mix>::SharedBytes;
    auto Id =
        Emu.launch("combine", Grid, {32}, 0, DSV4_PHASE(A, combine, Experts));
    Emu.launch("hc_mix", Grid, {Threads}, Bytes, DSV4_PHASE(B, hcMix, Mix),
               {{Id, Edge::Programmatic}});
    Emu.launch("fused", Grid, {Threads}, Bytes,
               DSV4_PHASE(F, combineMix, Mix, Experts));
    size_t Size = Streams.size();
    return [=] {
      EXPECT_SAME(contents(F.mix.streamsOut, Size),
                  contents(B.streamsOut, Size));
      EXPECT_TRUE(sameWhere(contents(F.mix.partials, Partials),
                            contents(B.partials, Partials), [](size_t I) {
                              // The rest nobody writes.
                              return I % mixStride(Mix::Rows) <= Mix::Rows;
                            }));
    };
  });
}

TEST_P(FusedPhasesTest, RouteThenDispatchInOneBlock) {
  u32 Tokens = GetParam(), Slots = Tokens * Router::PerToken;
  StepMemory Step(Tokens);
  RandomRows Random(7);
  Floats Logits = Random.f32(Tokens * Router::Experts, 4),
         Bias = Random.f32(Router::Experts, 0.1f);
  u32 Size = 2 + 2 * Router::Experts + Slots;
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    RouteParams A{S,
                  Emu.input("logits", Logits),
                  Emu.input("bias", Bias),
                  {},
                  Emu.scratch<i32>("ids", Slots),
                  Emu.scratch<float>("weights", Slots)};
    DispatchParams B{S, A.ids, Emu.scratch<i32>("lists", Size)};
    RouteDispatchParams F{A, B};
    F.route.ids = Emu.scratch<i32>("fused ids", Slots);
    F.route.weights = Emu.scratch<float>("fused weights", Slots);
    F.dispatch = {S, F.route.ids, Emu.scratch<i32>("fused lists", Size)};
    constexpr u32 Threads = DispatchPlan<Router>::Threads,
                  Bytes = DispatchPlan<Router>::SharedBytes;
    auto Id = Emu.launch("route", Grid, {64}, 0, DSV4_PHASE(A, route, Router));
    Emu.launch("dispatch", {1}, {Threads}, Bytes,
               DSV4_PHASE(B, dispatch, Router), {{Id, Edge::Programmatic}});
    Emu.launch("fused", {1}, {Threads}, Bytes,
               DSV4_PHASE(F, routeDispatch, Router, Router));
    return [=] {
      EXPECT_SAME(contents(F.route.ids, Slots), contents(A.ids, Slots));
      EXPECT_SAME(bitsOf(contents(F.route.weights, Slots)),
                  bitsOf(contents(A.weights, Slots)));
      std::vector<i32> Lists = contents(B.lists, Size);
      u32 Active = u32(Lists[0]), E = Router::Experts;
      EXPECT_TRUE(
          sameWhere(contents(F.dispatch.lists, Size), Lists, [=](size_t I) {
            // Heads that nobody writes aside.
            return I <= Active || (I > E && I <= 1 + E + Active) ||
                   I > 1 + 2 * E;
          }));
    };
  });
}

TEST_P(FusedPhasesTest, SideBySide) {
  u32 Tokens = GetParam(), Count = Tokens * Quantised::Width;
  StepMemory Step(Tokens);
  RandomRows Random(8);
  std::vector<u16> X = Random.bf16(Count),
                   Y = Random.bf16(Tokens * Experts::PerToken * D),
                   Shared = Random.bf16(Tokens * D);
  using T0 = SideTask<QuantizeParams, quantizeFirst>;
  using T1 = SideTask<CombineParams, combineSecond>;
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    QuantizeParams A{S, Emu.input("x", X), Emu.scratch<u16>("xq", Count)};
    CombineParams B{S, Emu.input("y", Y), Emu.input("shared", Shared),
                    Emu.scratch<u16>("out", Tokens * D)};
    SideParams<T0, T1> F{A, {B}};
    F.own.xq = Emu.scratch<u16>("fused xq", Count);
    F.rest.own.out = Emu.scratch<u16>("fused out", Tokens * D);
    Emu.launch("quantize", Grid, {96}, 0, DSV4_PHASE(A, quantize, Quantised));
    Emu.launch("combine", Grid, {96}, 0, DSV4_PHASE(B, combine, Experts));
    Emu.launch("fused", {Grid.x, 2}, {96}, 0,
               DSV4_PHASE(F, sideBySide, T0, T1));
    return [=] {
      EXPECT_SAME(contents(F.own.xq, Count), contents(A.xq, Count));
      EXPECT_SAME(contents(F.rest.own.out, Tokens * D),
                  contents(B.out, Tokens * D));
    };
  });
}

} // namespace
