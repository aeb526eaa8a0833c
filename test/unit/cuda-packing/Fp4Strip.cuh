// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The smallest kernel that uses packed FP4 as a real one will: a block takes a
// strip of 64 rows times 8 columns of E4M3 through wgmma. StripTest runs it
// under emulation, DecodeCountsTest counts its loop. Not run on hardware.

#ifndef DSV4_TEST_UNIT_CUDA_PACKING_FP4STRIP_CUH
#define DSV4_TEST_UNIT_CUDA_PACKING_FP4STRIP_CUH

#include "targets/cuda/device/decode.cuh"
#include "targets/cuda/device/ptx.h"

namespace dsv4::cuda {

#if DSV4_HAS_WGMMA

inline constexpr int StripColumns = 8;
/// Activations of 128 k: 8 columns of 128 bytes, swizzled.
inline constexpr int StripActivationBytes = StripColumns * TileK;

struct StripArgs {
  Global<const u8> packed;             // a matrix as packed
  u32 tilesBegin, escapesBegin, tiles; // of a strip
  Global<const u8> x;                  // E4M3, 8 columns of 128 x tiles bytes
  Global<float> y;                     // rows x 8
};

/// Writes the activations through the permutation, and the strip's tiles as
/// they are, to shared memory.
DSV4_DEVICE void stageStrip(const StripArgs &args, Shared<u8> x,
                            Shared<u8> weights) {
  auto words = args.x.as<const u32>();
  for (u32 i = threadIdX(); i < args.tiles * StripColumns * 32; i += 128) {
    u32 word = i % 32, column = i / 32 % StripColumns, block = i / 256;
    u32 to = u32(activationWord(int(word / 8), int(word % 8))) * 4;
    x.as<u32>()[(block * StripActivationBytes + swizzled128(column, to)) / 4] =
        words[(column * args.tiles + block) * 32 + word];
  }
  auto from = args.packed +
              (args.tilesBegin + i64(blockIdX()) * args.tiles * Fp4TileBytes);
  for (u32 i = threadIdX(); i < args.tiles * Fp4TileBytes / 16; i += 128)
    weights.as<u32>().setVec<4>(4 * i, from.as<const u32>().vec<4>(4 * i));
  fenceProxyAsync();
  syncThreads();
}

/// sum = A B over one tile, A by the given tables.
DSV4_DEVICE void tileProduct(float (&sum)[4], Shared<u8> x, const U32x4 &upper,
                             const U32x4 &lower, const Fp4Tables &tables) {
  FragmentA a[4];
  for (int i = 0; i < 4; ++i)
    a[i] = fp4FragmentE4m3(upper, lower, tables, i);
  wgmmaFence();
  for (int i = 0; i < 4; ++i)
    wgmmaE4M3(sum, a[i].v, bDescriptor(x.addr() + 32 * i, Swizzle::B128, 1024),
              i != 0);
  wgmmaCommit();
  wgmmaWait<0>();
}

/// A tile whose scales escaped: a pass per block of scales. `scales` is its
/// word of row g and, eight rows on, of row g + 8.
DSV4_DEVICE void escapedTile(float (&total)[4], Shared<u8> x,
                             const U32x4 &upper, const U32x4 &lower,
                             u32 upperScales, u32 lowerScales) {
  for (u32 pass = 0; pass < 4; ++pass) {
    float sum[4] = {};
    tileProduct(sum, x, upper, lower,
                fp4EscapeTablesE4m3(laneId() % 4 == pass));
    float up = e8m0Factor(upperScales >> 8 * pass & 255u);
    float low = e8m0Factor(lowerScales >> 8 * pass & 255u);
    for (int i = 0; i < 4; ++i)
      total[i] = fmaF32(sum[i], i < 2 ? up : low, total[i]);
  }
}

template <bool Escapes> DSV4_KERNEL void fp4Strip(StripArgs args) {
  Shared<u8> x = dynamicShared();
  Shared<u8> tile = x + args.tiles * StripActivationBytes;
  stageStrip(args, x, tile);
  int warp = int(warpId()), lane = int(laneId());
  auto bases = args.packed + i64(blockIdX()) * args.tiles;
  float total[4] = {};
  for (u32 block = 0; block < args.tiles; ++block) {
    auto codes = tile.as<const u32>() + (warp * 64 + lane) * 4;
    U32x4 upper = codes.vec<4>(0), lower = codes.vec<4>(128);
    u32 base = bases[block];
    if (Escapes && base == Fp4Escape) {
      u32 index = tile.as<const u32>()[Fp4CodeBytes / 4];
      auto scales = (args.packed + args.escapesBegin).as<const u32>();
      i64 row = i64(index) * TileRows + warp * WarpRows + lane / 4;
      escapedTile(total, x, upper, lower, scales[row], scales[row + 8]);
    } else {
      u32 offsets = tile[tileOffset(warp, lane)];
      float sum[4] = {};
      tileProduct(sum, x, upper, lower, fp4TablesE4m3(offsets));
      for (int i = 0; i < 4; ++i)
        total[i] = fmaF32(sum[i], fp4Factor(base), total[i]);
    }
    tile = tile + Fp4TileBytes;
    x = x + StripActivationBytes;
  }
  i64 row = i64(blockIdX()) * TileRows + warp * WarpRows + lane / 4;
  for (int i = 0; i < 4; ++i)
    args.y[(row + i / 2 * 8) * StripColumns + lane % 4 * 2 + i % 2] = total[i];
}

#endif

} // namespace dsv4::cuda

#endif // DSV4_TEST_UNIT_CUDA_PACKING_FP4STRIP_CUH
