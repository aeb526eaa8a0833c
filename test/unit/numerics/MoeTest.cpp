// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing and the gated unit of experts (R9, R10).

#include "runtime/numerics/moe.h"
#include "test/unit/numerics/NumericsTestSupport.h"

using namespace dsv4;
using namespace dsv4::num::test;

namespace {

TEST(RouterScore, RootOfSoftplus) {
  for (float X = -30; X < 40; X += 0.37f) {
    double Want = std::sqrt(std::log1p(std::exp(double(X))));
    EXPECT_NEAR(num::routerScore(X), Want, Want * 4e-7) << X;
  }
  EXPECT_EQ(num::routerScore(25.0f), 5.0f);
  EXPECT_EQ(num::routerScore(-200.0f), 0.0f);
}

TEST(SelectExperts, BiasDecidesButLowerIdFirstAmongEquals) {
  Floats Scores = {1, 2, 3, 3, 0}, Bias = {0, 0, 0, 0, 3.5f};
  int32_t Ids[4];
  num::selectExperts(Scores.data(), Bias.data(), 5, 4, Ids);
  EXPECT_EQ(std::vector<int32_t>(Ids, Ids + 4),
            (std::vector<int32_t>{4, 2, 3, 1})); // selection order
}

TEST(WeighExperts, SharesWithoutBiasTimesScale) {
  Floats Scores = {1, 0, 2, 5}, Weights(3);
  const int32_t Ids[] = {2, 0, 3};
  num::weighExperts(Scores.data(), Ids, 3, 1.5f, Weights.data());
  EXPECT_EQ(Weights,
            (Floats{2.0f / 8 * 1.5f, 1.0f / 8 * 1.5f, 5.0f / 8 * 1.5f}));
  // The sum runs in the order of the ids: 1 is lost in 2^24 twice.
  Floats Wide = {0x1p+24f, 1, 1};
  const int32_t Order[] = {0, 1, 2}, Other[] = {1, 2, 0};
  num::weighExperts(Wide.data(), Order, 3, 1, Weights.data());
  EXPECT_EQ(Weights[0], 1.0f);
  num::weighExperts(Wide.data(), Other, 3, 1, Weights.data());
  EXPECT_LT(Weights[2], 1.0f);
}

TEST(WeighExperts, DivisionComesBeforeTheScale) {
  bool Matters = false;
  const int32_t Ids[] = {0, 1};
  for (float S = 0.1f; S < 3; S += 0.07f) {
    Floats Scores = {S, 0.7f}, Weights(2);
    num::weighExperts(Scores.data(), Ids, 2, 1.5f, Weights.data());
    ASSERT_EQ(Weights[0], S / (S + 0.7f) * 1.5f);
    Matters |= Weights[0] != S * 1.5f / (S + 0.7f);
  }
  EXPECT_TRUE(Matters);
}

TEST(Swiglu, ClampsGateFromAboveAndUpFromBoth) {
  float At10 = num::roundBf16(10 * num::sigmoid(10) * 10);
  EXPECT_EQ(num::swiglu(50, 50, 1, 10), At10);
  EXPECT_EQ(num::swiglu(50, -50, 1, 10), -At10);
  // A very negative gate is not clamped: sigmoid takes it to zero.
  EXPECT_NEAR(num::swiglu(-90, 1, 1, 10), 0, 1e-30);
  EXPECT_EQ(num::swiglu(-20, 1, 1, 10),
            num::roundBf16(-20 * num::sigmoid(-20)));
}

TEST(Swiglu, WeightComesBeforeTheRounding) {
  bool Differs = false;
  for (float G = 0.1f; G < 3; G += 0.1f) {
    float H = G * num::sigmoid(G) * 1.5f;
    EXPECT_EQ(num::swiglu(G, 1.5f, 0.3f, 10), num::roundBf16(0.3f * H));
    Differs |=
        num::roundBf16(0.3f * H) != num::roundBf16(0.3f * num::roundBf16(H));
  }
  EXPECT_TRUE(Differs);
}

} // namespace
