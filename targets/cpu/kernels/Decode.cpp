// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Decode.h: tables and shifts per format and instruction set level.

#include "targets/cpu/kernels/Decode.h"

#include "mlir/IR/BuiltinTypes.h"

#include "llvm/ADT/bit.h"

#include <cmath>

using namespace mlir;

namespace dsv4::cpu {

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

static bool hasDot(KernelBuilder &K) { return K.dotForm() == DotForm::Bf16; }

static Type bf16x32(KernelBuilder &K) {
  return K.vec(32, K.builder().getBF16Type());
}

Pair pairOfLanes(KernelBuilder &K, Val Lanes) {
  Pair P;
  if (hasDot(K)) {
    P.both = K.bitcast(Lanes, bf16x32(K));
    return P;
  }
  P.even = K.asFloat(Lanes << 16);
  P.odd = K.asFloat(Lanes & int64_t(0xffff0000));
  return P;
}

int64_t pairBytes(KernelBuilder &K) { return hasDot(K) ? 64 : 128; }

void storePair(KernelBuilder &K, const Pair &P, Val Ptr) {
  auto Role = K.touching(PanelRole);
  if (P.both)
    return K.store(P.both, Ptr, 64);
  K.store(P.even, Ptr, 64);
  K.store(P.odd, Ptr + 64, 64);
}

Pair loadPair(KernelBuilder &K, Val Ptr) {
  auto Role = K.touching(PanelRole, hasDot(K) ? 16 : 32);
  if (hasDot(K))
    return pairOfLanes(K, K.loadVI(Ptr, 64));
  Pair P;
  P.even = K.loadVF(Ptr, 64);
  P.odd = K.loadVF(Ptr + 64, 64);
  return P;
}

//===----------------------------------------------------------------------===//
// FP4: E2M1 codes
//===----------------------------------------------------------------------===//

/// Magnitudes of the codes 0..7; codes 8..15 are their negatives.
static constexpr float E2M1[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};

/// BF16 bits of a float on the BF16 grid.
static int16_t bf16Bits(float F) {
  return int16_t(llvm::bit_cast<uint32_t>(F) >> 16);
}

/// A look-up of 16-bit lanes takes 5 bits of index, of which a code fills 4:
/// the 16 values stand there twice.
static Val fp4Table16(KernelBuilder &K) {
  int16_t Table[32];
  for (int I = 0; I < 32; ++I)
    Table[I] = bf16Bits(I & 8 ? -E2M1[I & 7] : E2M1[I & 7]);
  return K.lanes16(Table);
}

static Val fp4Table32(KernelBuilder &K) {
  float Table[16];
  for (int I = 0; I < 16; ++I)
    Table[I] = I & 8 ? -E2M1[I & 7] : E2M1[I & 7];
  return K.lanes(ArrayRef<float>(Table));
}

/// Eight lanes of table look-up; the sign bit of the code goes to bit 31.
static Val fp4Avx2(KernelBuilder &K, Val Lanes) {
  Val Table = K.lanes(ArrayRef<float>(E2M1));
  Val Halves[2];
  for (int64_t H = 0; H < 2; ++H) {
    SmallVector<int64_t> Mask;
    for (int64_t I = 0; I < 8; ++I)
      Mask.push_back(8 * H + I);
    Halves[H] = K.intrinsic("llvm.x86.avx2.permps", K.vec(8, K.f32()),
                            {Table, K.shuffle(Lanes, Lanes, Mask)});
  }
  SmallVector<int64_t> All;
  for (int64_t I = 0; I < 16; ++I)
    All.push_back(I);
  Val Magnitude = K.asInt(K.shuffle(Halves[0], Halves[1], All));
  return K.asFloat(Magnitude | (Lanes & 8) << 28);
}

/// One code per lane, in its lowest four bits.
static Val fp4Single(KernelBuilder &K, Val Lanes) {
  if (K.isa() >= IsaLevel::Avx512)
    return K.intrinsic("llvm.x86.avx512.permvar.sf.512", K.vec(16, K.f32()),
                       {fp4Table32(K), Lanes});
  if (K.isa() == IsaLevel::Avx2)
    return fp4Avx2(K, Lanes);
  return K.decodeE2m1(Lanes);
}

/// BF16 of the codes in the lowest four bits of both halves of each lane.
static Val fp4Halves(KernelBuilder &K, Val Lanes) {
  Type Words = K.vec(32, K.i16());
  return K.intrinsic("llvm.x86.avx512.permvar.hi.512", Words,
                     {fp4Table16(K), K.bitcast(Lanes, Words)});
}

/// The code in the upper half of each lane: a look-up of both halves that
/// clears the lower one gives its float in one instruction, without a shift.
static Val fp4Upper(KernelBuilder &K, Val Lanes) {
  if (K.isa() < IsaLevel::Avx512)
    return fp4Single(K, Lanes >> 16);
  Val Upper = K.keepLanes(0xaaaaaaaa, fp4Halves(K, Lanes));
  return K.asFloat(K.bitcast(Upper, K.vec(16, K.i32())));
}

static SmallVector<Pair, 4> fp4Pairs(KernelBuilder &K, Val Ptr,
                                     unsigned Align) {
  Val Line = K.loadVI(Ptr, Align);
  SmallVector<Pair, 4> Pairs;
  for (int64_t N = 0; N < 4; ++N) {
    Pair &P = Pairs.emplace_back();
    Val Shifted = N ? Line >> (4 * N) : Line;
    if (hasDot(K)) {
      P.both = K.bitcast(fp4Halves(K, Shifted), bf16x32(K));
      continue;
    }
    P.even = fp4Single(K, Shifted);
    P.odd = fp4Upper(K, Shifted);
  }
  return Pairs;
}

//===----------------------------------------------------------------------===//
// FP8: E4M3 codes
//===----------------------------------------------------------------------===//

/// The value of an E4M3 magnitude (0..127); 127 stands for NaN in the format
/// and never occurs in a checkpoint that was accepted.
static float e4m3(int Code) {
  int Exponent = Code >> 3, Mantissa = Code & 7;
  return Exponent ? std::ldexp(float(8 + Mantissa), Exponent - 10)
                  : std::ldexp(float(Mantissa), -9);
}

/// One byte (0 low, 1 high) of the BF16 of magnitudes First .. First + 63.
static Val fp8Table(KernelBuilder &K, int First, int Byte) {
  int8_t Table[64];
  for (int I = 0; I < 64; ++I)
    Table[I] = int8_t(uint16_t(bf16Bits(e4m3(First + I))) >> (8 * Byte));
  return K.lanes8(Table);
}

/// The unpack instruction on vectors of `Count` elements in 64 bytes: of each
/// 16 bytes the lower half (Half 0) or the upper one, A and B in turns.
static Val unpackHalf(KernelBuilder &K, Val A, Val B, int64_t Count,
                      int64_t Half) {
  int64_t Part = Count / 4;
  SmallVector<int64_t> Mask;
  for (int64_t First = 0; First < Count; First += Part)
    for (int64_t I = 0; I < Part / 2; ++I) {
      Mask.push_back(First + Part / 2 * Half + I);
      Mask.push_back(Count + First + Part / 2 * Half + I);
    }
  return K.shuffle(A, B, Mask);
}

/// Both bytes of the BF16 come from tables of 128 entries (the look-up ignores
/// bit 7), the sign from the code; an unpack joins them: of each 16 codes first
/// the lower eight.
static SmallVector<Val, 4> fp8Halves(KernelBuilder &K, Val Codes,
                                     const Fp8Tables &Tables) {
  Type Bytes = K.vec(64, K.i8());
  auto LookUp = [&](const Val(&Table)[2]) {
    return K.intrinsic("llvm.x86.avx512.vpermi2var.qi.512", Bytes,
                       {Table[0], Codes, Table[1]});
  };
  Val Low = LookUp(Tables.low);
  Val High = LookUp(Tables.high) | (Codes & -128);
  SmallVector<Val, 4> Halves;
  for (int64_t Half = 0; Half < 2; ++Half)
    Halves.push_back(
        K.bitcast(unpackHalf(K, Low, High, 64, Half), K.vec(32, K.i16())));
  return Halves;
}

static Fp8Tables plainTables(KernelBuilder &K) {
  return {{fp8Table(K, 0, 0), fp8Table(K, 64, 0)},
          {fp8Table(K, 0, 1), fp8Table(K, 64, 1)}};
}

Fp8Tables fp8Tables(KernelBuilder &K, Val Exponents) {
  Fp8Tables Out;
  for (int Half = 0; Half < 2; ++Half) {
    Val Low[2], High[2];
    for (int Part = 0; Part < 2; ++Part) {
      int16_t Words[32];
      for (int I = 0; I < 32; ++I)
        Words[I] = bf16Bits(e4m3(64 * Half + 32 * Part + I));
      Val Bits = K.lanes16(Words);
      Bits = select(Bits == 0, Bits, Bits + Exponents);
      Low[Part] = K.trunc(Bits, K.i8());
      High[Part] = K.trunc(Bits >> 8, K.i8());
    }
    SmallVector<int64_t> All;
    for (int64_t I = 0; I < 64; ++I)
      All.push_back(I);
    Out.low[Half] = K.shuffle(Low[0], Low[1], All);
    Out.high[Half] = K.shuffle(High[0], High[1], All);
  }
  return Out;
}

SmallVector<Val, 4> fp8LookUp(KernelBuilder &K, Val Ptr,
                              const Fp8Tables &Tables) {
  auto Role = K.touching(WeightsRole, /*Bits=*/8);
  return fp8Halves(K, K.load(K.vec(64, K.i8()), Ptr, LineBytes), Tables);
}

static SmallVector<Pair, 4> fp8PairsVbmi(KernelBuilder &K, Val Ptr) {
  Val Codes = K.load(K.vec(64, K.i8()), Ptr, LineBytes);
  SmallVector<Pair, 4> Pairs;
  for (Val Half : fp8Halves(K, Codes, plainTables(K)))
    Pairs.push_back(pairOfLanes(K, K.bitcast(Half, K.vec(16, K.i32()))));
  return Pairs;
}

SmallVector<Val, 4> fp8InOrder(KernelBuilder &K, Val Ptr) {
  // Eight codes of the lower 32 and eight of the upper ones in turns: what the
  // unpack will part again.
  Val Codes = K.load(K.vec(8, K.i64()), Ptr, 1);
  Codes = K.shuffle(Codes, Codes, {0, 4, 1, 5, 2, 6, 3, 7});
  return fp8Halves(K, K.bitcast(Codes, K.vec(64, K.i8())), plainTables(K));
}

static SmallVector<Pair, 4> fp8Pairs(KernelBuilder &K, Val Ptr) {
  if (K.isa() >= IsaLevel::Avx512Bf16)
    return fp8PairsVbmi(K, Ptr);
  Type Words = K.vec(32, K.i16());
  Val Codes = K.load(Words, Ptr, LineBytes);
  Val Zero = K.constant(Words, int64_t(0));
  SmallVector<Pair, 4> Pairs;
  for (int64_t Half = 0; Half < 2; ++Half) {
    Val Joined = unpackHalf(K, Codes, Zero, 32, Half);
    Val Lanes = K.bitcast(Joined, K.vec(16, K.i32()));
    Pair &P = Pairs.emplace_back();
    P.even = K.decodeE4m3(Lanes);
    P.odd = K.decodeE4m3(Lanes >> 8);
  }
  return Pairs;
}

SmallVector<Pair, 4> loadPairs(KernelBuilder &K, TileFormat Format, Val Ptr,
                               unsigned Align) {
  auto Role = K.touching(WeightsRole, /*Bits=*/16 / pairsPerLine(Format));
  if (Format == TileFormat::Fp4)
    return fp4Pairs(K, Ptr, Align);
  if (Format == TileFormat::Fp8)
    return fp8Pairs(K, Ptr);
  return {pairOfLanes(K, K.loadVI(Ptr, LineBytes))};
}

//===----------------------------------------------------------------------===//
// Scales and places
//===----------------------------------------------------------------------===//

Val loadScale(KernelBuilder &K, TileFormat Format, Val Ptr) {
  auto Role = K.touching(ScalesRole);
  if (Format == TileFormat::Fp4)
    return K.e8m0ToF32(K.zext(K.load(K.vec(16, K.i8()), Ptr, 16), K.i32()));
  if (Format == TileFormat::Fp8)
    return K.splat(K.e8m0ToF32(K.loadU8(Ptr)));
  return K.vf(1);
}

int64_t TileLayout::blockBytes() const {
  int64_t Scales = format == TileFormat::Fp4 ? BlockK / GroupK * TileRows : 0;
  return lineBytes(format, BlockK) + Scales;
}

Val TileLayout::lines(Val Tile, Val I) const {
  return Tile + (I * blockBytes() + tileScaleBytes(format, inner));
}

Val TileLayout::scale(Val Tile, Val I, int64_t Size, Val G) const {
  if (format == TileFormat::Fp8)
    return Tile + I;
  return lines(Tile, I) + (G * TileRows + lineBytes(format, Size));
}

} // namespace dsv4::cpu
