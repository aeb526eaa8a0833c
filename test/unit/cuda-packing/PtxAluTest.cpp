// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CPU twins of arithmetic PTX instructions, against the formats of
// runtime/numerics, the compiler's own half type, and cases of the PTX manual.

#include "runtime/numerics/formats.h"
#include "targets/cuda/device/ptx_alu.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

using namespace dsv4::cuda;

namespace {

double f16(u32 bits) { return emu::alu::decode(emu::alu::F16, bits & 0xffffu); }

/// The compiler's conversions, an implementation that is not ours.
u32 bitsOf(_Float16 x) { return std::bit_cast<uint16_t>(x); }
_Float16 halfOf(u32 bits) { return std::bit_cast<_Float16>(uint16_t(bits)); }

bool isNan16(u32 bits) { return (bits & 0x7fffu) > 0x7c00u; }

TEST(PtxAlu, HalvesOfTheCompiler) {
  for (u32 bits = 0; bits < 0x10000; ++bits) {
    double x = f16(bits);
    if (isNan16(bits)) {
      EXPECT_TRUE(std::isnan(x));
      continue;
    }
    EXPECT_EQ(x, double(halfOf(bits)));
    EXPECT_EQ(emu::alu::encode(emu::alu::F16, x), bits);
  }
  std::mt19937_64 random(3);
  for (int i = 0; i < 200000; ++i) {
    double x = std::ldexp(double(int64_t(random())), int(random() % 60) - 90);
    ASSERT_EQ(emu::alu::encode(emu::alu::F16, x), bitsOf(_Float16(x))) << x;
  }
}

TEST(PtxAlu, Bf16OfTheRuntime) {
  std::mt19937 random(4);
  for (int i = 0; i < 200000; ++i) {
    float x = std::bit_cast<float>(uint32_t(random()));
    if (std::isnan(x))
      continue;
    ASSERT_EQ(emu::alu::encode(emu::alu::Bf16, double(x)),
              dsv4::num::floatToBf16(x));
  }
}

TEST(PtxAlu, Prmt) {
  EXPECT_EQ(prmt(0x33221100, 0x77665544, 0x3210), 0x33221100u);
  EXPECT_EQ(prmt(0x33221100, 0x77665544, 0x7654), 0x77665544u);
  EXPECT_EQ(prmt(0x33221100, 0x77665544, 0x0427), 0x00442277u);
  // Only sixteen bits of the selector count; the fourth bit asks for the sign.
  EXPECT_EQ(prmt(0x33221100, 0x77665544, 0xffff3210), 0x33221100u);
  EXPECT_EQ(prmt(0x80007f00, 0x000000ff, 0xc9ba), 0xff00ff00u);
}

/// Products and fused products with one rounding, both halves apart.
TEST(PtxAlu, HalfProducts) {
  std::mt19937 random(5);
  for (int i = 0; i < 300000; ++i) {
    u32 a = random(), b = random(), c = random();
    u32 product = mulF16x2(a, b), sum = fmaF16x2(a, b, c);
    for (int shift = 0; shift < 32; shift += 16) {
      u32 x = a >> shift & 0xffff, y = b >> shift & 0xffff,
          z = c >> shift & 0xffff;
      u32 p = product >> shift & 0xffff, s = sum >> shift & 0xffff;
      double exact = f16(x) * f16(y);
      if (std::isnan(exact))
        ASSERT_EQ(p, 0x7fffu);
      else
        ASSERT_EQ(p, bitsOf(_Float16(exact)));
      // long double has 64 bits: exact wherever the sum may be a tie.
      long double total = (long double)exact + (long double)f16(z);
      if (std::isnan(total))
        ASSERT_EQ(s, 0x7fffu);
      else
        ASSERT_EQ(s, bitsOf(_Float16(total))) << f16(x) << f16(y) << f16(z);
    }
  }
}

/// A tie that a far smaller addend decides: in double both sums are the tie.
TEST(PtxAlu, FusedProductsRoundOnce) {
  EXPECT_EQ(fmaF16x2(0x1000, 0x3c00, 0x3c00), 0x3c00u); // 1 + 2^-11: to even
  EXPECT_EQ(fmaF16x2(0x1001, 0x3c00, 0x3c00), 0x3c01u);
  EXPECT_EQ(fmaF16x2(0x8000, 0x3c00, 0x8000), 0x8000u);  // -0 + -0
  EXPECT_EQ(fmaBf16x2(0x3f80, 0x3b80, 0x3f80), 0x3f80u); // tie: to even
  EXPECT_EQ(fmaBf16x2(0x3f81, 0x3b80, 0x3f80), 0x3f81u);
  double tie = 1 + 0x1p-8;
  auto sum = [&](double addend) {
    return emu::alu::encode(emu::alu::Bf16,
                            emu::alu::fmaToOdd(tie, 1.0, addend));
  };
  EXPECT_EQ(sum(0), 0x3f80u);
  EXPECT_EQ(sum(0x1p-120), 0x3f81u);
  EXPECT_EQ(sum(-0x1p-120), 0x3f80u);
}

TEST(PtxAlu, BrainProducts) {
  std::mt19937 random(6);
  auto value = [](u32 bits) {
    return double(dsv4::num::bf16ToFloat(uint16_t(bits)));
  };
  for (int i = 0; i < 200000; ++i) {
    u32 a = random(), b = random();
    u32 product = mulBf16x2(a, b);
    for (int shift = 0; shift < 32; shift += 16) {
      double exact = value(a >> shift) * value(b >> shift);
      u32 p = product >> shift & 0xffff;
      if (std::isnan(exact))
        ASSERT_EQ(p, 0x7fffu);
      else
        ASSERT_EQ(p, emu::alu::encode(emu::alu::Bf16, exact));
    }
  }
  // Zeros keep their signs: the addend is -0.
  EXPECT_EQ(mulBf16x2(0x00000000, 0x3f803f80), 0u);
  EXPECT_EQ(mulBf16x2(0x80000000, 0x3f803f80), 0x80000000u);
}

TEST(PtxAlu, Conversions) {
  for (u32 code = 0; code < 256; ++code) {
    u32 pair = cvtE4m3x2ToF16x2<false>(code | 0x55aa3800);
    EXPECT_EQ(cvtE4m3x2ToF16x2<true>(code << 16 | 0x380055aa), pair);
    EXPECT_EQ(pair >> 16, 0x3c00u);
    if ((code & 127) == 127)
      EXPECT_EQ(pair & 0xffff, 0x7fffu);
    else
      EXPECT_EQ(f16(pair), double(dsv4::num::e4m3ToFloat(uint8_t(code))));
    EXPECT_EQ(pair >> 15 & 1, (code & 127) == 127 ? 0 : code >> 7);
  }
  for (u32 code = 0; code < 256; ++code) {
    u32 pair = cvtE2m1x2ToF16x2(code);
    EXPECT_EQ(f16(pair), double(dsv4::num::e2m1ToFloat(code & 15)));
    EXPECT_EQ(f16(pair >> 16), double(dsv4::num::e2m1ToFloat(code >> 4)));
  }
}

TEST(PtxAlu, FusedFloat) {
  EXPECT_EQ(fmaF32(1 + 0x1p-12f, 1 + 0x1p-12f, -1), 0x1p-11f + 0x1p-24f);
  // Subnormals are zero on both sides of it.
  EXPECT_EQ(fmaF32(0x1p-127f, 0x1p+100f, 0), 0.0f);
  EXPECT_EQ(fmaF32(0x1p-100f, 0x1p-27f, 0), 0.0f);
  EXPECT_EQ(fmaF32(0x1p-100f, 0x1p-26f, 0), 0x1p-126f);
  EXPECT_TRUE(std::signbit(fmaF32(-0x1p-100f, 0x1p-27f, -0.0f)));
  // A NaN is the GPU's, not the host's.
  auto bits = [](float x) { return __builtin_bit_cast(unsigned, x); };
  EXPECT_EQ(bits(fmaF32(INFINITY, 1, -INFINITY)), 0x7fffffffu);
  EXPECT_EQ(bits(fmaF32(0, -INFINITY, 1)), 0x7fffffffu);
}

} // namespace
