// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random rows for the tests of runtime/numerics.

#ifndef DSV4_TEST_UNIT_NUMERICS_NUMERICSTESTSUPPORT_H
#define DSV4_TEST_UNIT_NUMERICS_NUMERICSTESTSUPPORT_H

#include "runtime/numerics/formats.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace dsv4::num::test {

using Floats = std::vector<float>;

/// N normally distributed values on the BF16 grid.
inline Floats randomBf16(int64_t N, unsigned Seed, float Deviation = 1) {
  std::mt19937 Random(Seed);
  std::normal_distribution<float> Normal(0, Deviation);
  Floats Out(N);
  for (float &V : Out)
    V = roundBf16(Normal(Random));
  return Out;
}

/// Got is Want rounded to BF16, or a neighbour of that.
inline void expectNearBf16(float Got, double Want) {
  EXPECT_EQ(Got, roundBf16(Got)) << "not on the BF16 grid";
  EXPECT_NEAR(Got, Want, std::fabs(Want) * 0x1p-8 + 1e-30);
}

} // namespace dsv4::num::test

#endif // DSV4_TEST_UNIT_NUMERICS_NUMERICSTESTSUPPORT_H
