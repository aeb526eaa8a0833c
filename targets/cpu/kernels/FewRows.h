// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product of numerics R1 for 3 to 12 input rows: what routed experts
// get in prefill. Weights are decoded in registers and met by all rows while
// they are there, so decoding shares the cycles of the multiply-adds and no
// panel is written. Inputs and totals lie as in Panel.h.

#ifndef DSV4_TARGETS_CPU_KERNELS_FEWROWS_H
#define DSV4_TARGETS_CPU_KERNELS_FEWROWS_H

#include "targets/cpu/kernels/Panel.h"

namespace dsv4::cpu {

/// Rows up to which this way is the faster one; 0: never, for want of
/// registers. The calls below take no more.
int64_t mostFewRows(KernelBuilder &K);

/// Rows up to which two tiles are multiplied together: one alone has too few
/// chains to hide the latency of the multiply-add.
inline constexpr int64_t FewRowsOfTwoTiles = 8;

/// Emits the helpers that multiplyLines calls; before beginKernel.
void needFewRows(KernelBuilder &K, TileLayout Layout, int64_t Tiles);

/// totals[tile][0 .. Rows) += inputs[0 .. Rows) x block I (of `Size` k) of
/// `Tiles` tiles that follow each other; P.totals is the first tile's, `Stride`
/// the bytes between two tiles.
void multiplyLines(KernelBuilder &K, TileLayout Layout, int64_t Tiles,
                   Val First, Val I, Val Rows, Val Stride, int64_t Size,
                   const Panel &P);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_FEWROWS_H
