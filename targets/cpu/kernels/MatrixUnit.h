// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product of numerics R1 in the order Split on Intel's matrix unit
// (AMX): TDPBF16PS multiplies 16 rows of 32 inputs with 32 k of a tile's 16
// rows, sums the even k and the odd ones apart from zero, adds the two and then
// adds that to the result: a group of R1. Scales are powers of two, so decoding
// multiplies them into the weights, which BF16 holds exactly
// (docs/kernels.md says where that could differ), and a group needs no other
// instruction.
//
// Pieces in a worker's scratch as in Panel.h, but
//   weights [tiles][pairs] of 64 bytes of BF16; those of BF16 matrices stay
//           where they are
//   totals  f32 [tiles][rows, rounded up to 16][16]

#ifndef DSV4_TARGETS_CPU_KERNELS_MATRIXUNIT_H
#define DSV4_TARGETS_CPU_KERNELS_MATRIXUNIT_H

#include "targets/cpu/kernels/Panel.h"

namespace dsv4::cpu {

/// Tiles multiplied together: as many results in registers hide the latency of
/// a product.
inline constexpr int64_t UnitTiles = 4;
/// Input rows of a product.
inline constexpr int64_t UnitRows = 16;

/// Emits the helpers that multiplyOnUnit calls; before beginKernel.
void needUnit(KernelBuilder &K, TileLayout Layout, int64_t Tiles);

/// Between these two the tile registers of this thread are set up.
void beginUnit(KernelBuilder &K);
void endUnit(KernelBuilder &K);

/// totals[tile][0 .. Rows) += inputs[0 .. Rows) x block I (of `Size` k) of
/// `Tiles` tiles that follow each other; P.totals is the first tile's, `Stride`
/// the bytes between two tiles. Inputs are BF16.
void multiplyOnUnit(KernelBuilder &K, TileLayout Layout, int64_t Tiles,
                    Val First, Val I, Val Rows, Val Stride, int64_t Size,
                    const Panel &P);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_MATRIXUNIT_H
