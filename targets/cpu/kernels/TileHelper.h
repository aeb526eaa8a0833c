// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Helper functions that compute one tile of 16 output rows for a few input
// rows, shared by all phases with the same format and sizes.

#ifndef DSV4_TARGETS_CPU_KERNELS_TILEHELPER_H
#define DSV4_TARGETS_CPU_KERNELS_TILEHELPER_H

#include "targets/cpu/KernelBuilder.h"
#include "targets/cpu/Packing.h"

#include <string>

namespace dsv4::cpu {

/// What a family of tile helpers has in common.
struct TileShape {
  TileFormat format;
  int64_t inner;     // K
  bool single;       // results are f32, else BF16
  int64_t rows = 16; // result rows of the tile that exist
};

/// Row counts of the helpers at this level, descending, ending in 1: weights
/// are decoded once for so many input rows. No influence on results.
llvm::SmallVector<int64_t, 4> tokenBlocks(KernelBuilder &K, TileFormat Format);

/// Emits what is missing of the helpers for `Shape`; call it before
/// beginKernel.
void needTileHelpers(KernelBuilder &K, const TileShape &Shape);

/// Where input row i (of BF16) begins and where its 16 results go.
using RowAddress = llvm::function_ref<std::pair<Val, Val>(Val Row)>;

/// Calls the helpers for the rows [Lo, Hi).
void tileRows(KernelBuilder &K, const TileShape &Shape, Val Tile, Val Lo,
              Val Hi, RowAddress Address);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_TILEHELPER_H
