// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of input rows with neighbouring tiles of a matrix: one or two rows
// straight from the packed weights (Dot.h), more through a decoded panel
// (Panel.h). What all phases with weights call.

#ifndef DSV4_TARGETS_CPU_KERNELS_TILEPRODUCT_H
#define DSV4_TARGETS_CPU_KERNELS_TILEPRODUCT_H

#include "targets/cpu/kernels/Decode.h"

namespace dsv4::cpu {

/// What products that share code have in common.
struct TileShape {
  TileFormat format;
  int64_t inner;     // K
  bool single;       // results are f32, else BF16
  int64_t rows = 16; // result rows that exist of each tile
  int64_t resultBytes() const { return rows * (single ? 4 : 2); }
};

/// Where input row i (of BF16) begins and where its results of the first tile
/// go; those of the next tiles follow.
using RowAddress = llvm::function_ref<std::pair<Val, Val>(Val Row)>;

/// Neighbouring tiles and the rows [lo, hi) that meet them.
struct TileRun {
  Val first; // address of the first tile
  Val count; // of tiles, i64
  Val lo, hi;
  RowAddress address;
};

/// Bytes of a worker's scratch that products of this length need.
int64_t productScratchBytes(int64_t Inner);

/// Emits the functions that multiplyTiles calls; before beginKernel.
void needTileProduct(KernelBuilder &K, const TileShape &Shape);

/// Stores the results of a tile for one row, 16 lanes of `Total`, at `Ptr`.
void storeTotal(KernelBuilder &K, const TileShape &Shape, Val Ptr, Val Total);

/// The products, with the kernel's scratch.
void multiplyTiles(KernelBuilder &K, const TileShape &Shape,
                   const TileRun &Run);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_TILEPRODUCT_H
