// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// exp for the sampler until runtime/numerics has it.

#ifndef DSV4_RUNTIME_TEXT_LOCAL_EXP_H
#define DSV4_RUNTIME_TEXT_LOCAL_EXP_H
namespace dsv4::num {
inline float exp(float x) {
  if (!(x > -87.3f))
    return 0.0f;
  double v = x, k = __builtin_floor(v * 1.4426950408889634 + 0.5);
  double r = v - k * 0.6931471805599453, t = 1, s = 1;
  for (int i = 1; i < 14; ++i) {
    t = t * r / i;
    s += t;
  }
  return static_cast<float>(
      s *
      __builtin_bit_cast(double, (1023ull + static_cast<long long>(k)) << 52));
}
} // namespace dsv4::num
#endif // DSV4_RUNTIME_TEXT_LOCAL_EXP_H
