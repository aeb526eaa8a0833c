// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every matrix instruction of a warp against a plain product. The fragments are
// filled element by element from the maps of ptx_mma.h, read the other way
// round than the emulator reads them.

#include "test/unit/cuda/EmulationTestSupport.h"

namespace dsv4::cuda::test {
namespace {

struct Format {
  u32 bits, exponent, mantissa;
  u32 shift; ///< of the element in its container
  u32 container() const { return bits > 8 ? 16 : 8; }
};
constexpr Format f16{16, 5, 10, 0}, bf16{16, 8, 7, 0}, e4m3{8, 4, 3, 0},
    e2m1{4, 2, 1, 2};

/// Finite codes; 16-bit ones around 1, so that sums are not all infinite.
u32 randomCode(const Format &f, std::mt19937 &random) {
  u32 code = random() & ((1u << f.bits) - 1);
  if (f.bits == 16) {
    u32 bias = (1u << (f.exponent - 1)) - 1;
    u32 exponent = bias - 4 + random() % 8;
    code = (code & 0x8000) | exponent << f.mantissa |
           (code & ((1u << f.mantissa) - 1));
  } else if (f.bits == 8 && (code & 0x7f) == 0x7f) {
    code ^= 1;
  }
  return code;
}

struct Matrices {
  u32 k;
  std::vector<u32> a, b; ///< codes, 16 x k and k x 8
  std::vector<float> c;
  std::vector<u32> rowScale, columnScale; ///< E8M0
};

Matrices makeMatrices(const Format &fa, const Format &fb, u32 seed) {
  std::mt19937 random(seed);
  Matrices m;
  m.k = fa.bits == 16 ? 16 : 32;
  for (u32 i = 0; i < 16 * m.k; ++i)
    m.a.push_back(randomCode(fa, random));
  for (u32 i = 0; i < 8 * m.k; ++i)
    m.b.push_back(randomCode(fb, random));
  for (u32 i = 0; i < 128; ++i)
    m.c.push_back(float(int(random() % 2001) - 1000) / 64);
  for (u32 i = 0; i < 16; ++i)
    m.rowScale.push_back(120 + random() % 14);
  for (u32 i = 0; i < 8; ++i)
    m.columnScale.push_back(120 + random() % 14);
  return m;
}

float expected(const Matrices &m, const Format &fa, const Format &fb, u32 row,
               u32 column, bool scaled) {
  double sum = m.c[row * 8 + column];
  double scale =
      scaled
          ? std::pow(2.0, double(m.rowScale[row]) + m.columnScale[column] - 254)
          : 1;
  for (u32 k = 0; k < m.k; ++k)
    sum += scale *
           smallFloat(m.a[row * m.k + k], int(fa.exponent), int(fa.mantissa)) *
           smallFloat(m.b[k * 8 + column], int(fb.exponent), int(fb.mantissa));
  return float(sum);
}

/// Where element (row, k) of A lies: lane, register and bit.
struct Place {
  u32 lane, reg, bit;
};
Place placeOfA(u32 row, u32 k, u32 depth) {
  u32 half = depth / 2, per = depth / 8; // elements in a register
  u32 lane = 4 * (row % 8) + k % half / per;
  return {lane, row / 8 + 2 * (k / half), k % per * (32 / per)};
}
Place placeOfB(u32 k, u32 column, u32 depth) {
  u32 half = depth / 2, per = depth / 8;
  return {4 * column + k % half / per, k / half, k % per * (32 / per)};
}

struct Fragments {
  u32 a[32][4] = {}, b[32][2] = {};
  float d[32][4];
};

Fragments fill(const Matrices &m, const Format &fa, const Format &fb) {
  Fragments f;
  for (u32 k = 0; k < m.k; ++k) {
    for (u32 row = 0; row < 16; ++row) {
      Place p = placeOfA(row, k, m.k);
      f.a[p.lane][p.reg] |= m.a[row * m.k + k] << fa.shift << p.bit;
    }
    for (u32 column = 0; column < 8; ++column) {
      Place p = placeOfB(k, column, m.k);
      f.b[p.lane][p.reg] |= m.b[k * 8 + column] << fb.shift << p.bit;
    }
  }
  for (u32 lane = 0; lane < 32; ++lane)
    for (u32 i = 0; i < 4; ++i)
      f.d[lane][i] = m.c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2];
  return f;
}

template <class Product>
void check(const Format &fa, const Format &fb, bool scaled, Product product) {
  for (u32 seed = 1; seed <= 8; ++seed) {
    Matrices m = makeMatrices(fa, fb, seed);
    Fragments f = fill(m, fa, fb);
    Result result = runOne(seed, {1}, {32}, 0, [&] {
      u32 lane = laneId();
      // Only lanes 0 and 1 of four, and byte 0, may be looked at.
      u32 scaleA = 0xaabbcc00u |
                   (lane % 4 < 2 ? m.rowScale[lane / 4 + lane % 4 * 8] : 99);
      u32 scaleB = 0xaabbcc00u | (lane % 4 == 0 ? m.columnScale[lane / 4] : 98);
      product(f.d[lane], f.a[lane], f.b[lane], scaleA, scaleB);
    });
    ASSERT_TRUE(result.ok()) << result.text();
    for (u32 lane = 0; lane < 32; ++lane)
      for (u32 i = 0; i < 4; ++i) {
        u32 row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        EXPECT_EQ(f.d[lane][i], expected(m, fa, fb, row, column, scaled))
            << "row " << row << " column " << column;
      }
  }
}

using D = float (&)[4];
using A = const u32 (&)[4];
using B = const u32 (&)[2];

TEST(CudaMma, F16) {
  check(f16, f16, false, [](D d, A a, B b, u32, u32) { mmaF16(d, a, b); });
}
TEST(CudaMma, BF16) {
  check(bf16, bf16, false, [](D d, A a, B b, u32, u32) { mmaBF16(d, a, b); });
}
TEST(CudaMma, E4M3) {
  check(e4m3, e4m3, false, [](D d, A a, B b, u32, u32) { mmaE4M3(d, a, b); });
}
TEST(CudaMma, BlockScaled) {
  check(e4m3, e2m1, true, [](D d, A a, B b, u32 sa, u32 sb) {
    mmaBlockScaled<Mx::E4M3, Mx::E2M1>(d, a, b, sa, sb);
  });
  check(e2m1, e4m3, true, [](D d, A a, B b, u32 sa, u32 sb) {
    mmaBlockScaled<Mx::E2M1, Mx::E4M3>(d, a, b, sa, sb);
  });
  check(e4m3, e4m3, true, [](D d, A a, B b, u32 sa, u32 sb) {
    mmaBlockScaled<Mx::E4M3, Mx::E4M3>(d, a, b, sa, sb);
  });
  check(e2m1, e2m1, true, [](D d, A a, B b, u32 sa, u32 sb) {
    mmaBlockScaled<Mx::E2M1, Mx::E2M1>(d, a, b, sa, sb);
  });
}

TEST(CudaMma, SpecialValues) {
  // One A element per row is special; 1 x it must come out.
  const u32 codes[] = {0x7c00, 0xfc00, 0x7e00, 0x0001, 0x8000, 0x7bff};
  for (u32 code : codes) {
    float d[32][4] = {};
    Result result = runOne(1, {1}, {32}, 0, [&] {
      u32 a[4] = {}, b[2] = {};
      if (laneId() % 4 == 0) {
        a[0] = a[1] = code;
        b[0] = 0x3c00;
      }
      mmaF16(d[laneId()], a, b);
    });
    ASSERT_TRUE(result.ok()) << result.text();
    double want = (code & 0x7c00) == 0x7c00 ? (code & 0x3ff    ? NAN
                                               : code & 0x8000 ? -INFINITY
                                                               : INFINITY)
                                            : smallFloat(code, 5, 10);
    for (u32 lane = 0; lane < 32; ++lane)
      for (u32 i = 0; i < 4; ++i) {
        if (std::isnan(want))
          EXPECT_TRUE(std::isnan(d[lane][i]));
        else
          EXPECT_EQ(d[lane][i], float(want));
      }
  }
}

TEST(CudaMma, LdMatrix) {
  for (bool transposed : {false, true}) {
    u32 got[32][4], two[32][2];
    Result result = runOne(5, {1}, {32}, 1024, [&] {
      auto tile = dynamicShared().as<u16>();
      for (u32 i = laneId(); i < 256; i += 32)
        tile[i] = u16(i);
      syncWarp();
      Shared<const u8> row = dynamicShared() + 16 * laneId();
      if (transposed) {
        ldMatrixX4Trans(got[laneId()], row);
        ldMatrixX2Trans(two[laneId()], row);
      } else {
        ldMatrixX4(got[laneId()], row);
        ldMatrixX2(two[laneId()], row);
      }
    });
    ASSERT_TRUE(result.ok()) << result.text();
    for (u32 lane = 0; lane < 32; ++lane)
      for (u32 m = 0; m < 4; ++m) {
        u32 g = lane / 4, c = 2 * (lane % 4);
        u32 low = transposed ? 64 * m + 8 * c + g : 64 * m + 8 * g + c;
        u32 high = transposed ? low + 8 : low + 1;
        EXPECT_EQ(got[lane][m], low | high << 16);
        if (m < 2) {
          EXPECT_EQ(two[lane][m], low | high << 16);
        }
      }
  }
}

} // namespace
} // namespace dsv4::cuda::test
