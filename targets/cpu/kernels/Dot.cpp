// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding of packed weights and the dot product at every level.

#include "targets/cpu/kernels/Dot.h"

#include "mlir/IR/BuiltinTypes.h"

#include "llvm/ADT/bit.h"

#include <cmath>

using namespace mlir;

namespace dsv4::cpu {

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

static bool hasDot(KernelBuilder &K) { return K.isa() == IsaLevel::Avx512Bf16; }

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

Pair broadcastPair(KernelBuilder &K, Val Ptr) {
  return pairOfLanes(K, K.splat(K.load(K.i32(), Ptr, /*Align=*/4)));
}

Val dotPair(KernelBuilder &K, Val Chain, const Pair &A, const Pair &B) {
  if (A.both)
    return K.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", Chain.type(),
                       {Chain, A.both, B.both});
  return fma(A.even, B.even, fma(A.odd, B.odd, Chain));
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

static Val fp4Single(KernelBuilder &K, Val Lanes) {
  if (K.isa() == IsaLevel::Avx512)
    return K.intrinsic("llvm.x86.avx512.permvar.sf.512", K.vec(16, K.f32()),
                       {fp4Table32(K), Lanes});
  if (K.isa() == IsaLevel::Avx2)
    return fp4Avx2(K, Lanes);
  return K.decodeE2m1(Lanes);
}

static SmallVector<Pair, 4> fp4Pairs(KernelBuilder &K, Val Ptr,
                                     unsigned Align) {
  Val Line = K.loadVI(Ptr, Align);
  SmallVector<Pair, 4> Pairs;
  for (int64_t N = 0; N < 4; ++N) {
    Pair &P = Pairs.emplace_back();
    Val Shifted = N ? Line >> (4 * N) : Line;
    if (hasDot(K)) {
      Type Words = K.vec(32, K.i16());
      Val Found = K.intrinsic("llvm.x86.avx512.permvar.hi.512", Words,
                              {fp4Table16(K), K.bitcast(Shifted, Words)});
      P.both = K.bitcast(Found, bf16x32(K));
      continue;
    }
    P.even = fp4Single(K, Shifted);
    P.odd = fp4Single(K, Line >> (4 * N + 16));
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

/// Both bytes of the BF16 come from tables of 128 entries (the look-up ignores
/// bit 7), the sign from the code; an unpack joins them.
static SmallVector<Pair, 4> fp8PairsDot(KernelBuilder &K, Val Ptr) {
  Type Bytes = K.vec(64, K.i8());
  Val Codes = K.load(Bytes, Ptr, LineBytes);
  auto LookUp = [&](int Byte) {
    return K.intrinsic("llvm.x86.avx512.vpermi2var.qi.512", Bytes,
                       {fp8Table(K, 0, Byte), Codes, fp8Table(K, 64, Byte)});
  };
  Val Low = LookUp(0);
  Val High = LookUp(1) | (Codes & -128);
  SmallVector<Pair, 4> Pairs;
  for (int64_t Half = 0; Half < 2; ++Half) {
    SmallVector<int64_t> Mask;
    for (int64_t Part = 0; Part < 4; ++Part)
      for (int64_t I = 0; I < 8; ++I) {
        Mask.push_back(16 * Part + 8 * Half + I);
        Mask.push_back(64 + 16 * Part + 8 * Half + I);
      }
    Pairs.emplace_back().both =
        K.bitcast(K.shuffle(Low, High, Mask), bf16x32(K));
  }
  return Pairs;
}

static SmallVector<Pair, 4> fp8Pairs(KernelBuilder &K, Val Ptr) {
  if (hasDot(K))
    return fp8PairsDot(K, Ptr);
  Type Words = K.vec(32, K.i16());
  Val Codes = K.load(Words, Ptr, LineBytes);
  Val Zero = K.constant(Words, int64_t(0));
  SmallVector<Pair, 4> Pairs;
  for (int64_t Half = 0; Half < 2; ++Half) {
    SmallVector<int64_t> Mask;
    for (int64_t Part = 0; Part < 4; ++Part)
      for (int64_t I = 0; I < 4; ++I) {
        Mask.push_back(8 * Part + 4 * Half + I);
        Mask.push_back(32 + 8 * Part + 4 * Half + I);
      }
    Val Lanes = K.bitcast(K.shuffle(Codes, Zero, Mask), K.vec(16, K.i32()));
    Pair &P = Pairs.emplace_back();
    P.even = K.decodeE4m3(Lanes);
    P.odd = K.decodeE4m3(Lanes >> 8);
  }
  return Pairs;
}

SmallVector<Pair, 4> loadPairs(KernelBuilder &K, TileFormat Format, Val Ptr,
                               unsigned Align) {
  if (Format == TileFormat::Fp4)
    return fp4Pairs(K, Ptr, Align);
  if (Format == TileFormat::Fp8)
    return fp8Pairs(K, Ptr);
  return {pairOfLanes(K, K.loadVI(Ptr, LineBytes))};
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {
/// One group of 32 k: its lines, its scale, and the inputs beside it.
struct Group {
  KernelBuilder &K;
  TileFormat Format;
  Val Lines;
  Val Scale; // FP4: 16 bytes; FP8: one byte; null for BF16
  SmallVector<Val> X;
  int64_t Prefetch; // bytes ahead of each line, or 0
  unsigned Align;   // of the lines
};
} // namespace

static int64_t pairsPerLine(TileFormat Format) {
  return Format == TileFormat::Fp4 ? 4 : Format == TileFormat::Fp8 ? 2 : 1;
}

/// Bytes of the lines of `Count` k.
static int64_t lineBytes(TileFormat Format, int64_t Count) {
  return Count / 2 / pairsPerLine(Format) * LineBytes;
}

/// The scale of a group in all lanes, or null for 1.
static Val scaleOf(const Group &G) {
  KernelBuilder &K = G.K;
  if (G.Format == TileFormat::Fp4)
    return K.e8m0ToF32(K.zext(K.load(K.vec(16, K.i8()), G.Scale, 16), K.i32()));
  if (G.Format == TileFormat::Fp8)
    return K.splat(K.e8m0ToF32(K.loadU8(G.Scale)));
  return Val();
}

/// Adds neighbouring groups to the totals, in order. Their chains are
/// independent and advance in turns, so that the latency of one hides behind
/// the others.
static Vals addGroups(ArrayRef<Group> Groups, ArrayRef<Val> Totals) {
  KernelBuilder &K = Groups[0].K;
  TileFormat Format = Groups[0].Format;
  SmallVector<Vals> Chains(Groups.size(), Vals(Totals.size(), K.vf(0)));
  int64_t PerLine = pairsPerLine(Format);
  for (int64_t Line = 0; Line < GroupK / 2 / PerLine; ++Line) {
    SmallVector<SmallVector<Pair, 4>> Weights;
    for (const Group &G : Groups) {
      Val Ptr = G.Lines + Line * LineBytes;
      if (G.Prefetch)
        K.prefetch(Ptr + G.Prefetch);
      Weights.push_back(loadPairs(K, Format, Ptr, G.Align));
    }
    for (int64_t P = 0; P < PerLine; ++P)
      for (size_t I = 0; I < Groups.size(); ++I)
        for (size_t T = 0; T < Totals.size(); ++T) {
          Pair X = broadcastPair(K, Groups[I].X[T] + (Line * PerLine + P) * 4);
          Chains[I][T] = dotPair(K, Chains[I][T], X, Weights[I][P]);
        }
  }
  Vals Out(Totals.begin(), Totals.end());
  for (size_t I = 0; I < Groups.size(); ++I) {
    Val Scale = scaleOf(Groups[I]);
    for (size_t T = 0; T < Totals.size(); ++T)
      Out[T] = Scale ? fma(Chains[I][T], Scale, Out[T]) : Chains[I][T] + Out[T];
  }
  return Out;
}

/// The groups of one block of `Size` k whose lines begin at `Lines`; `Scale` is
/// the FP8 scale of the block.
static Vals addBlock(KernelBuilder &K, TileFormat Format, int64_t Size,
                     Val Lines, Val Scale, ArrayRef<Val> X,
                     ArrayRef<Val> Totals, unsigned Align) {
  int64_t Bytes = lineBytes(Format, GroupK);
  // One or two rows leave registers for all four groups of a block at once;
  // they are also the case in which weights come straight from memory.
  bool Few = X.size() <= 2 && K.isa() >= IsaLevel::Avx512;
  int64_t Together = Few && Size == BlockK ? 4 : 1;
  int64_t Prefetch = X.size() <= 2 ? K.prefetchBytes(Format) : 0;
  auto Body = [&](Val I, ArrayRef<Val> In) {
    SmallVector<Group> Groups;
    for (int64_t Part = 0; Part < Together; ++Part) {
      Group G{K,        Format, Lines + (I + Part) * Bytes, Scale, {},
              Prefetch, Align};
      if (Format == TileFormat::Fp4)
        G.Scale = Lines + lineBytes(Format, Size) + (I + Part) * TileRows;
      for (Val Row : X)
        G.X.push_back(Row + (I + Part) * (GroupK * 2));
      Groups.push_back(std::move(G));
    }
    return addGroups(Groups, In);
  };
  if (Together * GroupK == Size)
    return Body(K.c64(0), Totals);
  return K.forRange(K.c64(0), K.c64(Size / GroupK), Together, Totals, Body);
}

Vals dotTile(KernelBuilder &K, TileFormat Format, int64_t Inner, Val Tile,
             ArrayRef<Val> X) {
  int64_t Whole = Inner / BlockK, Rest = Inner % BlockK;
  int64_t Bytes = lineBytes(Format, BlockK);
  if (Format == TileFormat::Fp4)
    Bytes += BlockK / GroupK * TileRows; // the line of scales
  Val Lines = Tile + tileScaleBytes(Format, Inner);
  // Short FP4 tiles (index rows of 32 or 64) follow each other unpadded.
  unsigned Align = tileBytes(Format, Inner) % LineBytes ? 16 : LineBytes;
  Vals Totals =
      K.forRange(K.c64(0), K.c64(Whole), 1, Vals(X.size(), K.vf(0)),
                 [&](Val I, ArrayRef<Val> In) {
                   SmallVector<Val> Rows;
                   for (Val Row : X)
                     Rows.push_back(Row + I * (BlockK * 2));
                   return addBlock(K, Format, BlockK, Lines + I * Bytes,
                                   Tile + I, Rows, In, Align);
                 });
  if (!Rest)
    return Totals;
  SmallVector<Val> Rows;
  for (Val Row : X)
    Rows.push_back(Row + Whole * (BlockK * 2));
  return addBlock(K, Format, Rest, Lines + Whole * Bytes, Tile + Whole, Rows,
                  Totals, Align);
}

} // namespace dsv4::cpu
