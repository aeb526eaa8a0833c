// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// route, dispatch, swiglu and combine under emulation against runtime/numerics
// and one thread's loops, bit for bit. Not run on hardware.

#include "test/unit/cuda/phases/RowConfigs.cuh"
#include "test/unit/cuda/phases/RowPhaseSupport.h"

#include <numeric>

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::expert_configs;
namespace num = dsv4::num;

namespace {

class ExpertPhasesTest : public testing::TestWithParam<u32> {};
INSTANTIATE_TEST_SUITE_P(Tokens, ExpertPhasesTest, testing::Values(1, 2, 7));

// ---- route ------------------------------------------------------------------

struct Routed {
  std::vector<i32> ids;
  Floats weights;
};

/// Appends a token's slots in ascending id; equal ids keep their order.
void addRoute(const Floats &Scores, const std::vector<i32> &Selected,
              float Scale, Routed &To) {
  i64 K = i64(Selected.size());
  Floats Weights(Selected.size());
  num::weighExperts(Scores.data(), Selected.data(), K, Scale, Weights.data());
  std::vector<size_t> Order(Selected.size());
  std::iota(Order.begin(), Order.end(), 0);
  std::sort(Order.begin(), Order.end(), [&](size_t A, size_t B) {
    return std::pair(Selected[A], A) < std::pair(Selected[B], B);
  });
  for (size_t Slot : Order) {
    To.ids.push_back(Selected[Slot]);
    To.weights.push_back(Weights[Slot]);
  }
}

template <class Config> void checkRoute(u32 Tokens) {
  constexpr u32 E = Config::Experts, K = Config::PerToken;
  RandomRows Random(E + Tokens);
  StepMemory Step(Tokens);
  Floats Logits = Random.f32(Tokens * E, 4), Bias = Random.f32(E, 0.1f);
  for (u32 I = 0; I < E; ++I)
    Logits[I] = 1; // ties, but for the bias
  Bias[E - 1] = Bias[2] = Bias[E / 2] = 9;
  Logits[E - 3] = 25; // where softplus is its argument
  std::vector<i32> Table(16 * K);
  for (i32 &Id : Table)
    Id = i32(Random.below(E)); // some rows with equal ids
  Table[0] = Table[1];
  for (i32 &Token : Step.token)
    Token = i32(Random.below(16));
  Step.token[0] = 0;
  Routed Want;
  {
    num::FlushDenormals Flush;
    for (u32 T = 0; T < Tokens; ++T) {
      Floats Scores(E);
      for (u32 I = 0; I < E; ++I)
        Scores[I] = num::routerScore(Logits[T * E + I]);
      std::vector<i32> Ids(&Table[Step.token[T] * K],
                           &Table[Step.token[T] * K] + K);
      if (!Config::ByTable)
        num::selectExperts(Scores.data(), Bias.data(), E, K, Ids.data());
      addRoute(Scores, Ids, Config::Scale, Want);
    }
  }
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    RouteParams P{};
    P.step = S;
    P.logits = Emu.input("logits", Logits);
    if (Config::ByTable)
      P.table = Emu.input("table", Table);
    else
      P.bias = Emu.input("bias", Bias);
    P.ids = Emu.scratch<i32>("ids", Tokens * K);
    P.weights = Emu.scratch<float>("weights", Tokens * K);
    Emu.launch("route", Grid, {64}, 0, DSV4_PHASE(P, route, Config));
    return [=, &Want] {
      EXPECT_SAME(contents(P.ids, Tokens * K), Want.ids);
      EXPECT_SAME(bitsOf(contents(P.weights, Tokens * K)),
                  bitsOf(Want.weights));
    };
  });
}

TEST_P(ExpertPhasesTest, RouteByBias) {
  checkRoute<RouteConfig<8, 2, false>>(GetParam());
  checkRoute<RouteConfig<40, 3, false>>(GetParam()); // a partial row of lanes
  checkRoute<RouteConfig<256, 6, false>>(GetParam());
}
TEST_P(ExpertPhasesTest, RouteByTable) {
  checkRoute<RouteConfig<8, 2, true>>(GetParam());
  checkRoute<RouteConfig<256, 6, true>>(GetParam());
}

/// Ids stay distinct and in range whatever the bias is (scores are never NaN).
TEST(RouteTest, NotANumberIsTheLowestScore) {
  using Config = RouteConfig<8, 3, false>;
  StepMemory Step(1);
  Floats Logits(8, std::nanf("")), Bias(8, std::nanf(""));
  Bias[5] = -1;
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim) {
    RouteParams P{
        S,  Emu.input("logits", Logits), Emu.input("bias", Bias),
        {}, Emu.scratch<i32>("ids", 3),  Emu.scratch<float>("weights", 3)};
    Emu.launch("route", {1}, {32}, 0, DSV4_PHASE(P, route, Config));
    return
        [=] { EXPECT_SAME(contents(P.ids, 3), (std::vector<i32>{0, 1, 5})); };
  });
}

// ---- dispatch ---------------------------------------------------------------

std::vector<i32> listsOf(const std::vector<i32> &Ids, u32 E) {
  std::vector<i32> Lists(2 + 2 * E + Ids.size());
  i32 Active = 0, Row = 0;
  for (u32 Expert = 0; Expert < E; ++Expert) {
    i32 First = Row;
    for (size_t Slot = 0; Slot < Ids.size(); ++Slot)
      if (Ids[Slot] == i32(Expert))
        Lists[2 + 2 * E + Row++] = i32(Slot);
    if (Row == First)
      continue;
    Lists[1 + Active] = i32(Expert);
    Lists[1 + E + Active++] = First;
  }
  Lists[0] = Active;
  Lists[1 + E + Active] = Row;
  return Lists;
}

