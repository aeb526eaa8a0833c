// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions against long double. The bounds are the measured errors
// that docs/numerics.md states, rounded up.

#include "runtime/numerics/math.h"
#include "runtime/numerics/denormals.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>

namespace num = dsv4::num;

namespace {

/// Distance in units in the last place of the float nearest to Want.
double ulps(float Got, long double Want) {
  float Nearest = std::fabs(float(Want));
  double Unit = double(std::nextafterf(Nearest, INFINITY)) - Nearest;
  return double(std::fabs(Got - Want) / Unit);
}

/// Largest error over evenly spaced bit patterns of one sign in [Low, High].
template <class Function, class Reference>
double worst(float Low, float High, Function F, Reference R) {
  num::FlushDenormals Flush;
  double Worst = 0;
  uint32_t First = num::bitsOf(Low), Last = num::bitsOf(High);
  if (First > Last)
    std::swap(First, Last);
  uint32_t Step = std::max(1u, (Last - First) / 400000);
  for (uint32_t Bits = First; Bits <= Last && Bits >= First; Bits += Step) {
    float X = num::floatOfBits(Bits);
    Worst = std::max(Worst, ulps(F(X), R((long double)X)));
  }
  return Worst;
}

void print(const char *Name, double Ulps) {
  ::testing::Test::RecordProperty(Name, std::to_string(Ulps));
  printf("%s: at most %.3f ulp\n", Name, Ulps);
}

TEST(Math, Exp) {
  auto Want = [](long double X) { return std::exp(X); };
  double Worst = std::max(worst(-0x1p-30f, -87.0f, num::exp, Want),
                          worst(0x1p-30f, 88.0f, num::exp, Want));
  print("exp", Worst);
  EXPECT_LT(Worst, 1.0);
}

TEST(Math, ExpAtItsEnds) {
  EXPECT_EQ(num::exp(0.0f), 1.0f);
  EXPECT_EQ(num::exp(-0.0f), 1.0f);
  EXPECT_GT(num::exp(-87.0f), 0.0f);
  EXPECT_EQ(num::exp(std::nextafterf(-87.0f, -INFINITY)), 0.0f);
  EXPECT_EQ(num::exp(-1e30f), 0.0f);
  EXPECT_EQ(num::exp(-INFINITY), 0.0f);
  EXPECT_EQ(num::exp(100.0f), num::exp(88.0f));
  EXPECT_TRUE(std::isfinite(num::exp(INFINITY)));
}

TEST(Math, ExpIsMonotonic) {
  float Before = 0;
  for (float X = -87.5f; X < 88.5f; X += 0x1p-12f) {
    float Y = num::exp(X);
    ASSERT_GE(Y, Before) << X;
    Before = Y;
  }
}

TEST(Math, Sigmoid) {
  auto Want = [](long double X) { return 1 / (1 + std::exp(-X)); };
  double Worst = std::max(worst(-0x1p-30f, -86.0f, num::sigmoid, Want),
                          worst(0x1p-30f, 100.0f, num::sigmoid, Want));
  print("sigmoid", Worst);
  EXPECT_LT(Worst, 2.5);
  EXPECT_EQ(num::sigmoid(0.0f), 0.5f);
  EXPECT_EQ(num::sigmoid(INFINITY), 1.0f);
}

TEST(Math, Log1p) {
  auto Want = [](long double X) { return std::log1p(X); };
  double Worst = worst(0x1p-100f, 1.0f, num::log1p, Want);
  print("log1p", Worst);
  EXPECT_LT(Worst, 3.0);
  EXPECT_EQ(num::log1p(0.0f), 0.0f);
}

TEST(Math, Softplus) {
  auto Want = [](long double X) { return std::log1p(std::exp(X)); };
  double Worst = std::max(worst(-0x1p-30f, -86.0f, num::softplus, Want),
                          worst(0x1p-30f, 100.0f, num::softplus, Want));
  print("softplus", Worst);
  EXPECT_LT(Worst, 3.5);
}

/// Angles as RoPE forms them: positions up to 2^20 times frequencies up to 1.
TEST(Math, CosSinIsCorrectlyRounded) {
  num::FlushDenormals Flush;
  std::mt19937 Random(3);
  std::uniform_real_distribution<float> Log(-13.9f, 0.0f);
  int64_t Wrong = 0;
  for (int I = 0; I < 500000; ++I) {
    float Angle = float(Random() % (1u << 20)) * std::exp(Log(Random));
    num::CosSin Got = num::cosSin(Angle);
    Wrong += Got.cos != float(std::cos((long double)Angle));
    Wrong += Got.sin != float(std::sin((long double)Angle));
  }
  EXPECT_EQ(Wrong, 0);
}

TEST(Math, CosSinOfWholePositions) {
  for (int P = 0; P < 1 << 20; P += 7) {
    num::CosSin Got = num::cosSin(float(P));
    ASSERT_EQ(Got.cos, float(std::cos((long double)P))) << P;
    ASSERT_EQ(Got.sin, float(std::sin((long double)P))) << P;
  }
  EXPECT_EQ(num::cosSin(0.0f).cos, 1.0f);
  EXPECT_EQ(num::bitsOf(num::cosSin(0.0f).sin), 0u);
}

TEST(Math, CosSinOfNegativeAngles) {
  for (float A = 0.01f; A < 100; A += 0.37f) {
    EXPECT_EQ(num::cosSin(-A).cos, num::cosSin(A).cos);
    EXPECT_EQ(num::cosSin(-A).sin, -num::cosSin(A).sin);
  }
}

} // namespace
