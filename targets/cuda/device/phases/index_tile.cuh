// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of 16 index rows of N E2M1 values, in groups of 32: where codes and
// scales lie. Of the same size as the CPU's tiles, in another order: that of
// operand A of m16n8k16, so that a lane's codes of all groups are two loads of
// a whole warp (16 bytes each for 128 values), and decode.cuh turns a word into
// two operands.
//
//   word (row, group, c), c = 0 .. 3: the elements 32 group + 8 c .. + 7
//   from byte 0: lane 4 (row % 8) + c owns the groups' words of row, first all
//   rows below 8, then the others; from byte 8 N: scales [row][group]
//
// In a word, magnitudes and signs lie as decodeFp4Word wants them.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_INDEX_TILE_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_INDEX_TILE_CUH

#include "targets/cuda/device/config.h"

namespace dsv4::cuda {

inline constexpr int IndexTileRows = 16;

template <int N> struct IndexTile {
  static_assert(N == 64 || N == 128, "a lane loads its words of a row at once");
  static constexpr int Groups = N / 32;
  static constexpr int CodeBytes = IndexTileRows * N / 2;
  static constexpr int Bytes = CodeBytes + IndexTileRows * Groups;

  /// In 32-bit words from the start of the tile.
  DSV4_DEVICE static constexpr int word(int row, int group, int c) {
    return (row / 8 * 32 + row % 8 * 4 + c) * Groups + group;
  }
  /// In bytes from the start of the tile.
  DSV4_DEVICE static constexpr int scale(int row, int group) {
    return CodeBytes + row * Groups + group;
  }
};

/// Where the sign of element i of a word lies.
DSV4_DEVICE constexpr u32 indexSignBit(u32 i) {
  return i < 4 ? 8 * i + 7 : 8 * (i - 4) + 3;
}

/// The E2M1 code of element i, in its place.
DSV4_DEVICE constexpr u32 indexNibble(u32 i, u32 code) {
  return (code & 7u) << (4 * i) | (code >> 3 & 1u) << indexSignBit(i);
}

/// And back.
DSV4_DEVICE constexpr u32 indexCode(u32 word, u32 i) {
  return (word >> (4 * i) & 7u) | (word >> indexSignBit(i) & 1u) << 3;
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_INDEX_TILE_CUH
