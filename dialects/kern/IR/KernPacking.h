// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes of packed weights. The one place that computes them: the planner, the
// packer and the code generators all ask here.
//
// tile16: tiles of 16 output rows x K, rows in lanes, rows padded with zero
// rows to a multiple of 16. Bytes of one tile:
//   fp4   per 128 k: 16 lines of 64 bytes (8 codes per row) + 64 bytes of
//         scales (4 groups x 16 rows)                    = K / 128 x 1088
//   fp8   scales of the K / 128 blocks (one byte each, padded to 64), then per
//         128 k 32 lines of 64 bytes (4 codes per row)
//                                    = roundUp(K / 128, 64) + K / 128 x 2048
//   bf16  K / 2 lines of 64 bytes (a pair per row)       = K x 32
//   f32   K lines of 64 bytes                            = K x 64
// A stack of experts is expert after expert. raw: elements as in the
// checkpoint, i64 as i32.

#ifndef DSV4_DIALECTS_KERN_IR_KERNPACKING_H
#define DSV4_DIALECTS_KERN_IR_KERNPACKING_H

#include "dialects/kern/IR/KernDialect.h"

namespace dsv4::kern {

/// Output rows in one tile.
inline constexpr int64_t TileRows = 16;

/// Whether a weight can be laid out so: tile16 needs a matrix (or a stack) and
/// K a multiple of 128 for fp4 and fp8, even for bf16; raw needs elements of
/// whole bytes without separate scales.
bool canPack(qfmt::WeightType Type, Layout Layout);

/// Bytes of one tile of 16 rows; `Type` satisfies canPack(Type, Tile16).
int64_t getTileBytes(qfmt::WeightType Type);

/// Tiles of one matrix (of one expert in a stack).
int64_t getNumTiles(qfmt::WeightType Type);

/// Bytes of one expert of a stack, or of the whole weight.
int64_t getMatrixBytes(qfmt::WeightType Type, Layout Layout);

/// Bytes of the whole packed weight, before alignment.
int64_t getPackedBytes(qfmt::WeightType Type, Layout Layout);

/// Scratch of one worker for a product over K: 96 KiB for a block of decoded
/// weights and totals, and 512 KiB, or 16 rows, of inputs that are gathered
/// for AMX. Other forms need less: 224 KiB, or two rows in f32.
int64_t getProductScratchBytes(int64_t K);

} // namespace dsv4::kern

#endif // DSV4_DIALECTS_KERN_IR_KERNPACKING_H
