// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions whose bits are part of the contract (docs/numerics.md):
// fixed range reduction, fixed polynomials, every fused multiply-add written as
// one. The generated kernels do the same steps from the same constants. No libm
// function decides a bit; division, square root and fma are IEEE operations.

#ifndef DSV4_RUNTIME_NUMERICS_MATH_H
#define DSV4_RUNTIME_NUMERICS_MATH_H

#include "runtime/numerics/formats.h"

#include <stdint.h>

namespace dsv4::num {

inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
inline float sqrt(float x) { return __builtin_sqrtf(x); }

/// exp: x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts (the first with
/// few bits, so that n times it is exact), then Taylor to degree 7.
struct ExpConstants {
  static constexpr float Lowest = -87.0f; // below: 0 (e^-87 is normal)
  static constexpr float Highest = 88.0f; // above: as at 88
  static constexpr float Log2E = 0x1.715476p+0f;
  static constexpr float Magic = 0x1.8p+23f; // rounds to an integer
  static constexpr float Ln2High = 0x1.62e4p-1f, Ln2Low = 0x1.7f7d1cp-20f;
  /// 1 / i! from degree 7 down to 0.
  static constexpr float Polynomial[8] = {0x1.a01a02p-13f,
                                          0x1.6c16c2p-10f,
                                          0x1.111112p-7f,
                                          0x1.555556p-5f,
                                          0x1.555556p-3f,
                                          0.5f,
                                          1.0f,
                                          1.0f};
};

inline float exp(float x) {
  using C = ExpConstants;
  float y = x < C::Highest ? x : C::Highest;
  y = y > C::Lowest ? y : C::Lowest;
  float t = fma(y, C::Log2E, C::Magic);
  float n = t - C::Magic;
  float r = fma(n, -C::Ln2High, y);
  r = fma(n, -C::Ln2Low, r);
  float p = C::Polynomial[0];
  for (int i = 1; i < 8; ++i)
    p = fma(p, r, C::Polynomial[i]);
  float e = floatOfBits(bitsOf(p) + (bitsOf(t) << 23));
  return x < C::Lowest ? 0.0f : e;
}

inline float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

/// log1p(z) for z in [0, 1]: 2 artanh(s), s = z / (2 + z) <= 1/3, as the odd
/// series to s^17.
struct Log1pConstants {
  /// 1 / (2 i + 1) from i = 8 down to 0.
  static constexpr float Series[9] = {
      0x1.e1e1e2p-5f, 0x1.111112p-4f, 0x1.3b13b2p-4f,
      0x1.745d18p-4f, 0x1.c71c72p-4f, 0x1.24924ap-3f,
      0x1.99999ap-3f, 0x1.555556p-2f, 1.0f};
};

inline float log1p(float z) {
  float s = z / (2.0f + z), q = s * s;
  float p = Log1pConstants::Series[0];
  for (int i = 1; i < 9; ++i)
    p = fma(p, q, Log1pConstants::Series[i]);
  return (2.0f * s) * p;
}

/// log(1 + e^x) = max(x, 0) + log1p(e^-|x|)
inline float softplus(float x) {
  float positive = x > 0.0f ? x : 0.0f;
  return positive + log1p(exp(-(x < 0.0f ? -x : x)));
}

/// sin and cos of a float angle up to some millions of radians: in double,
/// a = k pi/2 + r with pi/2 in two parts, then Taylor to degree 15 and 16.
struct SinCosConstants {
  static constexpr double TwoOverPi = 0x1.45f306dc9c883p-1;
  static constexpr double Magic = 0x1.8p+52;
  static constexpr double HalfPiHigh = 0x1.921fb54442d18p+0;
  static constexpr double HalfPiLow = 0x1.1a62633145c07p-54;
  /// (-1)^i / (2 i + 1)! from i = 7 down to 0: sin r = r * poly(r^2).
  static constexpr double Sin[8] = {-1.0 / 1307674368000.0,
                                    1.0 / 6227020800.0,
                                    -1.0 / 39916800.0,
                                    1.0 / 362880.0,
                                    -1.0 / 5040.0,
                                    1.0 / 120.0,
                                    -1.0 / 6.0,
                                    1.0};
  /// (-1)^i / (2 i)! from i = 8 down to 0: cos r = poly(r^2).
  static constexpr double Cos[9] = {1.0 / 20922789888000.0,
                                    -1.0 / 87178291200.0,
                                    1.0 / 479001600.0,
                                    -1.0 / 3628800.0,
                                    1.0 / 40320.0,
                                    -1.0 / 720.0,
                                    1.0 / 24.0,
                                    -0.5,
                                    1.0};
};

struct CosSin {
  float cos, sin;
};

inline CosSin cosSin(float angle) {
  using C = SinCosConstants;
  double a = angle;
  double t = fma(a, C::TwoOverPi, C::Magic);
  double k = t - C::Magic;
  double r = fma(k, -C::HalfPiHigh, a);
  r = fma(k, -C::HalfPiLow, r);
  double q = r * r;
  double s = C::Sin[0], c = C::Cos[0];
  for (int i = 1; i < 8; ++i)
    s = fma(s, q, C::Sin[i]);
  for (int i = 1; i < 9; ++i)
    c = fma(c, q, C::Cos[i]);
  s = s * r;
  // Quadrant from the last bits of t's mantissa.
  uint64_t quadrant = bitsOf(t) & 3;
  double sine = quadrant & 1 ? c : s, cosine = quadrant & 1 ? s : c;
  if (quadrant & 2)
    sine = -sine;
  if ((quadrant + 1) & 2)
    cosine = -cosine;
  return {float(cosine), float(sine)};
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_MATH_H
