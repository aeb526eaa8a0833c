// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product of numerics R1 for many input rows: a block of up to 128 k of
// two neighbouring tiles is decoded once into a panel in the first cache, and
// one micro-kernel for all formats multiplies it with a few rows at a time.
// Same order of sums as Dot.h, so the same bits.
//
// All pieces lie in a worker's scratch:
//   weights [pairs][tiles] of a decoded pair: 64 bytes of BF16, or two lines of
//           f32 (even, odd)
//   scales  f32 [groups of 32][tiles][16]
//   inputs  [rows][128] in the wanted form
//   totals  f32 [tiles][rows][16]

#ifndef DSV4_TARGETS_CPU_KERNELS_PANEL_H
#define DSV4_TARGETS_CPU_KERNELS_PANEL_H

#include "targets/cpu/kernels/Dot.h"

namespace dsv4::cpu {

/// Inputs that are wanted next: for each row the address in `rows`, and the
/// bytes [from, to) behind it that one call brings closer.
struct PanelAhead {
  Val rows, from, to;
};

/// Addresses of the pieces.
struct Panel {
  Val weights, scales, inputs, totals;
  PanelAhead ahead;
};

/// Rows that one decoding of a block serves: their inputs and totals stay in
/// the second cache. 256 with BF16 dots, whose cores have 1 MiB of it and need
/// half the room for inputs; else 128.
int64_t panelRows(KernelBuilder &K);
/// Tiles decoded together; one that is left over goes alone.
inline constexpr int64_t PanelTiles = 2;
/// Tiles whose totals are kept: each gathering of inputs serves them all.
inline constexpr int64_t PanelRunTiles = 16;

/// Scratch that the pieces take.
int64_t panelBytes();

/// The pieces in `panelBytes()` of scratch.
Panel placePanel(KernelBuilder &K, Val Scratch);

/// Emits the helpers that the calls below need; before beginKernel.
void needPanelHelpers(KernelBuilder &K, TileLayout Layout, int64_t Tiles);

/// Decodes block I (of `Size` k) of `Tiles` tiles that follow each other.
void decodePanel(KernelBuilder &K, TileLayout Layout, int64_t Tiles, Val First,
                 Val I, int64_t Size, const Panel &P);

/// Adds the chains ([rows][Tiles]) of one group of tile T to its totals.
void addToTotals(KernelBuilder &K, llvm::ArrayRef<Val> Chains, int64_t Tiles,
                 int64_t T, Val Scale, Val Totals, Val Stride);

/// totals[tile][0 .. Rows) += inputs[0 .. Rows) x panel; P.totals is the first
/// tile's, `Stride` the bytes between two tiles.
void multiplyPanel(KernelBuilder &K, int64_t Tiles, Val Rows, Val Stride,
                   int64_t Size, const Panel &P);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_PANEL_H
