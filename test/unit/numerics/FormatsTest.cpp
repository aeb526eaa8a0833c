// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stored formats, exhaustively: every code decodes to its value, and rounding
// finds the nearest grid point, to even codes in the middle.

#include "runtime/numerics/formats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

using namespace dsv4::num;

namespace {

/// Nearest of the codes' values, the even code in the middle.
template <class Decode> float nearest(float X, int Codes, Decode Value) {
  int Best = 0;
  for (int C = 1; C < Codes; ++C) {
    double Now = std::fabs(double(Value(C)) - std::fabs(X));
    double Before = std::fabs(double(Value(Best)) - std::fabs(X));
    if (Now < Before || (Now == Before && C % 2 == 0))
      Best = C;
  }
  return std::copysign(Value(Best), X);
}

TEST(Formats, E4M3DecodesByDefinition) {
  for (int Code = 0; Code < 256; ++Code) {
    if ((Code & 0x7f) == 0x7f)
      continue; // NaN
    int Exponent = Code >> 3 & 15, Mantissa = Code & 7;
    double Value = Exponent ? std::ldexp(8 + Mantissa, Exponent - 10)
                            : std::ldexp(Mantissa, -9);
    EXPECT_EQ(e4m3ToFloat(Code), Code & 128 ? -Value : Value) << Code;
    EXPECT_EQ(e4m3Code(e4m3ToFloat(Code)), Code);
  }
}

TEST(Formats, E2M1DecodesByDefinition) {
  const float Values[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (int Code = 0; Code < 16; ++Code) {
    EXPECT_EQ(e2m1ToFloat(Code), Code & 8 ? -Values[Code & 7] : Values[Code]);
    EXPECT_EQ(e2m1Code(e2m1ToFloat(Code)), Code);
  }
}

TEST(Formats, E4M3RoundsToNearestEven) {
  for (float X = -448; X <= 448; X += 0.03125f)
    ASSERT_EQ(roundE4M3(X), nearest(X, 127, e4m3ToFloat)) << X;
  for (float X = -0.07f; X <= 0.07f; X += 0x1p-13f)
    ASSERT_EQ(roundE4M3(X), nearest(X, 127, e4m3ToFloat)) << X;
}

TEST(Formats, E2M1RoundsToNearestEven) {
  for (float X = -6; X <= 6; X += 0x1p-7f)
    ASSERT_EQ(roundE2M1(X), nearest(X, 8, e2m1ToFloat)) << X;
}

TEST(Formats, Bf16RoundTripsAndRounds) {
  for (uint32_t Bits = 0; Bits < 0x10000; ++Bits)
    if ((Bits & 0x7f80) != 0x7f80) // finite
      ASSERT_EQ(floatToBf16(bf16ToFloat(Bits)), Bits);
  EXPECT_EQ(roundBf16(1.0f + 0x1p-8f), 1.0f);          // tie to even
  EXPECT_EQ(roundBf16(1.0f + 3 * 0x1p-8f), 1.015625f); // tie to even
  EXPECT_EQ(roundBf16(1.0f + 0x1.02p-8f), 1.0078125f); // above the tie
}

TEST(Formats, E8M0IsAPowerOfTwo) {
  for (int Byte = 1; Byte < 255; ++Byte)
    EXPECT_EQ(e8m0ToFloat(Byte), std::ldexp(1.0f, Byte - 127));
}

} // namespace
