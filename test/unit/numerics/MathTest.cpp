// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions against the C library in double, within the bounds that
// docs/numerics.md states, and their edges.

#include "runtime/numerics/math.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace dsv4;

namespace {

TEST(Math, ExpIsWithinItsBound) {
  double Worst = 0;
  for (double X = -86.99; X < 87; X += 0.00037) {
    double Want = std::exp(double(float(X)));
    Worst = std::max(Worst, std::fabs(num::exp(float(X)) - Want) / Want);
  }
  EXPECT_LT(Worst, 1e-7);
}

TEST(Math, ExpAtTheEdges) {
  EXPECT_EQ(num::exp(0), 1.0f);
  EXPECT_EQ(num::exp(-87.1f), 0.0f);
  EXPECT_EQ(num::exp(-INFINITY), 0.0f);
  EXPECT_EQ(num::exp(1000), num::exp(88));
  EXPECT_EQ(num::sigmoid(1000), 1.0f);
  EXPECT_EQ(num::sigmoid(0), 0.5f);
}

TEST(Math, SoftplusIsWithinItsBound) {
  double Worst = 0;
  for (double X = -60; X < 60; X += 0.0017) {
    double Want = std::log1p(std::exp(double(float(X))));
    Worst = std::max(Worst, std::fabs(num::softplus(float(X)) - Want) / Want);
  }
  EXPECT_LT(Worst, 2.5e-7);
}

TEST(Math, SineAndCosineUpToAMillionRadians) {
  double Worst = 0;
  for (double X = 0; X < 1.1e6; X += 0.73) {
    num::CosSin Got = num::cosSin(float(X));
    Worst = std::max(Worst, std::fabs(Got.cos - std::cos(double(float(X)))));
    Worst = std::max(Worst, std::fabs(Got.sin - std::sin(double(float(X)))));
  }
  EXPECT_LT(Worst, 3.1e-8);
  EXPECT_EQ(num::cosSin(0).cos, 1.0f);
  EXPECT_EQ(num::cosSin(0).sin, 0.0f);
}

} // namespace
