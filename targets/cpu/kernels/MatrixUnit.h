// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product of numerics R1 in the order Split on Intel's matrix unit
// (AMX): TDPBF16PS multiplies 16 rows of 32 inputs with 32 k of a tile's 16
// rows, sums the even k and the odd ones apart from zero, adds the two and then
// adds that to the result: a group of R1. Scales are powers of two, so decoding
// multiplies them into the weights, which BF16 holds exactly (docs/kernels.md),
// and a group needs no other instruction.
//
// The helpers below take tiles of weights as packed, and inputs as registers
// are loaded, BF16 [blocks of 16 rows][groups][16][32], so that a load reads
// 1 KiB of one page. Rows beyond the last one compute something that nobody
// reads.

#ifndef DSV4_TARGETS_CPU_KERNELS_MATRIXUNIT_H
#define DSV4_TARGETS_CPU_KERNELS_MATRIXUNIT_H

#include "targets/cpu/kernels/Dot.h"

namespace dsv4::cpu {

/// Input rows of one product.
inline constexpr int64_t UnitRows = 16;
/// Tiles and blocks of 16 rows that meet in registers: at most four products.
struct UnitShape {
  int64_t tiles, blocks;
};
inline constexpr int64_t UnitMostTiles = 4;
/// Totals of a product, f32 [rows][lanes], and of all that a call makes.
inline constexpr int64_t UnitTotalBytes = UnitRows * TileRows * 4;
inline constexpr int64_t UnitTotalsBytes = 4 * UnitTotalBytes;
/// Decoded weights: two groups of each tile.
inline constexpr int64_t UnitPanelBytes =
    UnitMostTiles * 2 * (GroupK / 2 * LineBytes);

/// Where group 0 of row R begins, and the bytes from a group to the next.
inline constexpr int64_t UnitGroupStride = UnitRows * LineBytes;
Val unitInput(Val Inputs, Val R, int64_t Inner);

/// Emits the helper for the tiles of this layout; before beginKernel.
void needUnit(KernelBuilder &K, TileLayout Layout, UnitShape Shape);

/// What a call works on.
struct UnitCall {
  Val tile;   // the first one
  Val inputs; // of the first row
  Val panel;  // room for UnitPanelBytes
  Val totals; // [tiles][blocks], UnitTotalBytes each
};
void callUnit(KernelBuilder &K, TileLayout Layout, UnitShape Shape,
              const UnitCall &Call);

/// Single instructions on registers 0 to 7, each 16 rows of 64 bytes, which in
/// memory lie `Stride` bytes apart.
void zeroTile(KernelBuilder &K, int64_t Reg);
void loadTile(KernelBuilder &K, int64_t Reg, Val Ptr, int64_t Stride);
void storeTile(KernelBuilder &K, int64_t Reg, Val Ptr, int64_t Stride);
/// To (f32 [16][16]) += X (BF16 [16][32]) times W (BF16 [16 pairs][16]).
void multiplyRegisters(KernelBuilder &K, int64_t To, int64_t X, int64_t W);

/// What to add to BF16 bits, 32 lanes of 16 bits, for a factor of the scales of
/// group G of block I (of `Size` k) of a tile: their exponents.
Val unitExponents(KernelBuilder &K, TileLayout Layout, Val Tile, Val I,
                  int64_t Size, Val G);
/// The BF16 pairs of a line of FP4 codes times 2^exponent; zeros stay zeros.
llvm::SmallVector<Val, 4> unitFp4Pairs(KernelBuilder &K, TileLayout Layout,
                                       Val Line, Val Exponents);

/// Between these two the tile registers of this thread are set up.
void beginUnit(KernelBuilder &K);
void endUnit(KernelBuilder &K);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_MATRIXUNIT_H
