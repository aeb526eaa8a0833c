// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels whose instructions DecodeCountsTest counts: a lane decodes the part
// of Tiles tiles that is its own and stores operand A. What differs between one
// tile and two is the cost of a tile, without addresses and the rest. They only
// have to compile; nobody runs them.

#include "targets/cuda/device/decode.cuh"
#include "test/unit/cuda-packing/Fp4Strip.cuh"

namespace dsv4::cuda {

/// 64 FP4 weights of a lane and tile.
template <int Tiles>
DSV4_KERNEL void fp4ToE4m3(const U32x4 *codes, const u8 *offsets,
                           FragmentA *out) {
  int lane = threadIdx.x;
  for (int tile = 0; tile < Tiles; ++tile) {
    U32x4 upper = codes[64 * tile + lane], lower = codes[64 * tile + 32 + lane];
    Fp4Tables tables = fp4TablesE4m3(offsets[32 * tile + lane]);
    for (int i = 0; i < 4; ++i)
      out[(4 * tile + i) * 32 + lane] =
          fp4FragmentE4m3(upper, lower, tables, i);
  }
}

template <int Tiles>
DSV4_KERNEL void fp4ToF16(const U32x4 *codes, const u8 *offsets,
                          FragmentA *out) {
  int lane = threadIdx.x;
  for (int tile = 0; tile < Tiles; ++tile) {
    U32x4 upper = codes[64 * tile + lane], lower = codes[64 * tile + 32 + lane];
    Fp4Tables tables = fp4TablesF16(offsets[32 * tile + lane]);
    for (int i = 0; i < 4; ++i) {
      FragmentPair pair = fp4FragmentsF16(upper, lower, tables, i);
      out[(8 * tile + 2 * i) * 32 + lane] = pair.even;
      out[(8 * tile + 2 * i + 1) * 32 + lane] = pair.odd;
    }
  }
}

/// 64 FP8 weights of a lane and tile.
template <int Tiles>
DSV4_KERNEL void fp8ToF16(const U32x4 *codes, FragmentA *out) {
  int lane = threadIdx.x;
#pragma unroll
  for (int i = 0; i < 4 * Tiles; ++i) {
    FragmentPair pair = fp8FragmentsF16(codes[32 * i + lane]);
    out[2 * i * 32 + lane] = pair.even;
    out[(2 * i + 1) * 32 + lane] = pair.odd;
  }
}

} // namespace dsv4::cuda
