// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stored number formats: every code, and every place where a rounding decides:
// the middle between two neighbours and the floats beside it.

#include "runtime/numerics/formats.h"
#include "runtime/numerics/denormals.h"
#include "gtest/gtest.h"

#include <cmath>
#include <vector>

using namespace dsv4::num;

namespace {

float next(float X) { return std::nextafterf(X, INFINITY); }
float previous(float X) { return std::nextafterf(X, -INFINITY); }

/// Checks round() between every two neighbours of an ascending grid of
/// magnitudes, where the even code is the one with even index.
template <class Round>
void checkDecisions(const std::vector<float> &Grid, Round round) {
  for (size_t I = 0; I + 1 < Grid.size(); ++I) {
    float Low = Grid[I], High = Grid[I + 1];
    // Exact: neighbours differ in a few upper bits.
    float Middle = float((double(Low) + double(High)) / 2);
    ASSERT_EQ(double(Middle), (double(Low) + double(High)) / 2);
    float Even = I % 2 ? High : Low;
    for (float Sign : {1.0f, -1.0f}) {
      ASSERT_EQ(round(Sign * Low), Sign * Low);
      ASSERT_EQ(round(Sign * Middle), Sign * Even) << Low << " " << High;
      ASSERT_EQ(round(Sign * previous(Middle)), Sign * Low) << Middle;
      ASSERT_EQ(round(Sign * next(Middle)), Sign * High) << Middle;
    }
  }
  ASSERT_EQ(round(Grid.back()), Grid.back());
}

TEST(Formats, Bf16RoundsEveryNeighbourToNearestEven) {
  std::vector<float> Grid;
  for (uint32_t Code = 0; Code < 0x7f80; ++Code)
    Grid.push_back(bf16ToFloat(uint16_t(Code)));
  checkDecisions(Grid, roundBf16);
}

TEST(Formats, Bf16CodesSurvive) {
  for (uint32_t Code = 0; Code < 0x10000; ++Code)
    if ((Code & 0x7fff) <= 0x7f80) // numbers and infinities
      ASSERT_EQ(floatToBf16(bf16ToFloat(uint16_t(Code))), Code);
  // Above the largest, rounding goes to infinity.
  EXPECT_EQ(floatToBf16(0x1.fffffep+127f), 0x7f80);
  EXPECT_EQ(floatToBf16(-0x1.fffffep+127f), 0xff80);
}

/// Of either sign, an x86's, an Arm's, a GPU's and the least.
TEST(Formats, Bf16NaNStaysNaN) {
  for (uint32_t Bits : {0xffc00000u, 0x7fc00000u, 0x7fffffffu, 0xffffffffu,
                        0x7fff8000u, 0x7f800001u, 0xff800001u}) {
    EXPECT_EQ(floatToBf16(floatOfBits(Bits)), Bf16NaN) << std::hex << Bits;
    EXPECT_NE(roundBf16(floatOfBits(Bits)), roundBf16(floatOfBits(Bits)));
  }
}

TEST(Formats, E8m0) {
  for (int Byte = 1; Byte < 255; ++Byte)
    ASSERT_EQ(e8m0ToFloat(uint8_t(Byte)), std::ldexp(1.0f, Byte - 127));
  EXPECT_EQ(e8m0ToFloat(0), 0.0f);
  EXPECT_FALSE(std::isfinite(e8m0ToFloat(255)));
}

/// Magnitudes of E4M3 from the definition: exponent bias 7, three bits of
/// mantissa, code 0x7f is NaN.
std::vector<float> e4m3Grid() {
  std::vector<float> Grid;
  for (int Code = 0; Code < 0x7f; ++Code) {
    int Exponent = Code >> 3, Mantissa = Code & 7;
    Grid.push_back(Exponent
                       ? std::ldexp(8.0f + float(Mantissa), Exponent - 7 - 3)
                       : std::ldexp(float(Mantissa), -6 - 3));
  }
  return Grid;
}

TEST(Formats, E4m3Codes) {
  std::vector<float> Grid = e4m3Grid();
  ASSERT_EQ(Grid.back(), 448.0f);
  for (int Code = 0; Code < 0x7f; ++Code) {
    ASSERT_EQ(bitsOf(e4m3ToFloat(uint8_t(Code))), bitsOf(Grid[Code]));
    ASSERT_EQ(bitsOf(e4m3ToFloat(uint8_t(Code | 0x80))), bitsOf(-Grid[Code]));
    ASSERT_EQ(e4m3Code(Grid[Code]), Code);
    ASSERT_EQ(e4m3Code(-Grid[Code]), Code | 0x80);
  }
}

TEST(Formats, E4m3RoundsEveryNeighbourToNearestEven) {
  checkDecisions(e4m3Grid(), roundE4M3);
  FlushDenormals Flush; // the mode that it runs in
  checkDecisions(e4m3Grid(), roundE4M3);
}

/// Brute force: the nearest of the grid, the even code among two.
float nearest(const std::vector<float> &Grid, float X) {
  size_t Best = 0;
  for (size_t I = 1; I < Grid.size(); ++I) {
    double D = std::fabs(double(std::fabs(X)) - Grid[I]);
    double B = std::fabs(double(std::fabs(X)) - Grid[Best]);
    if (D < B || (D == B && I % 2 == 0))
      Best = I;
  }
  return std::copysign(Grid[Best], X);
}

TEST(Formats, E4m3OfEveryBf16) {
  std::vector<float> Grid = e4m3Grid();
  for (uint32_t Code = 0; Code < 0x10000; ++Code) {
    float X = bf16ToFloat(uint16_t(Code));
    if (!(std::fabs(X) <= 448.0f))
      continue;
    float Q = roundE4M3(X);
    ASSERT_EQ(bitsOf(Q), bitsOf(nearest(Grid, X))) << X;
    ASSERT_EQ(e4m3ToFloat(e4m3Code(Q)), Q);
  }
}

const std::vector<float> E2m1Grid = {0, 0.5, 1, 1.5, 2, 3, 4, 6};

TEST(Formats, E2m1Codes) {
  for (int Code = 0; Code < 8; ++Code) {
    ASSERT_EQ(bitsOf(e2m1ToFloat(uint8_t(Code))), bitsOf(E2m1Grid[Code]));
    ASSERT_EQ(bitsOf(e2m1ToFloat(uint8_t(Code | 8))), bitsOf(-E2m1Grid[Code]));
    ASSERT_EQ(e2m1Code(E2m1Grid[Code]), Code);
    ASSERT_EQ(e2m1Code(-E2m1Grid[Code]), Code | 8);
  }
}

TEST(Formats, E2m1RoundsEveryNeighbourToNearestEven) {
  checkDecisions(E2m1Grid, roundE2M1);
  FlushDenormals Flush;
  for (uint32_t Code = 0; Code < 0x10000; ++Code) {
    float X = bf16ToFloat(uint16_t(Code));
    if (std::fabs(X) <= 6.0f)
      ASSERT_EQ(bitsOf(roundE2M1(X)), bitsOf(nearest(E2m1Grid, X))) << X;
  }
}

TEST(Formats, DenormalsAreFlushedWhileTheScopeLives) {
  volatile float Smallest = 0x1p-126f, Half = 0.5f, Denormal = 0x1p-130f;
  {
    FlushDenormals Flush;
    EXPECT_EQ(bitsOf(Smallest * Half), 0u);           // out
    EXPECT_EQ(bitsOf(Denormal * 0x1p+100f), 0u);      // in
    EXPECT_EQ(bitsOf(Smallest * Half * 0x1p+9f), 0u); // in between
  }
  EXPECT_EQ(Smallest * Half, 0x1p-127f);
}

} // namespace
