// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Norms, RoPE, quantisation and the Hadamard transform of one row (R3, R7, R12,
// R13, R15).

#include "runtime/numerics/rows.h"
#include "runtime/numerics/denormals.h"
#include "test/unit/numerics/NumericsTestSupport.h"

using namespace dsv4;
using namespace dsv4::num::test;

namespace {

TEST(TreeSum, LanesEightApartMeetFirst) {
  float Lanes[16] = {};
  Lanes[0] = 0x1p+24f, Lanes[1] = Lanes[9] = 1;
  EXPECT_EQ(num::treeSum(Lanes), 0x1p+24f + 2);
  float Other[16] = {};
  Other[0] = 0x1p+24f, Other[8] = Other[4] = 1; // one by one: both are lost
  EXPECT_EQ(num::treeSum(Other), 0x1p+24f);
}

TEST(SumOfSquares, LaneIsTheIndexModulo16) {
  Floats X(64);
  X[0] = 0x1p+12f, X[16] = X[32] = 1; // lane 0: absorbed one by one
  EXPECT_EQ(num::sumOfSquares(X.data(), 64), 0x1p+24f);
  X[16] = X[32] = 0, X[17] = X[33] = 1; // lane 1
  EXPECT_EQ(num::sumOfSquares(X.data(), 64), 0x1p+24f + 2);
}

TEST(RmsNorm, NearTheExactNorm) {
  Floats X = randomBf16(512, 1, 3), W = randomBf16(512, 2), Y(512);
  num::rmsNorm(X.data(), W.data(), Y.data(), 512, 1e-6f);
  double Mean = 0;
  for (float V : X)
    Mean += double(V) * V / 512;
  for (int I = 0; I < 512; ++I)
    expectNearBf16(Y[I], W[I] * X[I] / std::sqrt(Mean + 1e-6));
  Floats Zero(16);
  num::rmsNorm(Zero.data(), W.data(), Y.data(), 16, 1e-6f);
  EXPECT_EQ(Y[3], 0.0f); // eps keeps the root finite
}

TEST(RmsNorm, InPlace) {
  Floats X = randomBf16(32, 4), W = randomBf16(32, 5), Y(32);
  num::rmsNorm(X.data(), W.data(), Y.data(), 32, 1e-6f);
  num::rmsNorm(X.data(), W.data(), X.data(), 32, 1e-6f);
  EXPECT_EQ(X, Y);
}

/// R12 of a head with all roundings but `Without` (0 to 4; 5 leaves all).
Floats headNormWithout(const Floats &X, float Eps, int Without) {
  auto Bf = [&](int Step, float V) {
    return Step == Without ? V : num::roundBf16(V);
  };
  float Lanes[16] = {};
  for (size_t I = 0; I < X.size(); ++I)
    Lanes[I % 16] += Bf(0, X[I] * X[I]);
  float Mean = Bf(1, num::treeSum(Lanes) / float(X.size()));
  float R = Bf(3, 1.0f / std::sqrt(Bf(2, Mean + Eps)));
  Floats Y;
  for (float V : X)
    Y.push_back(Bf(4, V * R));
  return Y;
}

TEST(HeadNorm, EveryStepIsBf16) {
  // Small heads, so that eps and the mean are of one size.
  bool Matters[5] = {};
  for (unsigned Seed = 0; Seed < 200; ++Seed) {
    Floats X = randomBf16(32, 100 + Seed, 2e-3f), Y(32);
    num::headNorm(X.data(), Y.data(), 32, 1e-6f);
    ASSERT_EQ(Y, headNormWithout(X, 1e-6f, 5));
    for (int Step = 0; Step < 5; ++Step)
      Matters[Step] |= Y != headNormWithout(X, 1e-6f, Step);
  }
  for (int Step = 0; Step < 5; ++Step)
    EXPECT_TRUE(Matters[Step]) << "rounding " << Step;
}

TEST(Rope, TurnsTheLastPairs) {
  Floats X = randomBf16(64, 6), Y = X;
  const float Freqs[] = {1.0f, 0.25f, 0x1p-10f, 0.7f};
  num::rope(Y.data(), 64, Freqs, 4, 777, false);
  EXPECT_TRUE(std::equal(X.begin(), X.begin() + 56, Y.begin()));
  for (int I = 0; I < 4; ++I) {
    double Angle = 777.0f * Freqs[I], A = X[56 + 2 * I], B = X[57 + 2 * I];
    double Size = std::hypot(A, B) * 0x1p-8;
    EXPECT_NEAR(Y[56 + 2 * I], A * std::cos(Angle) - B * std::sin(Angle), Size);
    EXPECT_NEAR(Y[57 + 2 * I], A * std::sin(Angle) + B * std::cos(Angle), Size);
  }
  EXPECT_NE(Y[56], X[56]);
}

TEST(Rope, InverseTurnsBackAndPositionZeroStays) {
  Floats X = randomBf16(16, 7), Y = X;
  const float Freqs[] = {1.0f, 0.5f, 0.1f, 0.01f};
  num::rope(Y.data(), 16, Freqs, 4, 0, false);
  EXPECT_EQ(X, Y);
  num::rope(Y.data(), 16, Freqs, 4, 12345, false);
  EXPECT_NE(X, Y);
  num::rope(Y.data(), 16, Freqs, 4, 12345, true);
  for (int I = 0; I < 16; ++I)
    EXPECT_NEAR(Y[I], X[I], 0.04);
}

TEST(Rope, AngleIsAFloatProduct) {
  // 1000003 * 0.1f is no float; the rounded angle is what is turned by.
  Floats X = {1, 0};
  const float Freq = 0.1f;
  num::rope(X.data(), 2, &Freq, 1, 1000003, false);
  float Angle = 1000003.0f * 0.1f;
  EXPECT_EQ(X[0], num::roundBf16(float(std::cos(double(Angle)))));
  EXPECT_EQ(X[1], num::roundBf16(float(std::sin(double(Angle)))));
}

/// ceil(log2(amax / largest)) + 127, exactly.
int exactByte(float Amax, double Largest) {
  int Exponent;
  long double Mantissa = std::frexp((long double)Amax / Largest, &Exponent);
  return Exponent - (Mantissa == 0.5L) + 127;
}

/// The float product with the reciprocal decides as the exact quotient does,
/// for every BF16 value from the floor 1e-4 to 2^100, far above what occurs.
TEST(ScaleByte, EqualsTheExactLogarithmForEveryBf16) {
  for (uint32_t Code = 0; Code < 0x7f80; ++Code) {
    float X = num::bf16ToFloat(uint16_t(Code));
    if (X < 1e-4f || X > 0x1p+100f)
      continue;
    ASSERT_EQ(num::scaleByte(&X, 1, 1e-4f, float(1.0 / 448)), exactByte(X, 448))
        << X;
    ASSERT_EQ(num::scaleByte(&X, 1, 6 * 0x1p-126f, float(1.0 / 6)),
              exactByte(X, 6))
        << X;
  }
}

TEST(ScaleByte, FloorsAndSigns) {
  float Zero[2] = {0, -0.0f}, Mixed[3] = {1, -448, 3};
  EXPECT_EQ(num::scaleByte(Zero, 2, 1e-4f, float(1.0 / 448)),
            exactByte(1e-4f, 448));
  EXPECT_EQ(num::scaleByte(Zero, 2, 6 * 0x1p-126f, float(1.0 / 6)), 1);
  EXPECT_EQ(num::scaleByte(Mixed, 3, 1e-4f, float(1.0 / 448)), 127);
  Mixed[2] = 450;
  EXPECT_EQ(num::scaleByte(Mixed, 3, 1e-4f, float(1.0 / 448)), 128);
  for (int Byte = 1; Byte < 254; ++Byte)
    ASSERT_EQ(num::inverseScale(uint8_t(Byte)) *
                  num::e8m0ToFloat(uint8_t(Byte)),
              1.0f);
}

TEST(Quantize, E4m3ByHand) {
  num::FlushDenormals Flush;
  // Largest 500: scale 2. 500 / 2 = 250 -> 256 (steps of 16 there: 250 lies
  // between 240 and 256); 17 / 2 = 8.5 is a tie -> 8; 1 / 2 stays.
  Floats X(128);
  X[0] = 500, X[1] = 17, X[2] = 1, X[3] = -19;
  num::fakeQuantizeE4M3(X.data(), 128, 128);
  EXPECT_EQ(X[0], 512.0f);
  EXPECT_EQ(X[1], 16.0f);
  EXPECT_EQ(X[2], 1.0f);
  EXPECT_EQ(X[3], -20.0f); // 9.5 is a tie -> 10
}

TEST(Quantize, E2m1ByHand) {
  num::FlushDenormals Flush;
  Floats X(64);
  X[0] = 7, X[1] = 5, X[2] = 1, X[3] = -2.5f, X[33] = 0.3f;
  num::fakeQuantizeE2M1(X.data(), 64);
  EXPECT_EQ(X[0], 8.0f);   // scale 2: 3.5 is a tie -> 4
  EXPECT_EQ(X[1], 4.0f);   // 2.5 is a tie -> 2
  EXPECT_EQ(X[2], 1.0f);   // 0.5
  EXPECT_EQ(X[3], -2.0f);  // 1.25 is a tie -> 1
  EXPECT_EQ(X[33], 0.25f); // scale 1/16: 4.8 -> 4
}

/// Every value is at most half a step from where it was; twice is once.
TEST(Quantize, NearAndIdempotent) {
  num::FlushDenormals Flush;
  for (float Deviation : {1e-6f, 0.02f, 1.0f, 300.0f})
    for (int64_t Block : {64, 128}) {
      Floats X = randomBf16(512, 8, Deviation), Y = X;
      num::fakeQuantizeE4M3(Y.data(), 512, Block);
      for (int64_t I = 0; I < 512; ++I) {
        const float *At = X.data() + I / Block * Block;
        float Scale = num::e8m0ToFloat(
            num::scaleByte(At, Block, 1e-4f, float(1.0 / 448)));
        EXPECT_NEAR(Y[I], X[I],
                    std::max(std::fabs(X[I]) / 16, Scale * 0x1p-10f));
      }
      Floats Twice = Y;
      num::fakeQuantizeE4M3(Twice.data(), 512, Block);
      EXPECT_EQ(Twice, Y);
    }
  Floats X = randomBf16(256, 9), Y = X;
  num::fakeQuantizeE2M1(Y.data(), 256);
  Floats Twice = Y;
  num::fakeQuantizeE2M1(Twice.data(), 256);
  EXPECT_EQ(Twice, Y);
  EXPECT_NE(X, Y);
}

TEST(Quantize, ZerosStayAndTinyBlocksVanish) {
  num::FlushDenormals Flush;
  Floats X(128);
  X[7] = -1e-10f; // far below the floor of 1e-4 / 448
  num::fakeQuantizeE4M3(X.data(), 128, 128);
  for (float V : X)
    EXPECT_EQ(V, 0.0f);
}

TEST(Hadamard, OfAUnitVectorIsASylvesterRow) {
  for (int At : {0, 1, 5, 127}) {
    Floats X(128);
    X[At] = 1;
    num::hadamard(X.data(), 128);
    for (int I = 0; I < 128; ++I) {
      float Want = num::roundBf16(float(1 / std::sqrt(128.0)));
      EXPECT_EQ(X[I], __builtin_popcount(I & At) % 2 ? -Want : Want);
    }
  }
}

TEST(Hadamard, TwiceIsTheIdentity) {
  Floats X = randomBf16(64, 10), Y = X;
  num::hadamard(Y.data(), 64);
  num::hadamard(Y.data(), 64);
  for (int I = 0; I < 64; ++I)
    EXPECT_NEAR(Y[I], X[I], 0.03);
}

} // namespace
