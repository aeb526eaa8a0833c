// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The packed layout of one weight tile, as the dot products read it and the
// packer writes it. A tile is 16 output rows x K, rows in lanes; sizes are
// those of dialects/kern/IR/KernPacking.h. Lossless: unpackTile gives the
// checkpoint's bytes back.
//
//   fp4   per block of 128 k: 16 lines of 64 bytes, then one line of scales.
//         Line j holds k = 8 j .. 8 j + 7 of the block: one 32-bit lane per
//         row, whose low half has k = 8 j + 2 n in nibble n and whose high half
//         k = 8 j + 2 n + 1, so that a shift by 4 n puts a pair (2 n, 2 n + 1)
//         where a table look-up of 16-bit lanes finds it. Scale line: 4 groups
//         of 32 k x 16 rows of E8M0 bytes.
//   fp8   one E8M0 byte per block of 128 k (the tile lies in one 128-row scale
//         tile), padded to 64 bytes; then per block 32 lines of 64 bytes. Line
//         j holds k = 4 j .. 4 j + 3: in each 16-byte part p, for the rows 4 p
//         .. 4 p + 3, first 4 pairs (k, k + 1), then 4 pairs (k + 2, k + 3), so
//         that an unpack of bytes puts the pairs of row r in 32-bit lane r.
//   bf16  K / 2 lines: one pair (k, k + 1) per row in 32-bit lanes.
//   f32   K lines: one element per row.

#ifndef DSV4_TARGETS_CPU_PACKING_H
#define DSV4_TARGETS_CPU_PACKING_H

#include <cstdint>

namespace dsv4::cpu {

enum class TileFormat { Fp4, Fp8, Bf16, F32 };

/// Rows of a tile, bytes of a line, k in a block of FP4 and FP8, and in a group
/// whose products are summed before the scale is applied (numerics R1).
inline constexpr int64_t TileRows = 16;
inline constexpr int64_t LineBytes = 64;
inline constexpr int64_t BlockK = 128;
inline constexpr int64_t GroupK = 32;

/// Bytes of scales before an FP8 tile's lines; 0 for other formats.
int64_t tileScaleBytes(TileFormat Format, int64_t K);

/// Bytes of one row in the checkpoint.
int64_t rowBytes(TileFormat Format, int64_t K);

/// Bytes of a tile. FP4: K a multiple of 32; fewer than 128 (or a remainder)
/// make a shorter block of K / 8 lines and K / 2 scale bytes.
int64_t tileBytes(TileFormat Format, int64_t K);

/// Row-major source of a tile in the checkpoint's own form.
struct TileSource {
  /// First row of the tile: FP4 K / 2 bytes a row (low nibble first), FP8 K,
  /// BF16 2 K, F32 4 K.
  const uint8_t *data = nullptr;
  /// FP4: E8M0 bytes of the first row, K / 32 a row. FP8: those of the 128-row
  /// scale tile, ceil(K / 128) bytes. Otherwise null.
  const uint8_t *scales = nullptr;
  /// Rows that exist, 1..16; the others become zero rows (scale byte 127).
  int64_t rows = TileRows;
};

/// Writes tileBytes(Format, K) bytes.
void packTile(TileFormat Format, int64_t K, const TileSource &Source,
              uint8_t *Out);

/// Packs tiles [First, First + Count) of a row-major matrix of `Rows` x K into
/// consecutive tiles at `Out`. `Data` and `Scales` are the whole matrix: FP4
/// scales [Rows, K / 32], FP8 scales [ceil(Rows / 128), ceil(K / 128)].
void packTiles(TileFormat Format, int64_t K, int64_t Rows, int64_t First,
               int64_t Count, const uint8_t *Data, const uint8_t *Scales,
               uint8_t *Out);

/// Gives back what packTile read: `Rows` rows of data, and scales (`Rows` x
/// K / 32 bytes for FP4, ceil(K / 128) for FP8; may be null otherwise).
void unpackTile(TileFormat Format, int64_t K, int64_t Rows,
                const uint8_t *Packed, uint8_t *Data, uint8_t *Scales);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_PACKING_H
