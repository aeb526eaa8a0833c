// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What NVRTC has instead of <stdint.h>, for the headers that device code shares
// with the host (runtime/abi/program.h, runtime/numerics): types of the host's
// sizes, and those compiler builtins that NVRTC lacks. Each builtin is the one
// IEEE instruction (rounded to nearest even), whatever the options say about
// contraction; floats flush denormals by --ftz=true. Only DeviceSources hands
// it out, under the name "stdint.h".

#ifndef DSV4_TARGETS_CUDA_DEVICE_NVRTC_STDINT_H
#define DSV4_TARGETS_CUDA_DEVICE_NVRTC_STDINT_H

using int8_t = signed char;
using int16_t = short;
using int32_t = int;
using int64_t = long; // as on the host, so that names of instantiations agree
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using uint64_t = unsigned long;

static_assert(sizeof(int64_t) == 8 && sizeof(uint64_t) == 8,
              "expected 64-bit long, as on Linux");

__device__ __forceinline__ float __builtin_fmaf(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
__device__ __forceinline__ double __builtin_fma(double a, double b, double c) {
  return __fma_rn(a, b, c);
}
__device__ __forceinline__ float __builtin_sqrtf(float x) {
  return __fsqrt_rn(x);
}
__device__ __forceinline__ double __builtin_sqrt(double x) {
  return __dsqrt_rn(x);
}
__device__ __forceinline__ constexpr float __builtin_inff() {
  return __builtin_bit_cast(float, 0x7f800000u);
}

#endif // DSV4_TARGETS_CUDA_DEVICE_NVRTC_STDINT_H
