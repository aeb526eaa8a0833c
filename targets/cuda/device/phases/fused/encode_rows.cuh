// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row phases that quantise, and encodeActivations of what they quantised, in
// one launch: half a warp still holds the 128 columns, so a block costs no
// reading and the step no grid-wide dependency. Bit-equal to the two launches.
// Configs, threads and shared memory are those of the phase alone. Not run on
// hardware.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_ENCODE_ROWS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_ENCODE_ROWS_CUH

#include "targets/cuda/device/phases/activations.cuh"
#include "targets/cuda/device/phases/experts.cuh"
#include "targets/cuda/device/phases/hyper.cuh"
#include "targets/cuda/device/phases/norms.cuh"

namespace dsv4::cuda {

/// As encodeBlock, by half a warp: lane l of 16 has the elements 8 l .. 8 l + 7
/// of a block, two words of codes. All 32 lanes call it.
DSV4_DEVICE void encodeHalf(const U32x4 &words, Global<u8> block,
                            u32 blockBytes, bool exists) {
  u32 largest = 0;
  DSV4_UNROLL
  for (int i = 0; i < 8; ++i) {
    u32 magnitude = words[i / 2] >> 16 * (i % 2) & 0x7fffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  DSV4_UNROLL
  for (u32 step = 8; step > 0; step /= 2) {
    u32 other = shflXor(largest, step);
    largest = other > largest ? other : largest;
  }
  u32 scale = blockScaleByte(largest), codes[2] = {};
  DSV4_UNROLL
  for (int i = 0; i < 8; ++i)
    codes[i / 4] |= e4m3OfBf16(words[i / 2] >> 16 * (i % 2) & 0xffffu, scale)
                    << 8 * (i % 4);
  if (!exists)
    return;
  int lane = int(laneId() % BlockLanes);
  auto to = block.as<u32>();
  if (blockBytes == u32(WideActivationBytes)) {
    to.setVec<4>(4 * lane, U32x4{{e4m3PairToF16x2(codes[0], false),
                                  e4m3PairToF16x2(codes[0], true),
                                  e4m3PairToF16x2(codes[1], false),
                                  e4m3PairToF16x2(codes[1], true)}});
  } else {
    to[activationWord(lane / 4, lane % 4 * 2)] = codes[0];
    to[activationWord(lane / 4, lane % 4 * 2 + 1)] = codes[1];
  }
  if (lane == 0)
    setBlockScale(block, blockBytes, scale);
}

/// What a row phase's sink does: vector v is in block v / 16 of all rows.
struct EncodeSink {
  Global<u8> blocks; // [rows][N / 128][blockBytes]
  u32 blockBytes;
  DSV4_DEVICE void operator()(i64 v, const U32x4 &words, bool exists) const {
    encodeHalf(words, blocks + v / BlockLanes * blockBytes, blockBytes, exists);
  }
};

/// The parameters of a phase, then what encoding adds.
template <class Params> struct Encoded {
  Params phase;
  Global<u8> blocks;
  u32 blockBytes = ActivationBytes, unused = 0;
};
using HcPreEncodeParams = Encoded<HcPreParams>;
using NormQuantEncodeParams = Encoded<NormQuantParams>;
using QuantizeEncodeParams = Encoded<QuantizeParams>;
using SwigluEncodeParams = Encoded<SwigluParams>;

template <class C> DSV4_DEVICE void hcPreEncode(const HcPreEncodeParams &p) {
  static_assert(C::Quantised, "nothing to encode");
  hcPre<C>(p.phase, EncodeSink{p.blocks, p.blockBytes});
}
template <class C>
DSV4_DEVICE void normQuantEncode(const NormQuantEncodeParams &p) {
  static_assert(C::Quantised, "nothing to encode");
  normQuant<C>(p.phase, EncodeSink{p.blocks, p.blockBytes});
}
template <class C>
DSV4_DEVICE void quantizeEncode(const QuantizeEncodeParams &p) {
  quantize<C>(p.phase, EncodeSink{p.blocks, p.blockBytes});
}
template <class C> DSV4_DEVICE void swigluEncode(const SwigluEncodeParams &p) {
  swiglu<C>(p.phase, EncodeSink{p.blocks, p.blockBytes});
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_ENCODE_ROWS_CUH
