// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding of packed weights in registers: what a lane loaded becomes its part
// of operand A. Every decoding is exact; docs/cuda-packing.md has the argument
// and the instruction counts, which a test holds against cubins. Not here: the
// loads, the products, and where totals live. Never run on hardware.
//
// One tile, for every instruction of it:
//   FP4   table per row from the lane's offset byte, then 4 words a row; after
//         the tile total = fma(sum, fp4Factor(base), total)
//   FP8   a vector is operand A, or two of FP16; factor e8m0Factor(scale)
//   BF16  a vector is operand A; no factor

#ifndef DSV4_TARGETS_CUDA_DEVICE_DECODE_CUH
#define DSV4_TARGETS_CUDA_DEVICE_DECODE_CUH

#include "targets/cuda/device/layout.h"
#include "targets/cuda/device/ptx_alu.h"

namespace dsv4::cuda {

/// Four registers of operand A: row g first k, row g + 8 first k, row g last k,
/// row g + 8 last k. Vectors of FP8 and BF16 tiles are stored so.
using FragmentA = U32x4;

// ---- Scales -----------------------------------------------------------------

/// 2^(byte - 127); byte 0 gives zero, as everywhere (runtime/numerics).
DSV4_DEVICE float e8m0Factor(u32 byte) {
  return __builtin_bit_cast(float, byte << 23);
}

/// What sums over a tile of FP4 weights decoded with offsets are times.
DSV4_DEVICE float fp4Factor(u32 base) { return e8m0Factor(base + Fp4Bias); }

// ---- FP4 --------------------------------------------------------------------

/// The upper bytes of the values of the eight magnitudes, for prmt.
struct Fp4Table {
  u32 low, high;
};

/// Magnitude times 2^(offset - Fp4Bias) in E4M3: an exponent is 8. Entry 0
/// stays zero; 0.5 is a normal number from offset 0 on.
DSV4_DEVICE Fp4Table fp4TableE4m3(u32 offset) {
  return {0x14100800u + offset * 0x08080800u,
          0x24201c18u + offset * 0x08080808u};
}

/// The same in the upper bytes of FP16, whose lower bytes are zero: an exponent
/// is 4.
DSV4_DEVICE Fp4Table fp4TableF16(u32 offset) {
  return {0x2a282400u + offset * 0x04040400u,
          0x32302e2cu + offset * 0x04040404u};
}

/// A lane's tables of a tile, by its offset byte.
struct Fp4Tables {
  Fp4Table upper, lower; // rows g and g + 8
};

DSV4_DEVICE Fp4Tables fp4TablesE4m3(u32 offsetByte) {
  return {fp4TableE4m3(offsetByte & 15u), fp4TableE4m3(offsetByte >> 4)};
}

DSV4_DEVICE Fp4Tables fp4TablesF16(u32 offsetByte) {
  return {fp4TableF16(offsetByte & 15u), fp4TableF16(offsetByte >> 4)};
}

/// For pass c of a tile whose scales escaped: weights of block c as they are,
/// all others zero. The sum of the pass is times each row's own scale.
DSV4_DEVICE Fp4Tables fp4EscapeTablesE4m3(bool mine) {
  Fp4Table table = fp4TableE4m3(Fp4Bias);
  if (!mine)
    table = {0, 0};
  return {table, table};
}

DSV4_DEVICE Fp4Tables fp4EscapeTablesF16(bool mine) {
  Fp4Table table = fp4TableF16(Fp4Bias);
  if (!mine)
    table = {0, 0};
  return {table, table};
}

/// Four codes and four more, k ascending, one byte each.
struct Bytes8 {
  u32 first, second;
};

/// Looks up a word of eight codes. The magnitude of code i is in nibble i; its
/// sign is where the byte of the result wants it: bits 7, 15, 23, 31 for codes
/// 0 .. 3, bits 3, 11, 19, 27 for codes 4 .. 7. Seven instructions.
DSV4_DEVICE Bytes8 decodeFp4Word(u32 word, Fp4Table table) {
  u32 magnitudes = word & 0x77777777u;
  u32 first = prmt(table.low, table.high, magnitudes);
  u32 second = prmt(table.low, table.high, magnitudes >> 16);
  return {first | (word & 0x80808080u), second | (word << 4 & 0x80808080u)};
}

/// Operand A of instruction `i` (0 .. 3) of m64nNk32 or m16n8k32 in E4M3.
DSV4_DEVICE FragmentA fp4FragmentE4m3(const U32x4 &upper, const U32x4 &lower,
                                      const Fp4Tables &tables, int i) {
  Bytes8 up = decodeFp4Word(upper[i], tables.upper);
  Bytes8 low = decodeFp4Word(lower[i], tables.lower);
  return {{up.first, low.first, up.second, low.second}};
}

/// Upper bytes to FP16: the pairs (0, 1) and (2, 3) of four codes.
DSV4_DEVICE u32 upperBytesPair(u32 bytes, bool last) {
  return prmt(bytes, 0, last ? 0x3424u : 0x1404u);
}

/// Operands A of instructions 2 i and 2 i + 1 (i = 0 .. 3) of m16n8k16 in FP16.
struct FragmentPair {
  FragmentA even, odd;
};

DSV4_DEVICE FragmentPair fp4FragmentsF16(const U32x4 &upper, const U32x4 &lower,
                                         const Fp4Tables &tables, int i) {
  Bytes8 up = decodeFp4Word(upper[i], tables.upper);
  Bytes8 low = decodeFp4Word(lower[i], tables.lower);
  return {
      {{upperBytesPair(up.first, false), upperBytesPair(low.first, false),
        upperBytesPair(up.first, true), upperBytesPair(low.first, true)}},
      {{upperBytesPair(up.second, false), upperBytesPair(low.second, false),
        upperBytesPair(up.second, true), upperBytesPair(low.second, true)}}};
}

// ---- FP8 --------------------------------------------------------------------

/// E4M3 to FP16 where no instruction converts (sm_80), a pair whose codes are
/// the upper bytes of 16 bits: exponent and mantissa move down one place, which
/// is the value times 2^-8, subnormals included, and the product puts it right.
DSV4_DEVICE u32 e4m3UpperToF16x2(u32 upper) {
  u32 magnitudes = upper >> 1 & 0x3f803f80u;
  return mulF16x2(magnitudes | (upper & 0x80008000u), 0x5c005c00u); // 256
}

/// A pair of the four codes of `word`: (0, 1), or with `last` (2, 3).
DSV4_DEVICE u32 e4m3PairToF16x2(u32 word, bool last) {
#if DSV4_HAS_CVT_E4M3
  return last ? cvtE4m3x2ToF16x2<true>(word) : cvtE4m3x2ToF16x2<false>(word);
#else
  return e4m3UpperToF16x2(upperBytesPair(word, last));
#endif
}

/// The same pair in BF16, exactly: a code's bits, moved to the places of BF16,
/// are its value times 2^-120.
DSV4_DEVICE u32 e4m3PairToBf16x2(u32 word, bool last) {
  u32 upper = upperBytesPair(word, last);
  u32 bits = (upper >> 4 & 0x07f007f0u) | (upper & 0x80008000u);
  constexpr u32 TwoTo120 = 0x7b807b80u;
  return mulBf16x2(bits, TwoTo120);
}

/// As fp8FragmentsF16, in BF16.
DSV4_DEVICE FragmentPair fp8FragmentsBf16(const U32x4 &codes) {
  FragmentPair pair;
  for (int reg = 0; reg < 2; ++reg) {
    u32 first = codes[reg], second = codes[reg + 2];
    pair.even[reg] = e4m3PairToBf16x2(first, false);
    pair.even[reg + 2] = e4m3PairToBf16x2(first, true);
    pair.odd[reg] = e4m3PairToBf16x2(second, false);
    pair.odd[reg + 2] = e4m3PairToBf16x2(second, true);
  }
  return pair;
}

/// Operands A of instructions 2 i and 2 i + 1 of m16n8k16 in FP16, from the
/// lane's vector i of an FP8 tile.
DSV4_DEVICE FragmentPair fp8FragmentsF16(const U32x4 &codes) {
  FragmentPair pair;
  for (int reg = 0; reg < 2; ++reg) {
    u32 first = codes[reg], second = codes[reg + 2];
    pair.even[reg] = e4m3PairToF16x2(first, false);
    pair.even[reg + 2] = e4m3PairToF16x2(first, true);
    pair.odd[reg] = e4m3PairToF16x2(second, false);
    pair.odd[reg + 2] = e4m3PairToF16x2(second, true);
  }
  return pair;
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_DECODE_CUH
