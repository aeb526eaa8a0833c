// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// hc_mix, hc_pre and hc_head under emulation against runtime/numerics, bit for
// bit, over tokens, schedules and grids. Not run on hardware.

#include "test/unit/cuda/phases/RowConfigs.cuh"
#include "test/unit/cuda/phases/RowPhaseSupport.h"

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::hyper_configs;
namespace num = dsv4::num;

namespace {

/// R2 of one chunk: the functions sum the whole axis, so they get 128 columns.
Floats partialsOf(const float *Streams, const Floats &Fn, u32 Rows, u32 Chunk) {
  Floats X(C * 128), W(C * 128), Out(Rows + 1);
  for (u32 J = 0; J < C; ++J)
    std::copy_n(Streams + J * D + Chunk * 128, 128, &X[J * 128]);
  for (u32 R = 0; R < Rows; ++R) {
    for (u32 J = 0; J < C; ++J)
      std::copy_n(&Fn[(R * C + J) * D + Chunk * 128], 128, &W[J * 128]);
    Out[R] = num::mixDot(X.data(), W.data(), C, 128);
  }
  Out[Rows] = num::mixSquares(X.data(), C, 128);
  return Out;
}

/// Dots times 1 / root mean square.
Floats mixOf(const float *Partials, u32 Rows, float Eps) {
  Floats Mix(Rows + 1);
  for (u32 Chunk = 0; Chunk < Chunks; ++Chunk)
    for (u32 R = 0; R <= Rows; ++R)
      Mix[R] += Partials[Chunk * mixStride(Rows) + R];
  float Scale = 1.0f / num::sqrt(Mix[Rows] / float(C * D) + Eps);
  for (float &M : Mix)
    M = M * Scale;
  return Mix;
}

struct PreWant {
  Floats x, xq, post, comb;
};

/// The row of one token from its streams and mix.
Floats inputOf(const Floats &Streams, const Floats &Mix, float Scale,
               const Floats &Base, const Floats &Norm) {
  Floats Gates(C), Y(D), X(D);
  for (u32 J = 0; J < C; ++J)
    Gates[J] = num::sigmoid(Mix[J] * Scale + Base[J]) + Pre::HcEps;
  num::weightedStreams(Streams.data(), Gates.data(), Y.data(), C, D);
  num::rmsNorm(Y.data(), Norm.data(), X.data(), D, Pre::NormEps);
  return X;
}

void append(Floats &To, const Floats &From) {
  To.insert(To.end(), From.begin(), From.end());
}

/// Operands of a boundary, made from a seed.
struct Boundary {
  explicit Boundary(u32 Tokens) : tokens(Tokens) {
    RandomRows Random(Tokens);
    streams = Random.bf16(Tokens * C * D);
    out = Random.bf16(Tokens * D);
    post = Random.f32(Tokens * C);
    comb = Random.f32(Tokens * C * C);
    fn = Random.f32(Mix::Rows * C * D, 0.1f);
    // Where products cancel, what a rounding in between leaves is all there is.
    for (u32 T = 0; T < Tokens; ++T) {
      comb[T * C * C] = -post[T * C];
      for (u32 I = 0; I < D; I += 5)
        for (u32 J = 0; J < C; ++J)
          streams[(T * C + J) * D + I] = J == 0 ? out[T * D + I] : 0;
    }
    scale = Random.f32(3);
    base = Random.f32(Mix::Rows);
    norm = Random.bf16(D);
  }
  Floats streamsOf(u32 Token) const {
    return floatsOf(streams.data() + Token * C * D, C * D);
  }
  /// The streams behind the sublayer.
  Floats closed(u32 Token) const {
    Floats Next(C * D), Old = streamsOf(Token);
    Floats Out = floatsOf(out.data() + Token * D, D);
    num::closeSublayer(Out.data(), Old.data(), &post[Token * C],
                       &comb[Token * C * C], Next.data(), C, D);
    return Next;
  }
  /// With zeros where nothing is written.
  Floats partials(bool Closes, u32 Rows) const {
    num::FlushDenormals Flush;
    u32 Stride = mixStride(Rows);
    Floats Out(tokens * Chunks * Stride);
    for (u32 T = 0; T < tokens; ++T) {
      Floats X = Closes ? closed(T) : streamsOf(T);
      for (u32 Chunk = 0; Chunk < Chunks; ++Chunk) {
        Floats Part = partialsOf(X.data(), fn, Rows, Chunk);
        std::copy(Part.begin(), Part.end(),
                  Out.begin() + (T * Chunks + Chunk) * Stride);
      }
    }
    return Out;
  }
  std::vector<u16> closedRows() const {
    num::FlushDenormals Flush;
    std::vector<u16> Out;
    for (u32 T = 0; T < tokens; ++T)
      for (u16 Bits : bf16Of(closed(T)))
        Out.push_back(Bits);
    return Out;
  }
  PreWant pre(const std::vector<u16> &Streams, const Floats &Partials) const {
    num::FlushDenormals Flush;
    PreWant Want;
    for (u32 T = 0; T < tokens; ++T) {
      Floats M = mixOf(&Partials[T * Chunks * mixStride(Mix::Rows)], Mix::Rows,
                       Pre::NormEps);
      Floats Comb(C * C);
      for (u32 J = 0; J < C; ++J)
        Want.post.push_back(2 *
                            num::sigmoid(M[C + J] * scale[1] + base[C + J]));
      for (u32 I = 0; I < C * C; ++I)
        Comb[I] = M[2 * C + I] * scale[2] + base[2 * C + I];
      num::sinkhorn(Comb.data(), C, Pre::Iterations, Pre::HcEps);
      append(Want.comb, Comb);
      Floats X = inputOf(floatsOf(&Streams[T * C * D], C * D), M, scale[0],
                         base, floatsOf(norm.data(), D));
      append(Want.x, X);
      num::fakeQuantizeE4M3(X.data(), D, 128);
      append(Want.xq, X);
    }
    return Want;
  }

