// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic PTX instructions, each wrapped here and nowhere else, with a twin
// on the CPU for DSV4_CPU_EMU. What C++ says as well (logic, shifts, integer
// multiply-adds) has no wrapper: the compiler merges it better. The twins
// follow the PTX manual.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PTX_ALU_H
#define DSV4_TARGETS_CUDA_DEVICE_PTX_ALU_H

#include "targets/cuda/device/config.h"

#ifdef DSV4_CPU_EMU
#include "targets/cuda/device/half_emu.h"
#endif

// What the architecture converts by itself. The emulator has everything.
#if defined(DSV4_CPU_EMU) || __CUDA_ARCH__ >= 890
#define DSV4_HAS_CVT_E4M3 1
#else
#define DSV4_HAS_CVT_E4M3 0
#endif
#if defined(DSV4_CPU_EMU) || defined(__CUDA_ARCH_FEAT_SM100_ALL) ||            \
    defined(__CUDA_ARCH_FEAT_SM120_ALL)
#define DSV4_HAS_CVT_E2M1 1
#else
#define DSV4_HAS_CVT_E2M1 0
#endif

namespace dsv4::cuda {

#ifdef DSV4_CPU_EMU

namespace emu::alu {

/// `op` on both halves of packed pairs.
template <typename Function>
inline u32 onHalves(SmallFloat f, u32 a, u32 b, u32 c, Function op) {
  u32 result = 0;
  for (int half = 0; half < 32; half += 16)
    result |= encode(f, op(decode(f, a >> half & 0xffffu),
                           decode(f, b >> half & 0xffffu),
                           decode(f, c >> half & 0xffffu)))
              << half;
  return result;
}

} // namespace emu::alu

#endif

/// popc.b32: bits that are set.
DSV4_DEVICE u32 countBits(u32 mask) {
#ifdef DSV4_CPU_EMU
  return u32(__builtin_popcount(mask));
#else
  return u32(__popc(int(mask)));
#endif
}

/// prmt.b32: byte i of the result is the byte of b:a that nibble i of
/// `selector` names in its low three bits; with the fourth, its sign eight
/// times. Only the low 16 bits of `selector` count.
DSV4_DEVICE u32 prmt(u32 a, u32 b, u32 selector) {
#ifdef DSV4_CPU_EMU
  u32 result = 0;
  for (int i = 0; i < 4; ++i) {
    u32 nibble = selector >> 4 * i & 15u;
    u32 byte = (nibble & 4u ? b : a) >> (nibble & 3u) * 8 & 0xffu;
    if (nibble & 8u)
      byte = byte & 0x80u ? 0xffu : 0u;
    result |= byte << 8 * i;
  }
  return result;
#else
  u32 result;
  asm("prmt.b32 %0, %1, %2, %3;"
      : "=r"(result)
      : "r"(a), "r"(b), "r"(selector));
  return result;
#endif
}

/// fma.rn.ftz.f32, whatever the compiler's contraction is set to: subnormal
/// inputs and results are zeros of their sign (numerics, ground rules), and a
/// NaN is 0x7fffffff.
DSV4_DEVICE float fmaF32(float a, float b, float c) {
#ifdef DSV4_CPU_EMU
  using namespace emu::alu;
  return canonical(flush(__builtin_fmaf(flush(a), flush(b), flush(c))));
#else
  float result;
  asm("fma.rn.ftz.f32 %0, %1, %2, %3;" : "=f"(result) : "f"(a), "f"(b), "f"(c));
  return result;
#endif
}

/// mul.rn.f16x2: two products, subnormals kept.
DSV4_DEVICE u32 mulF16x2(u32 a, u32 b) {
#ifdef DSV4_CPU_EMU
  return emu::alu::onHalves(emu::alu::F16, a, b, 0,
                            [](double x, double y, double) { return x * y; });
#else
  u32 result;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
  return result;
#endif
}

/// fma.rn.f16x2.
DSV4_DEVICE u32 fmaF16x2(u32 a, u32 b, u32 c) {
#ifdef DSV4_CPU_EMU
  return emu::alu::onHalves(emu::alu::F16, a, b, c, emu::alu::fmaToOdd);
#else
  u32 result;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
#endif
}

/// fma.rn.bf16x2.
DSV4_DEVICE u32 fmaBf16x2(u32 a, u32 b, u32 c) {
#ifdef DSV4_CPU_EMU
  return emu::alu::onHalves(emu::alu::Bf16, a, b, c, emu::alu::fmaToOdd);
#else
  u32 result;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
#endif
}

/// Two products in BF16. sm_80 and sm_89 have no mul.bf16x2; a product plus -0
/// is the product, its own zeros with their signs.
DSV4_DEVICE u32 mulBf16x2(u32 a, u32 b) { return fmaBf16x2(a, b, 0x80008000u); }

#if DSV4_HAS_CVT_E4M3
/// cvt.rn.f16x2.e4m3x2 (sm_89 and up): the two codes in the lower or upper half
/// of a word, the first one lowest. Exact. The move names the half, which the
/// instruction then takes by itself; a shift would stay one.
template <bool upper> DSV4_DEVICE u32 cvtE4m3x2ToF16x2(u32 codes) {
#ifdef DSV4_CPU_EMU
  u32 pair = upper ? codes >> 16 : codes;
  return emu::alu::encode(emu::alu::F16, emu::alu::decodeE4m3(pair & 0xffu)) |
         emu::alu::encode(emu::alu::F16,
                          emu::alu::decodeE4m3(pair >> 8 & 0xffu))
             << 16;
#else
  u32 result;
  if constexpr (upper)
    asm("{\n\t.reg .b16 low, high;\n\t"
        "mov.b32 {low, high}, %1;\n\t"
        "cvt.rn.f16x2.e4m3x2 %0, high;\n\t}"
        : "=r"(result)
        : "r"(codes));
  else
    asm("{\n\t.reg .b16 low, high;\n\t"
        "mov.b32 {low, high}, %1;\n\t"
        "cvt.rn.f16x2.e4m3x2 %0, low;\n\t}"
        : "=r"(result)
        : "r"(codes));
  return result;
#endif
}
#endif

#if DSV4_HAS_CVT_E2M1
/// cvt.rn.f16x2.e2m1x2 (sm_100a, sm_120a): codes in the low 8 bits, the first
/// one in the low nibble. Exact.
DSV4_DEVICE u32 cvtE2m1x2ToF16x2(u32 codes) {
#ifdef DSV4_CPU_EMU
  return emu::alu::encode(emu::alu::F16, emu::alu::decodeE2m1(codes & 15u)) |
         emu::alu::encode(emu::alu::F16, emu::alu::decodeE2m1(codes >> 4 & 15u))
             << 16;
#else
  u32 result;
  asm("{\n\t.reg .b8 low, high;\n\t"
      "mov.b16 {low, high}, %1;\n\t"
      "cvt.rn.f16x2.e2m1x2 %0, low;\n\t}"
      : "=r"(result)
      : "h"((u16)codes));
  return result;
#endif
}
#endif

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PTX_ALU_H
