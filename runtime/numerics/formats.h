// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stored number formats (model.md 2.3): exact decoding, and rounding to nearest
// even. The only copy in the tree; kernels are tested against it. E8M0 byte 0
// (2^-127) is below the normal floats and counts as zero, as all denormals do.

#ifndef DSV4_RUNTIME_NUMERICS_FORMATS_H
#define DSV4_RUNTIME_NUMERICS_FORMATS_H

#include <stdint.h>

namespace dsv4::num {

inline uint32_t bitsOf(float x) { return __builtin_bit_cast(uint32_t, x); }
inline uint64_t bitsOf(double x) { return __builtin_bit_cast(uint64_t, x); }
inline float floatOfBits(uint32_t b) { return __builtin_bit_cast(float, b); }
inline float absolute(float x) { return floatOfBits(bitsOf(x) & 0x7fffffffu); }

// ---- BF16: the upper half of a float --------------------------------------

inline float bf16ToFloat(uint16_t bits) {
  return floatOfBits(uint32_t(bits) << 16);
}

/// What becomes of a NaN: that of an invalid operation on x86, the lowest key
/// of all scores. Rounding would make -0 of a GPU's, 0x7fffffff.
constexpr uint16_t Bf16NaN = 0xffc0;

inline uint16_t floatToBf16(float x) {
  uint32_t b = bitsOf(x);
  if ((b & 0x7fffffffu) > 0x7f800000u)
    return Bf16NaN;
  return uint16_t((b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
}

/// x rounded to BF16, kept as float.
inline float roundBf16(float x) { return bf16ToFloat(floatToBf16(x)); }

// ---- E8M0: 2^(byte - 127) ---------------------------------------------------

inline float e8m0ToFloat(uint8_t byte) {
  return floatOfBits(uint32_t(byte) << 23);
}

// ---- E4M3, finite only, largest 448 -----------------------------------------

inline float e4m3ToFloat(uint8_t code) {
  uint32_t magnitude = code & 0x7fu;
  float value = magnitude < 8 ? float(magnitude) * 0x1p-9f
                              : floatOfBits((magnitude << 20) + (120u << 23));
  return code & 0x80u ? -value : value;
}

/// x in +-448, rounded to the E4M3 grid; zero keeps the sign of x.
inline float roundE4M3(float x) {
  if (absolute(x) < 0x1p-6f) { // subnormal: multiples of 2^-9
    float r = (x + 0x1.8p+14f) - 0x1.8p+14f;
    return floatOfBits((bitsOf(r) & 0x7fffffffu) | (bitsOf(x) & 0x80000000u));
  }
  uint32_t b = bitsOf(x);
  return floatOfBits((b + 0x7ffffu + ((b >> 20) & 1u)) & 0xfff00000u);
}

/// Code of a value on the E4M3 grid.
inline uint8_t e4m3Code(float q) {
  uint32_t magnitude = bitsOf(q) & 0x7fffffffu;
  uint32_t code = absolute(q) < 0x1p-6f ? uint32_t(absolute(q) * 512.0f)
                                        : (magnitude >> 20) - (120u << 3);
  return uint8_t(code | (bitsOf(q) >> 24 & 0x80u));
}

// ---- E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and negatives -------------------------

inline float e2m1ToFloat(uint8_t code) {
  constexpr float values[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  float value = values[code & 7u];
  return code & 8u ? -value : value;
}

/// x in +-6, rounded to the E2M1 grid; zero keeps the sign of x.
inline float roundE2M1(float x) {
  if (absolute(x) < 1.0f) { // multiples of a half
    float r = (x + 0x1.8p+22f) - 0x1.8p+22f;
    return floatOfBits((bitsOf(r) & 0x7fffffffu) | (bitsOf(x) & 0x80000000u));
  }
  uint32_t b = bitsOf(x);
  return floatOfBits((b + 0x1fffffu + ((b >> 22) & 1u)) & 0xffc00000u);
}

/// Code of a value on the E2M1 grid.
inline uint8_t e2m1Code(float q) {
  uint32_t magnitude = bitsOf(q) & 0x7fffffffu;
  uint32_t code = absolute(q) < 1.0f ? uint32_t(absolute(q) * 2.0f)
                                     : (magnitude >> 22) - (126u << 1);
  return uint8_t(code | (bitsOf(q) >> 28 & 8u));
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_FORMATS_H
