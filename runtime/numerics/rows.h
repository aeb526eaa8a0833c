// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations on one row of BF16 values held as floats: norms, quantisation,
// RoPE, Hadamard transform. Orders and roundings are rules R3, R7, R12, R13 and
// R15 of docs/numerics.md; the generated kernels do the same in 16 lanes.

#ifndef DSV4_RUNTIME_NUMERICS_ROWS_H
#define DSV4_RUNTIME_NUMERICS_ROWS_H

#include "runtime/numerics/math.h"

namespace dsv4::num {

/// Sum of 16 accumulators: lanes 8 apart, then 4, 2, 1 (R3).
inline float treeSum(float *lanes) {
  for (int step = 8; step; step /= 2)
    for (int l = 0; l < step; ++l)
      lanes[l] += lanes[l + step];
  return lanes[0];
}

/// Sum of squares of n values, n a multiple of 16 (R3).
inline float sumOfSquares(const float *x, int64_t n) {
  float lanes[16] = {};
  for (int64_t i = 0; i < n; ++i)
    lanes[i % 16] = fma(x[i], x[i], lanes[i % 16]);
  return treeSum(lanes);
}

/// y = bf16(w * (x / sqrt(mean(x^2) + eps))) (R12); y may be x.
inline void rmsNorm(const float *x, const float *w, float *y, int64_t n,
                    float eps) {
  float r = 1.0f / sqrt(sumOfSquares(x, n) / float(n) + eps);
  for (int64_t i = 0; i < n; ++i)
    y[i] = roundBf16(w[i] * (x[i] * r));
}

/// Weightless norm of a head, every step rounded to BF16 (R12).
inline void headNorm(const float *x, float *y, int64_t n, float eps) {
  float lanes[16] = {};
  for (int64_t i = 0; i < n; ++i)
    lanes[i % 16] += roundBf16(x[i] * x[i]);
  float mean = roundBf16(treeSum(lanes) / float(n));
  float r = roundBf16(1.0f / sqrt(roundBf16(mean + eps)));
  for (int64_t i = 0; i < n; ++i)
    y[i] = roundBf16(x[i] * r);
}

/// RoPE of the last 2 x count elements of a row of n, in place (R13).
inline void rope(float *x, int64_t n, const float *freqs, int64_t count,
                 int64_t position, bool inverse) {
  float *pairs = x + n - 2 * count;
  for (int64_t i = 0; i < count; ++i) {
    CosSin turn = cosSin(float(position) * freqs[i]);
    float sin = inverse ? -turn.sin : turn.sin;
    float a = pairs[2 * i], b = pairs[2 * i + 1];
    pairs[2 * i] = roundBf16(fma(a, turn.cos, -(b * sin)));
    pairs[2 * i + 1] = roundBf16(fma(a, sin, b * turn.cos));
  }
}

/// E8M0 byte of 2^ceil(log2(max(amax, smallest) * reciprocal)), from the bits
/// of that float product (R15).
inline uint8_t scaleByte(const float *x, int64_t n, float smallest,
                         float reciprocal) {
  float amax = smallest;
  for (int64_t i = 0; i < n; ++i)
    amax = absolute(x[i]) > amax ? absolute(x[i]) : amax;
  uint32_t bits = bitsOf(amax * reciprocal);
  return uint8_t((bits >> 23) + ((bits & 0x7fffffu) != 0));
}

/// Multiplication with it divides by the scale, exactly.
inline float inverseScale(uint8_t byte) {
  return floatOfBits((254u - byte) << 23);
}

inline float clamp(float x, float most) {
  x = x > -most ? x : -most;
  return x < most ? x : most;
}

/// Fake quantisation to E4M3 in blocks, in place: 128 for activations, 64 for
/// KV rows (R15).
inline void fakeQuantizeE4M3(float *x, int64_t n, int64_t block) {
  for (int64_t at = 0; at < n; at += block) {
    uint8_t byte = scaleByte(x + at, block, 1e-4f, float(1.0 / 448));
    for (int64_t i = at; i < at + block; ++i)
      x[i] = roundBf16(roundE4M3(clamp(x[i] * inverseScale(byte), 448)) *
                       e8m0ToFloat(byte));
  }
}

/// Fake quantisation to E2M1 in blocks of 32, in place (R15).
inline void fakeQuantizeE2M1(float *x, int64_t n) {
  for (int64_t at = 0; at < n; at += 32) {
    uint8_t byte = scaleByte(x + at, 32, 6 * 0x1p-126f, float(1.0 / 6));
    for (int64_t i = at; i < at + 32; ++i)
      x[i] = roundBf16(roundE2M1(clamp(x[i] * inverseScale(byte), 6)) *
                       e8m0ToFloat(byte));
  }
}

/// Walsh-Hadamard transform of n elements, a power of two, in place (R7).
inline void hadamard(float *x, int64_t n) {
  for (int64_t step = 1; step < n; step *= 2)
    for (int64_t i = 0; i < n; ++i)
      if (!(i & step)) {
        float a = x[i], b = x[i + step];
        x[i] = a + b;
        x[i + step] = a - b;
      }
  float scale = float(1.0 / __builtin_sqrt(double(n)));
  for (int64_t i = 0; i < n; ++i)
    x[i] = roundBf16(x[i] * scale);
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_ROWS_H
