// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Block formats in the kernel language (numerics R15): rounding to E4M3 and
// E2M1, and the codes of both. Integer arithmetic on the bits, so that no level
// and no instruction set matters.

#include "targets/cpu/KernelBuilder.h"

using namespace mlir;

namespace dsv4::cpu {

Val KernelBuilder::e8m0ToF32(Val Byte) { return asFloat(Byte << 23); }

/// The value with its mantissa rounded to `Bits` bits, ties to even.
static Val roundMantissa(KernelBuilder &K, Val Magnitude, int Bits) {
  int Drop = 23 - Bits;
  Val I = K.asInt(Magnitude);
  Val Odd = (I >> Drop) & 1;
  return K.asFloat((I + Odd + ((1 << (Drop - 1)) - 1)) & -(int64_t(1) << Drop));
}

/// `Magnitude` with the sign of `Signed`.
static Val withSign(KernelBuilder &K, Val Magnitude, Val Signed) {
  return K.asFloat(K.asInt(Magnitude) |
                   (K.asInt(Signed) & int64_t(0x80000000)));
}

Val KernelBuilder::roundE4m3(Val X) {
  Val Magnitude = min(abs(X), X.like(448.0));
  // Below 2^-6 the grid is 2^-9: adding 2^14 leaves exactly those bits.
  Val Small = Magnitude + 0x1p14 - 0x1p14;
  Val Rounded =
      select(Magnitude < 0x1p-6, Small, roundMantissa(*this, Magnitude, 3));
  return withSign(*this, Rounded, X);
}

Val KernelBuilder::encodeE4m3(Val Rounded) {
  Val Bits = asInt(Rounded);
  Val Magnitude = asFloat(Bits & 0x7fffffff);
  // Multiples of 2^-9 count up from 0; above, exponent and mantissa move down.
  Val Small = toInt(Magnitude * 0x1p9, i32());
  Val Normal = (asInt(Magnitude) >> 20) - (120 << 3);
  return select(Magnitude < 0x1p-6, Small, Normal) | (Bits >> 31) << 7;
}

Val KernelBuilder::decodeE4m3(Val Code) {
  // The exponent moves up by 120; subnormals come from one binade higher,
  // less its start.
  Val Magnitude = (Code & 127) << 20;
  Val Normal = Magnitude + (120 << 23);
  Val Small = asInt(asFloat(Magnitude + (121 << 23)) - 0x1p-6);
  Val Bits = select(Magnitude < (8 << 20), Small, Normal);
  return asFloat(Bits | (Code & 128) << 24);
}

Val KernelBuilder::roundE2m1(Val X) {
  Val Magnitude = min(abs(X), X.like(6.0));
  // Below 1 the grid is 0.5: adding 2^22 leaves exactly that bit.
  Val Small = Magnitude + 0x1p22 - 0x1p22;
  Val Rounded =
      select(Magnitude < 1.0, Small, roundMantissa(*this, Magnitude, 1));
  return withSign(*this, Rounded, X);
}

Val KernelBuilder::encodeE2m1(Val Rounded) {
  Val Bits = asInt(Rounded);
  Val Magnitude = asFloat(Bits & 0x7fffffff);
  Val Small = toInt(Magnitude * 2.0, i32());
  Val Normal = (asInt(Magnitude) >> 22) - (126 << 1);
  return select(Magnitude < 1.0, Small, Normal) | (Bits >> 31) << 3;
}

Val KernelBuilder::decodeE2m1(Val Code) {
  // The exponent moves up by 126, where code 1 (a half) would come out as
  // 0.75: below 1 the value is 2 x - 1.
  Val Magnitude = (Code & 7) << 22;
  Val Normal = Magnitude + (126 << 23);
  Val Small = asInt(asFloat(Normal) * 2.0 - 1.0);
  Val Bits = select(Magnitude < (2 << 22), Small, Normal);
  return asFloat(Bits | (Code & 8) << 28);
}

} // namespace dsv4::cpu
