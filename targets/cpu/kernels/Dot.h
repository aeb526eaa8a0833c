// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product of numerics R1 over packed tiles: 16 output rows in lanes,
// the inner dimension in sequence, FP4 and FP8 decoded in registers. The one
// place where the instruction set level shows; every level gives the same bits.

#ifndef DSV4_TARGETS_CPU_KERNELS_DOT_H
#define DSV4_TARGETS_CPU_KERNELS_DOT_H

#include "targets/cpu/KernelBuilder.h"
#include "targets/cpu/Packing.h"

namespace dsv4::cpu {

/// A pair of neighbouring inputs (2 i, 2 i + 1) for 16 lanes: one vector of 32
/// BF16 at the level that has a dot instruction, else two vectors of f32.
struct Pair {
  Val both;      // vector<32xbf16>
  Val even, odd; // vector<16xf32>
};

/// A pair of BF16 in 32-bit lanes (vector<16xi32>, even in the low half).
Pair pairOfLanes(KernelBuilder &K, Val Lanes);

/// A pair of BF16 at `Ptr` (4 bytes) in all lanes.
Pair broadcastPair(KernelBuilder &K, Val Ptr);

/// chain = fma(a.odd, b.odd, chain), then the same with even; denormals count
/// as zero.
Val dotPair(KernelBuilder &K, Val Chain, const Pair &A, const Pair &B);

/// Four (FP4) or two (FP8) pairs of one packed line at `Ptr`; one of BF16.
llvm::SmallVector<Pair, 4> loadPairs(KernelBuilder &K, TileFormat Format,
                                     Val Ptr, unsigned Align = LineBytes);

/// Totals (vector<16xf32> each) of the tile at `Tile` with the rows of `Inner`
/// BF16 values at X[0], X[1], ...: weights are decoded once for all of them.
/// BF16: Inner a multiple of 32; FP4 and FP8: of 128, or FP4 32, 64, 96.
Vals dotTile(KernelBuilder &K, TileFormat Format, int64_t Inner, Val Tile,
             llvm::ArrayRef<Val> X);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_DOT_H
