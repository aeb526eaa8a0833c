// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.hc_mix, kern.hc_pre and kern.hc_head against scalar loops, bit for bit.

#include "test/unit/cpu/PhaseHarness.h"
#include "test/unit/cpu/RandomMatrix.h"
#include "test/unit/cpu/ScalarOps.h"

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

constexpr int64_t C = 4, D = 256, M = 24, Stride = 32, Chunks = D / 128;

class HyperTest : public LevelTest {};
DSV4_ALL_LEVELS(HyperTest);

/// R2: dots of one chunk with every row of fn [rows, C D], and the squares.
Floats partialOf(const float *X, const float *Fn, int64_t Rows, int64_t Part) {
  Floats Out(Rows + 1);
  for (int64_t R = 0; R < Rows; ++R) {
    float Partial = 0;
    for (int64_t J = 0; J < C; ++J)
      for (int64_t G = 0; G < 128; G += 32) {
        float Chain = 0;
        for (int64_t I = 0; I < 32; ++I) {
          int64_t At = J * D + Part * 128 + G + I;
          Chain = std::fma(X[At], Fn[R * C * D + At], Chain);
        }
        Partial += Chain;
      }
    Out[R] = Partial;
  }
  std::array<float, 16> Acc = {};
  for (int64_t J = 0; J < C; ++J)
    for (int64_t I = 0; I < 128; ++I) {
      float V = X[J * D + Part * 128 + I];
      Acc[I % 16] = std::fma(V, V, Acc[I % 16]);
    }
  Out[Rows] = treeR3(Acc);
  return Out;
}

TEST_P(HyperTest, MixClosesAndDots) {
  PhaseKernel Kernel(GetParam(), R"(
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn" : !qfmt.weight<24x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>) post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>) fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64})");
  constexpr int64_t Tokens = 7; // four and a rest
  Buffer S = randomBf16(Tokens * C * D), Out = randomBf16(Tokens * D);
  Buffer Post = randomF32(Tokens * C), Comb = randomF32(Tokens * C * C);
  Buffer Fn = randomF32(M * C * D), T(Tokens * C * D * 2);
  Buffer Packed(2 * tileBytes(TileFormat::F32, C * D));
  packTiles(TileFormat::F32, C * D, M, 0, 2, Fn.data(), nullptr, Packed.data());
  Buffer P(Tokens * Chunks * Stride * 4);
  StepRows Rows(Tokens);
  Kernel.run(Rows,
             {S.data(), Out.data(), Post.data(), Comb.data(), Packed.data(),
              T.data(), P.data()},
             Tokens * Chunks);
  FlushDenormals Flush;
  for (int64_t Token = 0; Token < Tokens; ++Token) {
    Floats X = floatsOf(S.as<uint16_t>() + Token * C * D, C * D);
    Floats O = floatsOf(Out.as<uint16_t>() + Token * D, D), Next(C * D);
    for (int64_t K = 0; K < C; ++K)
      for (int64_t I = 0; I < D; ++I) {
        float Sum = Post.as<float>()[Token * C + K] * O[I]; // R11: first
        for (int64_t J = 0; J < C; ++J)
          Sum = std::fma(Comb.as<float>()[Token * C * C + J * C + K],
                         X[J * D + I], Sum);
        Next[K * D + I] = bf(Sum);
      }
    ASSERT_EQ(floatsOf(T.as<uint16_t>() + Token * C * D, C * D), Next);
    for (int64_t Part = 0; Part < Chunks; ++Part) {
      Floats Want = partialOf(Next.data(), Fn.as<float>(), M, Part);
      const float *Got = P.as<float>() + (Token * Chunks + Part) * Stride;
      for (int64_t R = 0; R <= M; ++R)
        ASSERT_EQ(Got[R], Want[R]) << Token << ' ' << Part << ' ' << R;
    }
  }
}

/// R6 on a C x C matrix of logits.
Floats sinkhorn(Floats X, int Iterations, float Eps) {
  auto Rows = [&] {
    for (int64_t J = 0; J < C; ++J) {
      float Sum = 0;
      for (int64_t K = 0; K < C; ++K)
        Sum += X[J * C + K];
      for (int64_t K = 0; K < C; ++K)
        X[J * C + K] /= Sum + Eps;
    }
  };
  auto Columns = [&] {
    for (int64_t K = 0; K < C; ++K) {
      float Sum = 0;
      for (int64_t J = 0; J < C; ++J)
        Sum += X[J * C + K];
      for (int64_t J = 0; J < C; ++J)
        X[J * C + K] /= Sum + Eps;
    }
  };
  for (int64_t J = 0; J < C; ++J) {
    float Max = *std::max_element(&X[J * C], &X[J * C] + C), Sum = 0;
    for (int64_t K = 0; K < C; ++K)
      Sum += X[J * C + K] = num::exp(X[J * C + K] - Max);
    for (int64_t K = 0; K < C; ++K)
      X[J * C + K] = X[J * C + K] / Sum + Eps;
  }
  Columns();
  for (int I = 1; I < Iterations; ++I) {
    Rows();
    Columns();
  }
  return X;
}

/// m_i of the partials: dots summed over chunks, times 1 / rms.
Floats mixOf(const float *P, int64_t Rows, int64_t RowStride, float Eps) {
  Floats Sum(Rows + 1);
  for (int64_t Part = 0; Part < Chunks; ++Part)
    for (int64_t R = 0; R <= Rows; ++R)
      Sum[R] += P[Part * RowStride + R];
  float R = 1.0f / std::sqrt(Sum[Rows] / float(C * D) + Eps);
  for (float &V : Sum)
    V *= R;
  return Sum;
}

