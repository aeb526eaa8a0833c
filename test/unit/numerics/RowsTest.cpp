// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row operations and sums against plain double arithmetic, and against values
// worked out by hand.

#include "runtime/numerics/attention.h"
#include "runtime/numerics/hyper.h"
#include "runtime/numerics/moe.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace dsv4;

namespace {

std::vector<float> randomRow(size_t N, unsigned Seed) {
  std::mt19937 Random(Seed);
  std::vector<float> Row(N);
  for (float &X : Row)
    X = num::roundBf16(float(int32_t(Random()) >> 8) * 0x1p-21f);
  return Row;
}

TEST(Rows, DotIsTheSumOfProducts) {
  auto X = randomRow(256, 1), W = randomRow(256, 2);
  std::vector<float> Scales = {1, 2, 0.5, 4, 1, 0.25, 8, 1};
  double Want = 0, Size = 0;
  for (int I = 0; I < 256; ++I) {
    Want += double(X[I]) * W[I] * Scales[I / 32];
    Size += std::fabs(double(X[I]) * W[I] * Scales[I / 32]);
  }
  EXPECT_NEAR(num::dot(X.data(), W.data(), Scales.data(), 256), Want,
              1e-6 * Size);
}

TEST(Rows, DotTakesTheOddElementFirst) {
  // 2^24 + 1 + 1: one order loses both ones, the other keeps their sum.
  std::vector<float> X(32, 0.0f), W(32, 1.0f);
  X[1] = 0x1p24f;
  X[0] = 1.0f;
  EXPECT_EQ(num::dot(X.data(), W.data(), nullptr, 32), 0x1p24f);
  X[1] = 1.0f;
  X[0] = 0x1p24f;
  X[3] = 1.0f; // behind 2^24 + 1 -> 2^24: lost
  EXPECT_EQ(num::dot(X.data(), W.data(), nullptr, 32), 0x1p24f);
}

TEST(Rows, TreeAddsLanesEightApart) {
  float Lanes[16] = {0x1p24f};
  Lanes[8] = 1.0f; // lost beside 2^24
  Lanes[1] = 1.0f;
  Lanes[9] = 1.0f; // 2, which survives
  EXPECT_EQ(num::treeSum(Lanes), 0x1p24f + 2);
}

TEST(Rows, NormHasUnitMeanSquare) {
  auto X = randomRow(512, 3);
  std::vector<float> W(512, 1.0f), Y(512);
  num::rmsNorm(X.data(), W.data(), Y.data(), 512, 1e-6f);
  double Square = 0;
  for (float V : Y)
    Square += double(V) * V / 512;
  EXPECT_NEAR(Square, 1, 1e-2);
}

TEST(Rows, RopeBackwardsUndoesIt) {
  auto X = randomRow(128, 4), Y = X;
  std::vector<float> Freqs = {1.0f, 0.5f, 0.25f, 0.01f};
  num::rope(Y.data(), 128, Freqs.data(), 4, 77, false);
  EXPECT_NE(X, Y);
  num::rope(Y.data(), 128, Freqs.data(), 4, 77, true);
  for (int I = 0; I < 120; ++I)
    EXPECT_EQ(X[I], Y[I]);
  for (int I = 120; I < 128; ++I)
    EXPECT_NEAR(X[I], Y[I], 0.02 * (1 + std::fabs(X[I])));
}

TEST(Rows, QuantisationLiesOnItsGridAndIsIdempotent) {
  auto X = randomRow(256, 5);
  num::fakeQuantizeE4M3(X.data(), 256, 128);
  auto Again = X;
  num::fakeQuantizeE4M3(Again.data(), 256, 128);
  EXPECT_EQ(X, Again);
  auto Z = randomRow(64, 6);
  num::fakeQuantizeE2M1(Z.data(), 64);
  Again = Z;
  num::fakeQuantizeE2M1(Again.data(), 64);
  EXPECT_EQ(Z, Again);
}

TEST(Rows, ScaleIsTheSmallestPowerOfTwoThatFits) {
  float Exact[] = {448.0f}, Above[] = {449.0f}, Tiny[] = {0.0f};
  auto Exponent = [](float *X) {
    return int(num::scaleByte(X, 1, 1e-4f, float(1.0 / 448))) - 127;
  };
  EXPECT_EQ(Exponent(Exact), 0);
  EXPECT_EQ(Exponent(Above), 1);
  EXPECT_EQ(Exponent(Tiny), -22); // floor 1e-4
}

TEST(Rows, HadamardTwiceIsTheIdentity) {
  auto X = randomRow(128, 7), Y = X;
  num::hadamard(Y.data(), 128);
  num::hadamard(Y.data(), 128);
  for (int I = 0; I < 128; ++I)
    EXPECT_NEAR(X[I], Y[I], 0.05);
}

TEST(Hyper, SinkhornIsNearlyDoublyStochastic) {
  float M[16];
  for (int I = 0; I < 16; ++I)
    M[I] = float(I % 5) - 2;
  num::sinkhorn(M, 4, 20, 1e-6f);
  for (int R = 0; R < 4; ++R) {
    EXPECT_NEAR(M[4 * R] + M[4 * R + 1] + M[4 * R + 2] + M[4 * R + 3], 1, 1e-3);
    EXPECT_NEAR(M[R] + M[R + 4] + M[R + 8] + M[R + 12], 1, 1e-5);
  }
}

TEST(Hyper, TheFirstIndexOfCombIsTheSource) {
  // Stream 0 goes to stream 1 alone.
  float Streams[4] = {5, 7, 0, 0}, Comb[4] = {0, 1, 0, 0};
  float Post[2] = {0, 0}, Out[2] = {0, 0}, To[4];
  num::closeSublayer(Out, Streams, Post, Comb, To, 2, 2);
  EXPECT_EQ(To[0], 0);
  EXPECT_EQ(To[2], 5);
  EXPECT_EQ(To[3], 7);
}

TEST(Attention, SinkTakesItsShare) {
  float Q[32] = {}, Row[32] = {}, Scores[1], Out[32];
  Row[0] = 8;
  const float *Rows[] = {Row};
  // One row of score 0 and a sink of 0: half of the row.
  num::attendHead(Q, Rows, 1, 32, 1, 0, Scores, Out);
  EXPECT_EQ(Out[0], 4);
}

TEST(Attention, LargestPrefersLowerIndices) {
  float Scores[] = {1, 3, 3, 2, 3};
  bool Mark[5];
  num::markLargest(Scores, 5, 2, Mark);
  EXPECT_TRUE(Mark[1] && Mark[2]);
  EXPECT_FALSE(Mark[0] || Mark[3] || Mark[4]);
}

TEST(Moe, BiasChoosesButDoesNotWeigh) {
  float Scores[] = {1, 2, 3}, Bias[] = {5, 0, 0}, Weights[2];
  int32_t Ids[2];
  num::selectExperts(Scores, Bias, 3, 2, Ids);
  EXPECT_EQ(Ids[0], 0);
  EXPECT_EQ(Ids[1], 2);
  num::weighExperts(Scores, Ids, 2, 1.5f, Weights);
  EXPECT_FLOAT_EQ(Weights[0], 0.375f);
  EXPECT_FLOAT_EQ(Weights[1], 1.125f);
}

TEST(Moe, SwigluClamps) {
  EXPECT_EQ(num::swiglu(100, 1, 1, 10), num::swiglu(10, 1, 1, 10));
  EXPECT_EQ(num::swiglu(1, -100, 1, 10), num::swiglu(1, -10, 1, 10));
  EXPECT_LT(num::swiglu(-100, 1, 1, 10), 0.001f); // from above only
}

} // namespace