  u32 tokens;
  std::vector<u16> streams, out, norm;
  Floats post, comb, fn, scale, base;
};

void expectPartials(Global<float> Got, const Floats &Want, u32 Rows) {
  u32 Stride = mixStride(Rows);
  EXPECT_TRUE(sameWhere(contents(Got, Want.size()), Want,
                        [=](size_t I) { return I % Stride <= Rows; }));
}

class HyperPhasesTest : public testing::TestWithParam<u32> {};
INSTANTIATE_TEST_SUITE_P(Tokens, HyperPhasesTest, testing::Values(1, 2, 7));

TEST_P(HyperPhasesTest, MixClosesAndDots) {
  Boundary B(GetParam());
  StepMemory Step(B.tokens);
  Floats Want = B.partials(true, Mix::Rows);
  std::vector<u16> Closed = B.closedRows();
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    HcMixParams P{S,
                  Emu.input("streams", B.streams),
                  Emu.input("out", B.out),
                  Emu.input("post", B.post),
                  Emu.input("comb", B.comb),
                  Emu.input("fn", B.fn),
                  Emu.scratch<u16>("closed", Closed.size()),
                  Emu.scratch<float>("partials", Want.size())};
    Emu.launch("hc_mix", Grid, {HcMixPlan<Mix>::Threads},
               HcMixPlan<Mix>::SharedBytes, DSV4_PHASE(P, hcMix, Mix));
    return [=, &Want, &Closed] {
      expectPartials(P.partials, Want, Mix::Rows);
      EXPECT_SAME(contents(P.streamsOut, Closed.size()), Closed);
    };
  });
}

TEST_P(HyperPhasesTest, MixOfTheHeadOnlyDots) {
  Boundary B(GetParam());
  StepMemory Step(B.tokens);
  Floats Want = B.partials(false, C);
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    HcMixParams P{};
    P.step = S;
    P.streamsIn = Emu.input("streams", B.streams);
    P.fn = Emu.input("fn", B.fn);
    P.partials = Emu.scratch<float>("partials", Want.size());
    Emu.launch("hc_mix", Grid, {HcMixPlan<HeadMix>::Threads},
               HcMixPlan<HeadMix>::SharedBytes, DSV4_PHASE(P, hcMix, HeadMix));
    return [=, &Want] { expectPartials(P.partials, Want, C); };
  });
}

template <class Config>
HcPreParams preParams(Emulator &Emu, const dsv4_step *S, const Boundary &B,
                      Global<const float> Partials, Global<const u16> Streams) {
  HcPreParams P{};
  P.step = S;
  P.partials = Partials;
  P.streamsIn = Streams;
  P.scale = Emu.input("scale", B.scale);
  P.base = Emu.input("base", B.base);
  P.norm = Emu.input("norm", B.norm);
  P.x = Emu.scratch<u16>("x", B.tokens * D);
  if (Config::Quantised)
    P.xq = Emu.scratch<u16>("xq", B.tokens * D);
  P.post = Emu.scratch<float>("post", B.tokens * C);
  P.comb = Emu.scratch<float>("comb", B.tokens * C * C);
  return P;
}

