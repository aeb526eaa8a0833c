// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels whose instructions DecodeCountsTest counts: a lane decodes the part
// of Tiles tiles that is its own and stores operand A. What differs between one
// tile and two is the cost of a tile, without addresses and the rest. They only
// have to compile; nobody runs them.

#include "targets/cuda/device/decode.cuh"

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

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/// wgmma with A in registers, as a kernel would use it.
DSV4_DEVICE void multiply(float (&sum)[4], const FragmentA &a, u64 b,
                          int keep) {
  asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %9, 0;\n\t"
               "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, %8, p, 1, 1;\n\t}"
               : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(keep));
}

/// A strip of FP4 tiles in shared memory times 8 columns: loads, decoding,
/// products and promotion. `descriptor` is that of the activations' first 32 k.
DSV4_KERNEL void fp4Strip(const u8 *bases, u64 descriptor, int tiles,
                          float *out) {
  extern __shared__ U32x4 ring[];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float total[4] = {};
  const u8 *tile = reinterpret_cast<const u8 *>(ring);
  for (int block = 0; block < tiles; ++block, tile += Fp4TileBytes) {
    auto *codes = reinterpret_cast<const U32x4 *>(tile) + warp * 64 + lane;
    U32x4 upper = codes[0], lower = codes[32];
    Fp4Tables tables = fp4TablesE4m3(tile[tileOffset(warp, lane)]);
    FragmentA a[4];
    for (int i = 0; i < 4; ++i)
      a[i] = fp4FragmentE4m3(upper, lower, tables, i);
    float sum[4];
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    for (int i = 0; i < 4; ++i)
      multiply(sum, a[i], descriptor + 64 * block + 2 * i, i != 0);
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]),
                   "+f"(sum[3])::"memory");
    float factor = fp4Factor(bases[block]);
    for (int i = 0; i < 4; ++i)
      total[i] = fmaF32(sum[i], factor, total[i]);
  }
  for (int i = 0; i < 4; ++i)
    out[threadIdx.x * 4 + i] = total[i];
}

#endif

} // namespace dsv4::cuda
