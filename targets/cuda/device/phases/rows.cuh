// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the row phases share: BF16 in vectors of 8 elements (16 bytes), R15 over
// half a warp, R12 over a block. Sums and roundings are those of
// runtime/numerics, so the bits are.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_ROWS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_ROWS_CUH

#include "runtime/abi/program.h"
#include "runtime/numerics/rows.h"
#include "targets/cuda/device/phases/view.cuh"
#include "targets/cuda/device/ptx_alu.h"

namespace dsv4::cuda {

inline constexpr u32 RowVector = 8;    // BF16 elements of one access
inline constexpr u32 QuantBlock = 128; // elements that share a scale (R15)
inline constexpr u32 BlockLanes = QuantBlock / RowVector;

DSV4_DEVICE constexpr u32 roundUpTo(u32 value, u32 unit) {
  return (value + unit - 1) / unit * unit;
}

/// The 8 BF16 values of vector `v`.
DSV4_DEVICE U32x4 loadRow(Global<const u16> from, i64 v) {
  return from.as<const u32>().template vec<4>(4 * v);
}
DSV4_DEVICE void storeRow(Global<u16> to, i64 v, const U32x4 &words) {
  to.as<u32>().template setVec<4>(4 * v, words);
}

DSV4_DEVICE void unpackRow(const U32x4 &words, float (&v)[RowVector]) {
  DSV4_UNROLL
  for (u32 i = 0; i < RowVector; ++i)
    v[i] = num::bf16ToFloat(u16(words[i / 2] >> 16 * (i % 2)));
}
DSV4_DEVICE U32x4 packRow(const float (&v)[RowVector]) {
  U32x4 words;
  DSV4_UNROLL
  for (u32 i = 0; i < RowVector; i += 2)
    words[i / 2] = num::floatToBf16(v[i]) | u32(num::floatToBf16(v[i + 1]))
                                                << 16;
  return words;
}

/// Fake quantisation of 128 elements that half a warp holds (R15). All 32 lanes
/// call it; a maximum does not depend on its order.
DSV4_DEVICE void fakeQuantizeLanes(float (&v)[RowVector]) {
  float most = 0;
  DSV4_UNROLL
  for (u32 i = 0; i < RowVector; ++i)
    most = num::absolute(v[i]) > most ? num::absolute(v[i]) : most;
  DSV4_UNROLL
  for (u32 step = BlockLanes / 2; step > 0; step /= 2) {
    float other = shflXor(most, step);
    most = other > most ? other : most;
  }
  uint8_t byte = num::scaleByte(&most, 1, 1e-4f, float(1.0 / 448));
  float inverse = num::inverseScale(byte), scale = num::e8m0ToFloat(byte);
  DSV4_UNROLL
  for (u32 i = 0; i < RowVector; ++i)
    v[i] =
        num::roundBf16(num::roundE4M3(num::clamp(v[i] * inverse, 448)) * scale);
}

/// Where rows go besides their buffer: fused phases (fused/) put an encoder
/// here. It gets vector `v` of all rows, 128 columns by half a warp, and all
/// lanes of the warp call it.
struct NoSink {
  DSV4_DEVICE void operator()(i64, const U32x4 &, bool) const {}
};

/// Calls body(v, exists) for the vectors [0, count) of a whole grid. Lanes
/// without one take part, because warp functions need all of them.
template <class Body, class View = WholeGrid>
DSV4_DEVICE void forGridVectors(i64 count, const Body &body,
                                const View &view = {}) {
  i64 threads = view.threads();
  for (i64 first = view.block() * threads; first < count;
       first += view.blocks() * threads) {
    i64 v = first + view.thread();
    body(v, v < count && view.thread() < threads);
  }
}

/// Sum of squares of n floats (R3), by one warp: lane l and l + 16 both add the
/// elements 16 i + l; all lanes get the sum.
DSV4_DEVICE float warpSumOfSquares(Shared<const float> x, u32 n) {
  u32 lane = laneId() % 16;
  float sum = 0;
#ifndef DSV4_CPU_EMU
#pragma unroll 16
#endif
  for (u32 i = 0; i < n; i += 16) {
    float value = x[i + lane];
    sum = num::fma(value, value, sum);
  }
  DSV4_UNROLL
  for (u32 step = 8; step > 0; step /= 2)
    sum += shflXor(sum, step);
  return sum;
}

/// RMS norm (R12) of a row of N that the first `Threads` threads of the block
/// hold, 8 elements each; the others must not call it. `room`: N + 1 floats of
/// shared memory, free again at the next barrier of these threads. Barrier 1.
template <u32 N, u32 Threads>
DSV4_DEVICE void blockRmsNorm(float (&v)[RowVector], const U32x4 &weight,
                              float eps, Shared<float> room) {
  static_assert(N % 16 == 0 && N <= Threads * RowVector && Threads % 32 == 0,
                "expected one vector a thread and whole warps");
  u32 thread = threadIdX();
  if (thread < N / RowVector) {
    room.template setVec<4>(8 * thread, F32x4{{v[0], v[1], v[2], v[3]}});
    room.template setVec<4>(8 * thread + 4, F32x4{{v[4], v[5], v[6], v[7]}});
  }
  barSync(1, Threads);
  if (thread < 32) {
    float sum = warpSumOfSquares(room, N);
    if (thread == 0)
      room[N] = sum;
  }
  barSync(1, Threads);
  float r = 1.0f / num::sqrt(room[N] / float(N) + eps);
  float w[RowVector];
  unpackRow(weight, w);
  DSV4_UNROLL
  for (u32 i = 0; i < RowVector; ++i)
    v[i] = num::roundBf16(w[i] * (v[i] * r));
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_ROWS_CUH
