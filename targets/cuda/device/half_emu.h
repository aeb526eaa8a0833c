// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// FP16, BF16 and FP8 arithmetic on the CPU, for the twins of PTX instructions:
// exact decoding, one rounding to nearest even, the canonical NaN of the PTX
// manual. Only with DSV4_CPU_EMU; slow and obvious on purpose.

#ifndef DSV4_TARGETS_CUDA_DEVICE_HALF_EMU_H
#define DSV4_TARGETS_CUDA_DEVICE_HALF_EMU_H

#include "targets/cuda/device/config.h"

namespace dsv4::cuda::emu::alu {

/// A small float: exponent bits, mantissa bits; infinities at the top.
struct SmallFloat {
  int exponent, mantissa;
};
inline constexpr SmallFloat F16{5, 10};
inline constexpr SmallFloat Bf16{8, 7};

inline double power2(int e) { return __builtin_ldexp(1.0, e); }

/// A subnormal float becomes a zero of its sign.
inline float flush(float x) {
  u32 bits = __builtin_bit_cast(u32, x);
  return bits & 0x7f800000u ? x : __builtin_bit_cast(float, bits & 0x80000000u);
}

/// As an instruction on float32 gives it: every NaN is the canonical one, which
/// is not the host's.
inline float canonical(float x) {
  return x == x ? x : __builtin_bit_cast(float, 0x7fffffffu);
}

/// The value of `bits`, exactly.
inline double decode(SmallFloat f, u32 bits) {
  int bias = (1 << (f.exponent - 1)) - 1;
  int field = int(bits >> f.mantissa) & ((1 << f.exponent) - 1);
  double mantissa = double(bits & ((1u << f.mantissa) - 1));
  bool negative = bits >> (f.exponent + f.mantissa) & 1u;
  double value;
  if (field == (1 << f.exponent) - 1)
    value = mantissa != 0 ? __builtin_nan("") : __builtin_inf();
  else if (field == 0)
    value = mantissa * power2(1 - bias - f.mantissa);
  else
    value = (mantissa + power2(f.mantissa)) * power2(field - bias - f.mantissa);
  return negative ? -value : value;
}

/// `x` rounded to nearest even; beyond the largest it is infinity.
inline u32 encode(SmallFloat f, double x) {
  int bias = (1 << (f.exponent - 1)) - 1;
  u32 sign = u32(__builtin_signbit(x) != 0) << (f.exponent + f.mantissa);
  u32 infinity = ((1u << f.exponent) - 1) << f.mantissa;
  if (__builtin_isnan(x)) // the canonical NaN: positive, all ones
    return infinity | ((1u << f.mantissa) - 1);
  double a = __builtin_fabs(x);
  if (__builtin_isinf(a))
    return sign | infinity;
  int e = a == 0 ? -bias : __builtin_ilogb(a);
  int lowest = 1 - bias;
  int ulp = (e < lowest ? lowest : e) - f.mantissa;
  // At most 2^(mantissa + 1) steps of an ulp; rint rounds ties to even. A carry
  // into the next exponent falls out of the addition by itself.
  auto steps = u32(__builtin_rint(a * power2(-ulp)));
  u32 bits = (u32(ulp + f.mantissa - lowest) << f.mantissa) + steps;
  return sign | (bits < infinity ? bits : infinity);
}

/// a * b + c for small floats without a double rounding: the sum is rounded to
/// odd in double, so that the rounding to the small format is the only one.
inline double fmaToOdd(double a, double b, double c) {
  double product = a * b; // exact: at most 22 bits
  double sum = product + c;
  if (!__builtin_isfinite(sum))
    return sum;
  double part = sum - product;
  double error = (product - (sum - part)) + (c - part);
  auto bits = __builtin_bit_cast(u64, sum);
  if (error == 0 || bits & 1)
    return sum;
  bool away = (error > 0) == (sum > 0);
  return __builtin_bit_cast(double, away ? bits + 1 : bits - 1);
}

/// E4M3 has no infinities: its top exponent is a number like the others, and
/// only 0x7f is NaN.
inline double decodeE4m3(u32 code) {
  if ((code & 0x7fu) == 0x7fu)
    return __builtin_nan("");
  double mantissa = double(code & 7u);
  int field = int(code >> 3 & 15u);
  double value =
      field == 0 ? mantissa * power2(-9) : (mantissa + 8) * power2(field - 10);
  return code & 0x80u ? -value : value;
}

inline double decodeE2m1(u32 code) {
  constexpr double values[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  return code & 8u ? -values[code & 7u] : values[code & 7u];
}

} // namespace dsv4::cuda::emu::alu

#endif // DSV4_TARGETS_CUDA_DEVICE_HALF_EMU_H