/// `Used` of the experts get rows.
template <class Config> void checkDispatch(u32 Tokens, u32 First, u32 Used) {
  constexpr u32 E = Config::Experts;
  RandomRows Random(Tokens + Used);
  StepMemory Step(Tokens);
  std::vector<i32> Ids(Tokens * Config::PerToken);
  for (i32 &Id : Ids)
    Id = i32(First + Random.below(Used));
  std::vector<i32> Want = listsOf(Ids, E);
  u32 Active = u32(Want[0]);
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim) {
    DispatchParams P{S, Emu.input("ids", Ids),
                     Emu.scratch<i32>("lists", Want.size())};
    Emu.launch("dispatch", {1}, {DispatchPlan<Config>::Threads},
               DispatchPlan<Config>::SharedBytes,
               DSV4_PHASE(P, dispatch, Config));
    return [=, &Want] {
      EXPECT_TRUE(
          sameWhere(contents(P.lists, Want.size()), Want, [=](size_t I) {
            // Nobody writes the heads of experts that have no rows.
            return I <= Active || (I > E && I <= 1 + E + Active) ||
                   I > 1 + 2 * E;
          }));
    };
  });
}

TEST_P(ExpertPhasesTest, Dispatch) {
  checkDispatch<DispatchConfig<8, 2, 2>>(GetParam(), 2, 5);
  checkDispatch<DispatchConfig<40, 3, 4>>(GetParam(), 0, 40);
  checkDispatch<DispatchConfig<256, 6, 4>>(GetParam(), 250, 6);
}
TEST(DispatchTest, ManyRows) {
  checkDispatch<DispatchConfig<40, 3, 4>>(99, 0, 40); // stretches with a rest
  checkDispatch<DispatchConfig<8, 2, 2>>(128, 7, 1);  // one expert has all
  checkDispatch<DispatchConfig<256, 6, 8>>(150, 0, 256);
}

// ---- swiglu, combine --------------------------------------------------------

template <class Config> void checkSwiglu(u32 Tokens) {
  constexpr u32 I = Config::Inner;
  u32 Rows = Tokens * Config::PerToken;
  RandomRows Random(Tokens);
  StepMemory Step(Tokens);
  std::vector<u16> Gate = Random.bf16(Rows * I, 5),
                   Up = Random.bf16(Rows * I, 5);
  Floats Weights = Random.f32(Rows), Want(Rows * I);
  {
    num::FlushDenormals Flush;
    for (u32 At = 0; At < Rows * I; ++At)
      Want[At] =
          num::swiglu(num::bf16ToFloat(Gate[At]), num::bf16ToFloat(Up[At]),
                      Config::Weighted ? Weights[At / I] : 1.0f, Config::Limit);
    num::fakeQuantizeE4M3(Want.data(), Rows * I, 128);
  }
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    SwigluParams P{};
    P.step = S;
    P.gate = Emu.input("gate", Gate);
    P.up = Emu.input("up", Up);
    if (Config::Weighted)
      P.weights = Emu.input("weights", Weights);
    P.h = Emu.scratch<u16>("h", Rows * I);
    Emu.launch("swiglu", Grid, {64}, 0, DSV4_PHASE(P, swiglu, Config));
    return
        [=, &Want] { EXPECT_SAME(contents(P.h, Want.size()), bf16Of(Want)); };
  });
}

TEST_P(ExpertPhasesTest, SwigluOfSlots) {
  checkSwiglu<SwigluConfig<3, true>>(GetParam());
}
TEST_P(ExpertPhasesTest, SwigluOfTokens) {
  checkSwiglu<SwigluConfig<1, false>>(GetParam());
}

TEST_P(ExpertPhasesTest, CombineInSlotOrder) {
  constexpr u32 D = CombineConfig::Hidden, K = CombineConfig::PerToken;
  u32 Tokens = GetParam();
  RandomRows Random(Tokens);
  StepMemory Step(Tokens);
  std::vector<u16> Y = Random.bf16(Tokens * K * D),
                   Shared = Random.bf16(Tokens * D);
  // Two slots cancel and the third is lost when it comes before them.
  for (u32 T = 0; T < Tokens; ++T)
    for (u32 I = 0; I < D; I += 3)
      for (u32 Slot = 0; Slot < 2; ++Slot)
        Y[(T * K + Slot) * D + I] =
            num::floatToBf16(Slot == 0 ? 0x1p40f : -0x1p40f);
  Floats Want(Tokens * D);
  for (u32 T = 0; T < Tokens; ++T)
    for (u32 I = 0; I < D; ++I) {
      for (u32 Slot = 0; Slot < K; ++Slot)
        Want[T * D + I] += num::bf16ToFloat(Y[(T * K + Slot) * D + I]);
      Want[T * D + I] += num::bf16ToFloat(Shared[T * D + I]);
    }
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    CombineParams P{S, Emu.input("y", Y), Emu.input("shared", Shared),
                    Emu.scratch<u16>("out", Want.size())};
    Emu.launch("combine", Grid, {32}, 0, DSV4_PHASE(P, combine, CombineConfig));
    return
        [=, &Want] { EXPECT_SAME(contents(P.out, Want.size()), bf16Of(Want)); };
  });
}

} // namespace