/// bf16(sum_j pre_j X_j), normed.
Floats reduced(const Floats &Pre, const Floats &X, const Floats &Norm) {
  Floats Y(D);
  for (int64_t I = 0; I < D; ++I) {
    float Sum = 0;
    for (int64_t J = 0; J < C; ++J)
      Sum = std::fma(Pre[J], X[J * D + I], Sum);
    Y[I] = bf(Sum);
  }
  return rmsNorm(Y, Norm, 1e-6f);
}

TEST_P(HyperTest, PreMixesNormsAndQuantises) {
  PhaseKernel Kernel(GetParam(), R"(
  %p = kern.buffer "p" : <token, 64, f32>
  %s = kern.buffer "s" : <token, 1024, bf16>
  %scale = kern.weight "scale" : !qfmt.weight<3, f32>
  %base = kern.weight "base" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  kern.hc_pre "p" partials(%p : !kern.buffer<token, 64, f32>) streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>) norm(%norm : !qfmt.weight<256, bf16>)
    x(%x : !kern.buffer<token, 256, bf16>) xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>) comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32})");
  constexpr int64_t Tokens = 3;
  Buffer P = randomF32(Tokens * Chunks * Stride, 60);
  for (int64_t I = 0; I < Tokens * Chunks; ++I)
    P.as<float>()[I * Stride + M] = 900.0f + float(I); // squares
  Buffer S = randomBf16(Tokens * C * D), Scale = randomF32(16, 2);
  Buffer Base = randomF32(32, 2), Norm = randomBf16(D, 1);
  Buffer X(Tokens * D * 2), Xq(Tokens * D * 2), Post(Tokens * C * 4),
      Comb(Tokens * C * C * 4);
  StepRows Rows(Tokens);
  Kernel.run(Rows,
             {P.data(), S.data(), Scale.data(), Base.data(), Norm.data(),
              X.data(), Xq.data(), Post.data(), Comb.data()},
             Tokens);
  FlushDenormals Flush;
  const float *Sc = Scale.as<float>(), *Ba = Base.as<float>();
  for (int64_t T = 0; T < Tokens; ++T) {
    Floats Mix = mixOf(P.as<float>() + T * Chunks * Stride, M, Stride, 1e-6f);
    Floats Pre(C), Logits(C * C);
    for (int64_t J = 0; J < C; ++J) {
      Pre[J] = num::sigmoid(Mix[J] * Sc[0] + Ba[J]) + 1e-6f;
      ASSERT_EQ(Post.as<float>()[T * C + J],
                2 * num::sigmoid(Mix[C + J] * Sc[1] + Ba[C + J]));
    }
    for (int64_t I = 0; I < C * C; ++I)
      Logits[I] = Mix[2 * C + I] * Sc[2] + Ba[2 * C + I];
    Floats Want = sinkhorn(Logits, 20, 1e-6f);
    for (int64_t I = 0; I < C * C; ++I)
      ASSERT_EQ(Comb.as<float>()[T * C * C + I], Want[I]) << T << ' ' << I;
    Floats Y = reduced(Pre, floatsOf(S.as<uint16_t>() + T * C * D, C * D),
                       floatsOf(Norm.as<uint16_t>(), D));
    ASSERT_EQ(floatsOf(X.as<uint16_t>() + T * D, D), Y);
    quantizeE4M3(Y.data(), D, 128);
    ASSERT_EQ(floatsOf(Xq.as<uint16_t>() + T * D, D), Y);
  }
}

TEST_P(HyperTest, HeadReducesWantedRows) {
  PhaseKernel Kernel(GetParam(), R"(
  %p = kern.buffer "p" : <token, 32, f32>
  %s = kern.buffer "s" : <token, 1024, bf16>
  %scale = kern.weight "scale" : !qfmt.weight<1, f32>
  %base = kern.weight "base" : !qfmt.weight<4, f32>
  %norm = kern.weight "norm" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <output, 256, bf16>
  kern.hc_head "h" partials(%p : !kern.buffer<token, 32, f32>) streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<1, f32>) base(%base : !qfmt.weight<4, f32>) norm(%norm : !qfmt.weight<256, bf16>)
    x(%x : !kern.buffer<output, 256, bf16>)
    {streams = 4 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32})");
  constexpr int64_t Tokens = 4, Outputs = 2, HeadStride = 16;
  Buffer P = randomF32(Tokens * Chunks * HeadStride, 60);
  for (int64_t I = 0; I < Tokens * Chunks; ++I)
    P.as<float>()[I * HeadStride + C] = 800.0f;
  Buffer S = randomBf16(Tokens * C * D), Scale = randomF32(16, 2);
  Buffer Base = randomF32(16, 2), Norm = randomBf16(D, 1);
  Buffer X(Outputs * D * 2);
  StepRows Rows(Tokens);
  Rows.output = {3, 1};
  Rows.step.output_row = Rows.output.data();
  Rows.step.outputs = Outputs;
  Kernel.run(
      Rows,
      {P.data(), S.data(), Scale.data(), Base.data(), Norm.data(), X.data()},
      Outputs);
  FlushDenormals Flush;
  for (int64_t O = 0; O < Outputs; ++O) {
    int64_t T = Rows.output[O];
    Floats Mix =
        mixOf(P.as<float>() + T * Chunks * HeadStride, C, HeadStride, 1e-6f);
    Floats Pre(C);
    for (int64_t J = 0; J < C; ++J)
      Pre[J] =
          num::sigmoid(Mix[J] * Scale.as<float>()[0] + Base.as<float>()[J]) +
          1e-6f;
    ASSERT_EQ(floatsOf(X.as<uint16_t>() + O * D, D),
              reduced(Pre, floatsOf(S.as<uint16_t>() + T * C * D, C * D),
                      floatsOf(Norm.as<uint16_t>(), D)));
  }
}

} // namespace
