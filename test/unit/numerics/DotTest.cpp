// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dot products (R1) and the sums of the hyper-connection mix (R2): inputs made
// so that another order, a lost scale or a second rounding changes the result.

#include "runtime/numerics/dot.h"
#include "test/unit/numerics/NumericsTestSupport.h"

using namespace dsv4;
using namespace dsv4::num::test;

namespace {

constexpr float Big = 0x1p+24f; // Big + 1 rounds to Big

TEST(Dot, OddElementOfEachPairComesFirst) {
  Floats X(32), Ones(32, 1.0f);
  X[1] = Big, X[0] = 1, X[3] = 1, X[2] = -Big;
  // Odd first: ((Big + 1) + 1) - Big = 0. Ascending it would be 1.
  EXPECT_EQ(num::dot(X.data(), Ones.data(), nullptr, 32), 0.0f);
  X[3] = -Big, X[2] = 1;
  EXPECT_EQ(num::dot(X.data(), Ones.data(), nullptr, 32), 1.0f);
}

TEST(Dot, EveryGroupOf32StartsAtZero) {
  Floats X(64, 1.0f), Ones(64, 1.0f);
  std::fill_n(X.begin(), 32, 0.0f);
  X[5] = Big;
  // 32 ones are summed before they meet Big; one by one they would be lost.
  EXPECT_EQ(num::dot(X.data(), Ones.data(), nullptr, 64), Big + 32);
}

TEST(Dot, GroupsComeAscending) {
  Floats X(96), Ones(96, 1.0f);
  X[0] = Big, X[32] = 1, X[64] = -Big;
  EXPECT_EQ(num::dot(X.data(), Ones.data(), nullptr, 96), 0.0f);
  X[32] = -Big, X[64] = 1;
  EXPECT_EQ(num::dot(X.data(), Ones.data(), nullptr, 96), 1.0f);
}

TEST(Dot, ScaleOfItsGroup) {
  Floats X(96, 1.0f), W(96, 0.5f), Scales = {2, 0.25f, 0x1p-20f};
  EXPECT_EQ(num::dot(X.data(), W.data(), Scales.data(), 96), 32 + 4 + 0x1p-16f);
}

TEST(Dot, ProductsAreNotRounded) {
  Floats X(32), W(32);
  X[0] = W[0] = 1 + 0x1p-12f; // the square needs 25 bits
  X[1] = -1, W[1] = 1;
  EXPECT_EQ(num::dot(X.data(), W.data(), nullptr, 32), 0x1p-11f + 0x1p-24f);
}

TEST(Dot, NearTheExactSum) {
  for (int64_t N : {32, 128, 4096}) {
    Floats X = randomBf16(N, 1), W = randomBf16(N, 2);
    double Want = 0, Size = 0;
    for (int64_t I = 0; I < N; ++I) {
      Want += double(X[I]) * W[I];
      Size += std::fabs(double(X[I]) * W[I]);
    }
    EXPECT_NEAR(num::dot(X.data(), W.data(), nullptr, N), Want, Size * 1e-5);
  }
}

TEST(MixDot, ChunksThenStreamsThenGroups) {
  // Two streams of 256: chunk 0 of both streams comes before chunk 1.
  Floats X(512), Ones(512, 1.0f);
  X[0] = Big, X[256] = 1, X[128] = -Big; // stream 1 chunk 0 is second
  EXPECT_EQ(num::mixDot(X.data(), Ones.data(), 2, 256), 0.0f);
  X[256] = -Big, X[128] = 1;
  EXPECT_EQ(num::mixDot(X.data(), Ones.data(), 2, 256), 1.0f);
}

TEST(MixDot, EveryChunkStartsAtZero) {
  Floats X(256), Ones(256, 1.0f);
  X[0] = Big, X[128] = X[160] = 1; // two chains of the second chunk
  EXPECT_EQ(num::mixDot(X.data(), Ones.data(), 1, 256), Big + 2);
}

TEST(MixDot, ChainsOf32AddToTheChunk) {
  Floats X(128), Ones(128, 1.0f);
  X[0] = Big;
  std::fill_n(X.begin() + 32, 32, 1.0f);
  EXPECT_EQ(num::mixDot(X.data(), Ones.data(), 1, 128), Big + 32);
  // Inside a chain the order is ascending.
  std::fill(X.begin(), X.end(), 0.0f);
  X[0] = Big, X[1] = 1, X[2] = -Big;
  EXPECT_EQ(num::mixDot(X.data(), Ones.data(), 1, 128), 0.0f);
}

TEST(MixDot, ProductsAreNotRounded) {
  Floats X(128), W(128);
  X[0] = -1, W[0] = 1;
  X[1] = W[1] = 1 + 0x1p-12f;
  EXPECT_EQ(num::mixDot(X.data(), W.data(), 1, 128), 0x1p-11f + 0x1p-24f);
}

TEST(MixSquares, SixteenLanesPerChunk) {
  // Lanes 0 and 1 hold 2^24 and 1; lanes 1 and 9 meet first in the tree.
  Floats X(128);
  X[0] = 0x1p+12f, X[1] = X[9] = 1;
  EXPECT_EQ(num::mixSquares(X.data(), 1, 128), Big + 2);
  X[1] = X[9] = 0, X[8] = X[24] = 1; // lane 8, not 0
  EXPECT_EQ(num::mixSquares(X.data(), 1, 128), Big + 2);
  // The same lane of another stream is absorbed one by one.
  Floats Y(256);
  Y[0] = 0x1p+12f, Y[16] = 1, Y[128] = 1;
  EXPECT_EQ(num::mixSquares(Y.data(), 2, 128), Big);
  // Another chunk has lanes of its own.
  Floats Z(256);
  Z[0] = 0x1p+12f, Z[128] = Z[144] = 1;
  EXPECT_EQ(num::mixSquares(Z.data(), 1, 256), Big + 2);
}

TEST(MixSquares, NearTheExactSum) {
  Floats X = randomBf16(4 * 512, 3);
  double Want = 0;
  for (float V : X)
    Want += double(V) * V;
  EXPECT_NEAR(num::mixSquares(X.data(), 4, 512), Want, Want * 1e-6);
}

} // namespace