template <class Config>
void expectPre(const HcPreParams &P, const PreWant &Want) {
  EXPECT_SAME(contents(P.x, Want.x.size()), bf16Of(Want.x));
  if (Config::Quantised) {
    EXPECT_SAME(contents(P.xq, Want.xq.size()), bf16Of(Want.xq));
  }
  EXPECT_SAME(bitsOf(contents(P.post, Want.post.size())), bitsOf(Want.post));
  EXPECT_SAME(bitsOf(contents(P.comb, Want.comb.size())), bitsOf(Want.comb));
}

template <class Config> void checkPre(u32 Tokens) {
  Boundary B(Tokens);
  StepMemory Step(Tokens);
  Floats Partials = B.partials(false, Mix::Rows);
  PreWant Want = B.pre(B.streams, Partials);
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    auto P = preParams<Config>(Emu, S, B, Emu.input("partials", Partials),
                               Emu.input("streams", B.streams));
    Emu.launch("hc_pre", Grid, {HcPrePlan<Config>::Threads},
               HcPrePlan<Config>::SharedBytes, DSV4_PHASE(P, hcPre, Config));
    return [=, &Want] { expectPre<Config>(P, Want); };
  });
}

TEST_P(HyperPhasesTest, PreMixesNormsAndQuantises) {
  checkPre<Pre>(GetParam());
}
TEST_P(HyperPhasesTest, PreWithoutQuantisedCopy) {
  checkPre<PlainPre>(GetParam());
}

/// One boundary as linked: hc_pre starts early and waits for hc_mix.
TEST_P(HyperPhasesTest, BoundaryByDependentLaunches) {
  Boundary B(GetParam());
  StepMemory Step(B.tokens);
  Floats Partials = B.partials(true, Mix::Rows);
  std::vector<u16> Closed = B.closedRows();
  PreWant Want = B.pre(Closed, Partials);
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    HcMixParams M{S,
                  Emu.input("streams", B.streams),
                  Emu.input("out", B.out),
                  Emu.input("post", B.post),
                  Emu.input("comb", B.comb),
                  Emu.input("fn", B.fn),
                  Emu.scratch<u16>("closed", Closed.size()),
                  Emu.scratch<float>("partials", Partials.size())};
    auto First =
        Emu.launch("hc_mix", Grid, {HcMixPlan<Mix>::Threads},
                   HcMixPlan<Mix>::SharedBytes, DSV4_PHASE(M, hcMix, Mix));
    auto P = preParams<Pre>(Emu, S, B, M.partials, M.streamsOut);
    Emu.launch("hc_pre", {2}, {HcPrePlan<Pre>::Threads},
               HcPrePlan<Pre>::SharedBytes, DSV4_PHASE(P, hcPre, Pre),
               {{First, Edge::Programmatic}});
    return [=, &Want] { expectPre<Pre>(P, Want); };
  });
}

TEST_P(HyperPhasesTest, HeadReducesWantedRows) {
  Boundary B(GetParam());
  StepMemory Step(B.tokens);
  Step.output = {i32(B.tokens - 1)};
  if (B.tokens > 2)
    Step.output = {i32(B.tokens - 1), 1, 4};
  Step.step.outputs = i64(Step.output.size());
  Floats Partials = B.partials(false, C), Want;
  {
    num::FlushDenormals Flush;
    for (i32 T : Step.output)
      append(Want, inputOf(B.streamsOf(u32(T)),
                           mixOf(&Partials[T * Chunks * mixStride(C)], C,
                                 Pre::NormEps),
                           B.scale[0], B.base, floatsOf(B.norm.data(), D)));
  }
  forSchedules(Step, [&](Emulator &Emu, const dsv4_step *S, Dim Grid) {
    HcHeadParams P{S,
                   Emu.input("partials", Partials),
                   Emu.input("streams", B.streams),
                   Emu.input("scale", B.scale),
                   Emu.input("base", B.base),
                   Emu.input("norm", B.norm),
                   Emu.scratch<u16>("x", Want.size())};
    Emu.launch("hc_head", Grid, {HcHeadPlan<Pre>::Threads},
               HcHeadPlan<Pre>::SharedBytes, DSV4_PHASE(P, hcHead, Pre));
    return
        [=, &Want] { EXPECT_SAME(contents(P.x, Want.size()), bf16Of(Want)); };
  });
}

} // namespace
