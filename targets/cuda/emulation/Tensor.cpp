// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic of matrix instructions. Elements are decoded to double once
// per instruction, products are exact there; C comes first, then k ascends, and
// the sum is rounded to float32 once.

#include "targets/cuda/emulation/Machine.h"

#include <cmath>

// Widths of vectors change nothing in a sum per column; sanitizers cannot run
// before the loader has picked a version.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define DSV4_VERSIONS __attribute__((target_clones("default", "avx2")))
#endif
#endif
#endif
#ifndef DSV4_VERSIONS
#define DSV4_VERSIONS
#endif

namespace dsv4::cuda::emu {
namespace {

/// Sign, exponent and mantissa of any small format without infinities.
double decodeSmall(u32 bits, u32 exponentBits, u32 mantissaBits, int bias) {
  u32 mantissa = bits & ((1u << mantissaBits) - 1);
  u32 exponent = bits >> mantissaBits & ((1u << exponentBits) - 1);
  bool negative = bits >> (mantissaBits + exponentBits) & 1;
  double unit = std::ldexp(1.0, -int(mantissaBits));
  double value = exponent
                     ? std::ldexp(1 + mantissa * unit, int(exponent) - bias)
                     : std::ldexp(mantissa * unit, 1 - bias);
  return negative ? -value : value;
}

double decodeSlow(Elem elem, u32 bits) {
  switch (elem) {
  case Elem::F16:
    if ((bits & 0x7c00) == 0x7c00) {
      double special = bits & 0x3ff ? NAN : INFINITY;
      return bits & 0x8000 ? -special : special;
    }
    return decodeSmall(bits, 5, 10, 15);
  case Elem::BF16:
    return double(__builtin_bit_cast(float, bits << 16));
  case Elem::E4M3:
    return (bits & 0x7f) == 0x7f ? NAN : decodeSmall(bits, 4, 3, 7);
  case Elem::E2M1:
    return decodeSmall(bits >> 2 & 0xf, 2, 1, 1);
  }
  return NAN;
}

struct Table {
  std::vector<double> values;
  Table(Elem elem, u32 count) : values(count) {
    for (u32 i = 0; i < count; ++i)
      values[i] = decodeSlow(elem, i);
  }
};

const double *tableOf(Elem elem) {
  static const Table f16(Elem::F16, 65536), e4m3(Elem::E4M3, 256),
      e2m1(Elem::E2M1, 256);
  switch (elem) {
  case Elem::F16:
    return f16.values.data();
  case Elem::E4M3:
    return e4m3.values.data();
  case Elem::E2M1:
    return e2m1.values.data();
  case Elem::BF16:
    return nullptr;
  }
  return nullptr;
}

/// The elements of one register, `perRegister` of them, `stride` apart.
void unpack(Elem elem, const double *table, u32 word, double *to, u32 stride) {
  if (elem == Elem::BF16) {
    to[0] = double(__builtin_bit_cast(float, word << 16));
    to[stride] = double(__builtin_bit_cast(float, word & 0xffff0000u));
  } else if (elem == Elem::F16) {
    to[0] = table[word & 0xffff];
    to[stride] = table[word >> 16];
  } else {
    for (u32 i = 0; i < 4; ++i)
      to[i * stride] = table[word >> (8 * i) & 0xff];
  }
}

double scaleOf(u32 byte) {
  return byte == 0xff ? NAN : std::ldexp(1.0, int(byte) - 127);
}

template <Elem A, Elem B, bool Scaled> void runMma(void **lanes) {
  const u32 *aRegisters[32];
  for (u32 i = 0; i < 32; ++i)
    aRegisters[i] = static_cast<MmaArgs *>(lanes[i])->a;
  double a[16 * 32], b[32 * 8];
  float d[16 * 8];
  const u32 k = depthOf(A), per = k / 8;
  gatherA(A, aRegisters, a);
  const double *table = tableOf(B);
  for (u32 lane = 0; lane < 32; ++lane) {
    auto *args = static_cast<MmaArgs *>(lanes[lane]);
    u32 g = lane / 4, c = lane % 4;
    unpack(B, table, args->b[0], b + per * c * 8 + g, 8);
    unpack(B, table, args->b[1], b + (per * c + k / 2) * 8 + g, 8);
    d[g * 8 + 2 * c] = args->c[0];
    d[g * 8 + 2 * c + 1] = args->c[1];
    d[(g + 8) * 8 + 2 * c] = args->c[2];
    d[(g + 8) * 8 + 2 * c + 1] = args->c[3];
  }
  if (Scaled)
    for (u32 g = 0; g < 8; ++g) {
      auto scale = [&](u32 lane) {
        return static_cast<MmaArgs *>(lanes[lane]);
      };
      double low = scaleOf(scale(4 * g)->scaleA & 0xff),
             high = scaleOf(scale(4 * g + 1)->scaleA & 0xff),
             column = scaleOf(scale(4 * g)->scaleB & 0xff);
      for (u32 i = 0; i < k; ++i) {
        a[g * k + i] *= low;
        a[(g + 8) * k + i] *= high;
        b[i * 8 + g] *= column;
      }
    }
  product(a, b, d, 8, k);
  for (u32 lane = 0; lane < 32; ++lane) {
    float *to = static_cast<MmaArgs *>(lanes[lane])->d;
    const float *from = d + lane / 4 * 8 + 2 * (lane % 4);
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[64];
    to[3] = from[65];
  }
}

} // namespace

u32 depthOf(Elem elem) {
  return elem == Elem::F16 || elem == Elem::BF16 ? 16 : 32;
}

void decode16(Elem elem, const u8 *bytes, double *to, u32 stride) {
  const double *table = tableOf(elem);
  const u32 perWord = depthOf(elem) / 8;
  for (u32 i = 0; i < 4; ++i) {
    u32 word;
    std::memcpy(&word, bytes + 4 * i, 4);
    unpack(elem, table, word, to + i * perWord * stride, stride);
  }
}

void gatherA(Elem elem, const u32 *const *registers, double *a) {
  const u32 k = depthOf(elem), per = k / 8;
  const double *table = tableOf(elem);
  for (u32 lane = 0; lane < 32; ++lane) {
    double *to = a + lane / 4 * k + per * (lane % 4);
    const u32 *from = registers[lane];
    unpack(elem, table, from[0], to, 1);
    unpack(elem, table, from[1], to + 8 * k, 1);
    unpack(elem, table, from[2], to + k / 2, 1);
    unpack(elem, table, from[3], to + 8 * k + k / 2, 1);
  }
}

DSV4_VERSIONS
void product(const double *a, const double *b, float *d, u32 n, u32 k) {
  for (u32 row = 0; row < 16; ++row)
    for (u32 column = 0; column < n; column += 8) {
      float *to = d + row * n + column;
      double sum[8];
      for (u32 j = 0; j < 8; ++j)
        sum[j] = to[j];
      for (u32 i = 0; i < k; ++i)
        for (u32 j = 0; j < 8; ++j)
          sum[j] += a[row * k + i] * b[i * n + column + j];
      for (u32 j = 0; j < 8; ++j) // the only NaN that instructions make
        to[j] = sum[j] == sum[j] ? float(sum[j])
                                 : __builtin_bit_cast(float, 0x7fffffffu);
    }
}

void mma(Elem a, Elem b, bool blockScaled, MmaArgs *args) {
  using enum Elem;
  if (blockScaled) {
    if (a == E4M3)
      b == E4M3 ? collective("mma.mxf8f6f4", args, runMma<E4M3, E4M3, true>)
                : collective("mma.mxf8f6f4", args, runMma<E4M3, E2M1, true>);
    else
      b == E4M3 ? collective("mma.mxf8f6f4", args, runMma<E2M1, E4M3, true>)
                : collective("mma.mxf8f6f4", args, runMma<E2M1, E2M1, true>);
  } else if (a == F16) {
    collective("mma.f16", args, runMma<F16, F16, false>);
  } else if (a == BF16) {
    collective("mma.bf16", args, runMma<BF16, BF16, false>);
  } else {
    collective("mma.e4m3", args, runMma<E4M3, E4M3, false>);
  }
}

} // namespace dsv4::cuda::emu
