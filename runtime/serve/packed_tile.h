// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads packed weights one element at a time, for self-test. Written from the
// description of the layout in targets/cpu/Packing.h, apart from the packer and
// the kernels, so that a mistake of either shows.

#ifndef DSV4_RUNTIME_SERVE_PACKED_TILE_H
#define DSV4_RUNTIME_SERVE_PACKED_TILE_H

#include "runtime/abi/program.h"

namespace dsv4::serve {

inline constexpr int64_t tileRows = 16;

/// Bytes of one tile of 16 rows x `columns` (FP4, FP8: a multiple of 128).
int64_t packedTileBytes(int32_t format, int64_t columns);

/// Row `row` (below 16) of a tile: element values without scales to
/// values[columns], scales of groups of 32 to scales[columns / 32].
void readPackedRow(int32_t format, int64_t columns, const uint8_t *tile,
                   int64_t row, float *values, float *scales);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_PACKED_TILE_H
