// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See packed_tile.h. Everything lies in lines of 64 bytes.

#include "runtime/serve/packed_tile.h"

#include "runtime/numerics/formats.h"

namespace dsv4::serve {
namespace {

constexpr int64_t Line = 64, Block = 128, Group = 32;
constexpr int64_t Fp4BlockBytes = (Block / 8 + 1) * Line;

/// One byte of scale per block, padded to whole lines.
int64_t fp8ScaleBytes(int64_t columns) {
  return ((columns + Block - 1) / Block + Line - 1) / Line * Line;
}

/// Lines of 8 codes a row, the line of scales behind each block.
void readFp4(int64_t columns, const uint8_t *tile, int64_t row, float *values,
             float *scales) {
  for (int64_t k = 0; k < columns; ++k) {
    const uint8_t *block = tile + k / Block * Fp4BlockBytes;
    int64_t at = k % Block;
    // Even k in the lower half of the 32-bit lane, odd k in the upper one.
    int64_t nibble = at % 8 / 2 + at % 2 * 4;
    uint8_t byte = block[at / 8 * Line + row * 4 + nibble / 2];
    values[k] = num::e2m1ToFloat(nibble % 2 ? byte >> 4 : byte & 15);
    if (at % Group == 0)
      scales[k / Group] = num::e8m0ToFloat(
          block[Block / 8 * Line + at / Group * tileRows + row]);
  }
}

/// Scales in front, then lines of 4 codes a row, as pairs in parts of 16 bytes.
void readFp8(int64_t columns, const uint8_t *tile, int64_t row, float *values,
             float *scales) {
  const uint8_t *lines = tile + fp8ScaleBytes(columns);
  for (int64_t k = 0; k < columns; ++k) {
    const uint8_t *part = lines + k / 4 * Line + row / 4 * 16;
    values[k] = num::e4m3ToFloat(part[k % 4 / 2 * 8 + row % 4 * 2 + k % 2]);
    if (k % Group == 0)
      scales[k / Group] = num::e8m0ToFloat(tile[k / Block]);
  }
}

void readBf16(int64_t columns, const uint8_t *tile, int64_t row, float *values,
              float *scales) {
  for (int64_t k = 0; k < columns; ++k) {
    const uint8_t *at = tile + k / 2 * Line + row * 4 + k % 2 * 2;
    values[k] = num::bf16ToFloat(uint16_t(at[0] | at[1] << 8));
    scales[k / Group] = 1.0f;
  }
}

} // namespace

int64_t packedTileBytes(int32_t format, int64_t columns) {
  if (format == DSV4_TILE_FP4)
    return columns / Block * Fp4BlockBytes;
  if (format == DSV4_TILE_FP8)
    return fp8ScaleBytes(columns) + columns / 4 * Line;
  return columns / 2 * Line;
}

void readPackedRow(int32_t format, int64_t columns, const uint8_t *tile,
                   int64_t row, float *values, float *scales) {
  if (format == DSV4_TILE_FP4)
    return readFp4(columns, tile, row, values, scales);
  if (format == DSV4_TILE_FP8)
    return readFp8(columns, tile, row, values, scales);
  readBf16(columns, tile, row, values, scales);
}

} // namespace dsv4::serve
