// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed weights to numbers in registers, exactly. One of the two places (with
// Dot.cpp) where the instruction set level shows.

#ifndef DSV4_TARGETS_CPU_KERNELS_DECODE_H
#define DSV4_TARGETS_CPU_KERNELS_DECODE_H

#include "targets/cpu/KernelBuilder.h"
#include "targets/cpu/Packing.h"

namespace dsv4::cpu {

/// A pair of neighbouring inputs (2 i, 2 i + 1) for 16 lanes, in the form that
/// K.dotForm() asks for: one vector of 32 BF16, or two vectors of f32.
struct Pair {
  Val both;      // vector<32xbf16>
  Val even, odd; // vector<16xf32>
};

/// A pair of BF16 in 32-bit lanes (vector<16xi32>, even in the low half).
Pair pairOfLanes(KernelBuilder &K, Val Lanes);

/// Four (FP4) or two (FP8) pairs of one packed line at `Ptr`; one of BF16.
llvm::SmallVector<Pair, 4> loadPairs(KernelBuilder &K, TileFormat Format,
                                     Val Ptr, unsigned Align = LineBytes);

/// Low and high bytes of the BF16 of the magnitudes 0 .. 63 and 64 .. 127, each
/// in 64 lanes.
struct Fp8Tables {
  Val low[2], high[2];
};

/// The tables with `Exponents` (32 lanes of i16) added to the bits of all but
/// zero: of values times a power of two. Needs the AVX-512 BF16 level.
Fp8Tables fp8Tables(KernelBuilder &K, Val Exponents);

/// The pairs of a packed line by these tables: BF16 bits (32 lanes of i16).
llvm::SmallVector<Val, 4> fp8LookUp(KernelBuilder &K, Val Ptr,
                                    const Fp8Tables &Tables);

/// 64 E4M3 codes at `Ptr` as two vectors of 32 BF16 (as i16), in their order,
/// without a scale; needs the AVX-512 BF16 level.
llvm::SmallVector<Val, 4> fp8InOrder(KernelBuilder &K, Val Ptr);

/// Decoded pairs in memory: 64 bytes of BF16, or two lines of f32 (even, odd).
int64_t pairBytes(KernelBuilder &K);
void storePair(KernelBuilder &K, const Pair &P, Val Ptr);
Pair loadPair(KernelBuilder &K, Val Ptr);

/// Pairs that one line holds.
inline constexpr int64_t pairsPerLine(TileFormat Format) {
  return Format == TileFormat::Fp4 ? 4 : Format == TileFormat::Fp8 ? 2 : 1;
}

/// Bytes of the lines of `Count` k.
inline constexpr int64_t lineBytes(TileFormat Format, int64_t Count) {
  return Count / 2 / pairsPerLine(Format) * LineBytes;
}

/// Scale of a group of 32 k in all 16 lanes: of FP4 16 bytes at `Ptr`, of FP8
/// one; 1 for BF16, where `Ptr` is not read.
Val loadScale(KernelBuilder &K, TileFormat Format, Val Ptr);

/// Where the pieces of a tile lie: blocks of 128 k, the last one perhaps
/// shorter.
struct TileLayout {
  TileFormat format;
  int64_t inner; // K
  int64_t blocks() const { return inner / BlockK; }
  int64_t rest() const { return inner % BlockK; } // k of the shorter block
  int64_t blockBytes() const;
  /// Alignment of lines: short FP4 tiles (index rows of 32 or 64) follow each
  /// other unpadded.
  unsigned lineAlign() const {
    return tileBytes(format, inner) % LineBytes ? 16 : LineBytes;
  }
  /// Lines of block I, and its first scale, from the address of the tile;
  /// `Size` k, and then the scales of group G of it.
  Val lines(Val Tile, Val I) const;
  Val scale(Val Tile, Val I, int64_t Size, Val G) const;
};

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_DECODE_H
