// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activations of FP8 and FP4 products as step buffers hold them for tensor
// cores: E4M3 codes and their scale, block by block of 128 k. A phase turns
// rows of fake-quantised BF16 (numerics R15) into such blocks, exactly; phases
// that quantise may write blocks themselves with encodeBlock.
//
// A row is ceil(K / 128) blocks of 144 bytes: 128 codes, permuted in words as
// layout.h's activationWord says, and a float scale four times. The scale lies
// beside its codes, and fills 16 bytes, so that it arrives by the same
// asynchronous copies. For products of FP16 a block has 272 bytes: the codes
// widened, in the order of k, so that nobody widens them again for each strip
// of weights.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_ACTIVATIONS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_ACTIVATIONS_CUH

#include "targets/cuda/device/decode.cuh"
#include "targets/cuda/device/ptx.h"

namespace dsv4::cuda {

/// Smallest scale of R15 as an E8M0 byte: 2^ceil(log2(1e-4 / 448)) = 2^-22.
inline constexpr u32 MinScaleByte = 127 - 22;

/// The scale byte of a fake-quantised block from its largest magnitude's BF16
/// bits. Values are q x s with q in E4M3, so at most three bits of mantissa;
/// they are E4M3 over 2^(exponent - 8) unless the largest would be 480, which
/// E4M3 lacks, and over the smallest scale when that is larger. The result is
/// R15's own scale or half of it (when its largest code was 224 or less), and
/// doubling a code of at most 224 is exact.
DSV4_DEVICE u32 blockScaleByte(u32 largest) {
  u32 exponent = largest >> 7;
  u32 above = (largest & 0x7fu) > 0x60u; // 1.75 x 2^8 is the last code
  u32 byte = exponent + above < 8 ? 0 : exponent + above - 8;
  return byte > MinScaleByte ? byte : MinScaleByte;
}

/// E4M3 code of a BF16 value over the scale; exact when it is on the grid.
DSV4_DEVICE u32 e4m3OfBf16(u32 bits, u32 scaleByte) {
  float inverse = __builtin_bit_cast(float, (254u - scaleByte) << 23);
  float q = __builtin_bit_cast(float, bits << 16) * inverse;
  u32 magnitude = __builtin_bit_cast(u32, q) & 0x7fffffffu;
  float absolute = __builtin_bit_cast(float, magnitude);
  u32 code = magnitude < 121u << 23 // below 2^-6: multiples of 2^-9
                 ? u32(absolute * 512.0f)
                 : (magnitude >> 20) - (120u << 3);
  return code | (bits >> 8 & 0x80u);
}

DSV4_DEVICE void setBlockScale(Global<u8> block, u32 blockBytes, u32 byte) {
  u32 bits = byte << 23;
  block.as<u32>().setVec<4>((blockBytes - VectorBytes) / 4,
                            U32x4{{bits, bits, bits, bits}});
}

/// A warp writes one block of `blockBytes`; lane l has its elements 4 l .. 4 l
/// + 3, two to a word. All lanes call it.
DSV4_DEVICE void encodeBlock(Vec<u32, 2> values, Global<u8> block,
                             u32 blockBytes) {
  u32 largest = 0;
  for (int i = 0; i < 4; ++i) {
    u32 magnitude = values[i / 2] >> 16 * (i % 2) & 0x7fffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  for (u32 step = 16; step > 0; step /= 2) {
    u32 other = shflXor(largest, step);
    largest = other > largest ? other : largest;
  }
  u32 scale = blockScaleByte(largest), codes = 0;
  for (int i = 0; i < 4; ++i)
    codes |= e4m3OfBf16(values[i / 2] >> 16 * (i % 2) & 0xffffu, scale)
             << 8 * i;
  u32 lane = laneId();
  if (blockBytes == u32(WideActivationBytes))
    block.as<u32>().setVec<2>(2 * lane, {{e4m3PairToF16x2(codes, false),
                                          e4m3PairToF16x2(codes, true)}});
  else
    block.as<u32>()[activationWord(int(lane / 8), int(lane % 8))] = codes;
  if (lane == 0)
    setBlockScale(block, blockBytes, scale);
}

struct EncodeParams {
  Global<const i64> rows; // of this step: &step->tokens, say
  u32 rowsPer;            // experts per token for a slot buffer, else 1
  u32 k;                  // a multiple of 128
  Global<const u16> x;    // [rows][k] BF16, fake-quantised per 128
  Global<u8> blocks;      // [rows][k / 128][blockBytes]
  u32 blockBytes = ActivationBytes; // or WideActivationBytes
};

/// Items: rows x k / 128, one for each warp.
DSV4_DEVICE void encodeActivations(const EncodeParams &p) {
  gridDepLaunch();
  u32 warps = blockDimX() / 32, blocks = p.k / TileK;
  i64 items = i64(p.rows[0]) * p.rowsPer * blocks; // of the step: need not wait
  gridDepWait();
  for (i64 item = i64(blockIdX()) * warps + warpId(); item < items;
       item += i64(gridDimX()) * warps)
    encodeBlock(p.x.as<const u32>().vec<2>(item * (TileK / 2) + 2 * laneId()),
                p.blocks + item * p.blockBytes, p.blockBytes);
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_ACTIVATIONS_CUH
