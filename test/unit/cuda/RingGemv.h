// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel as the real ones will be: y = W x, weights streamed by one producer
// warp through a ring of shared memory, four consumer warps, K split over
// blocks, and a second kernel that adds the partial sums in a fixed order.
// `Fault` leaves out one thing that it needs.

#ifndef DSV4_TEST_UNIT_CUDA_RINGGEMV_H
#define DSV4_TEST_UNIT_CUDA_RINGGEMV_H

#include "targets/cuda/device/ptx.h"

namespace dsv4::cuda::test {

enum class Fault {
  None,
  NoFullWait,     ///< consumers do not wait for the bytes
  NoEmptyWait,    ///< the producer does not wait for the consumers
  EarlyRelease,   ///< consumers let a stage go before they have read it
  NoGridDepWait,  ///< the reduction starts on sums that are not there yet
  NoGridDepWaitX, ///< so does the product, on its input
  WrongBarrier,   ///< a named barrier counts one warp too many
  NoBarrier,      ///< one warp misses the exchange between the warps
  OutOfBounds,    ///< a row too many
  NoInitFence,    ///< barriers are not shown to the copies
  MissingBytes,   ///< expects more bytes than are copied
};

struct RingConfig {
  static constexpr u32 tileRows = 16, tileK = 64, stages = 3;
  static constexpr u32 stageBytes = tileRows * tileK * sizeof(float);
  static constexpr u32 consumers = 128, threads = consumers + 32;
  // full and empty barriers, x of this split behind them, then the stages
  static constexpr u32 barriersAt = 0, xAt = 128, ringAt = 4096;
  static constexpr u32 maxSplitK = (ringAt - xAt) / sizeof(float);
  static constexpr u32 sharedBytes = ringAt + stages * stageBytes;
};

struct RingShape {
  u32 rows, k, splits;
  u32 tiles() const { return rows / RingConfig::tileRows; }
  u32 splitK() const { return k / splits; }
  u32 steps() const { return splitK() / RingConfig::tileK; }
};

/// x = 1 / (1 + i), so that there is something to wait for.
inline void prepareKernel(RingShape shape, Global<float> x) {
  gridDepLaunch();
  for (u32 i = blockIdX() * blockDimX() + threadIdX(); i < shape.k;
       i += gridDimX() * blockDimX())
    x[i] = 1.0f / float(1 + i);
}

inline void produce(RingShape shape, Global<const u8> tiles, Shared<u64> full,
                    Shared<u64> empty, Fault fault) {
  using C = RingConfig;
  if (laneId() != 0)
    return;
  for (u32 step = 0; step < shape.steps(); ++step) {
    u32 stage = step % C::stages, round = step / C::stages;
    if (fault != Fault::NoEmptyWait)
      mbarWait(empty + stage, (round + 1) % 2);
    u32 expect = C::stageBytes + (fault == Fault::MissingBytes ? 16 : 0);
    mbarArriveExpectTx(full + stage, expect);
    bulkG2S(dynamicShared() + C::ringAt + stage * C::stageBytes,
            tiles + i64(step) * C::stageBytes, C::stageBytes, full + stage,
            evictFirst);
  }
}

inline void consume(RingShape shape, Shared<const float> x, Shared<u64> full,
                    Shared<u64> empty, float (&sum)[4], Fault fault) {
  using C = RingConfig;
  u32 lane = laneId(), warp = warpId();
  for (u32 step = 0; step < shape.steps(); ++step) {
    u32 stage = step % C::stages, round = step / C::stages;
    auto tile =
        (dynamicShared() + C::ringAt + stage * C::stageBytes).as<float>();
    if (fault != Fault::NoFullWait)
      mbarWait(full + stage, round % 2);
    if (fault == Fault::EarlyRelease && lane == 0)
      mbarArrive(empty + stage);
    auto in = x.vec<2>(step * C::tileK + 2 * lane);
    for (u32 r = 0; r < 4; ++r) {
      auto w = tile.vec<2>((4 * warp + r) * C::tileK + 2 * lane);
      sum[r] += w[0] * in[0] + w[1] * in[1];
    }
    syncWarp(); // all lanes have read before one of them lets go
    if (fault != Fault::EarlyRelease && lane == 0)
      mbarArrive(empty + stage);
  }
}

/// Block (tile, split); W is packed by tile, split and step.
inline void ringGemvKernel(RingShape shape, Global<const float> w,
                           Global<const float> x, Global<float> partials,
                           Fault fault) {
  using C = RingConfig;
  auto full = (dynamicShared() + C::barriersAt).as<u64>();
  auto empty = full + C::stages;
  auto xs = (dynamicShared() + C::xAt).as<float>();
  u32 tile = blockIdX(), split = blockIdY(), t = threadIdX();
  if (t == 0) {
    for (u32 i = 0; i < C::stages; ++i) {
      mbarInit(full + i, 1);
      mbarInit(empty + i, C::consumers / 32);
    }
    if (fault != Fault::NoInitFence)
      fenceMbarInit();
  }
  syncThreads();
  gridDepLaunch();
  if (t >= C::consumers) {
    u32 first = (tile * shape.splits + split) * shape.steps();
    produce(shape, w.as<const u8>() + i64(first) * C::stageBytes, full, empty,
            fault);
    return;
  }
  // Weights are on their way; x is what the launch before has written.
  if (fault != Fault::NoGridDepWaitX)
    gridDepWait();
  for (u32 i = t; i < shape.splitK(); i += C::consumers)
    xs[i] = x[split * shape.splitK() + i];
  if (fault == Fault::WrongBarrier)
    barSync(1, C::consumers + 32);
  else if (!(fault == Fault::NoBarrier && warpId() == 2))
    barSync(1, fault == Fault::NoBarrier ? C::consumers - 32 : C::consumers);
  float sum[4] = {};
  consume(shape, xs, full, empty, sum, fault);
  for (u32 r = 0; r < 4; ++r)
    for (u32 step = 16; step > 0; step /= 2)
      sum[r] += shflXor(sum[r], step);
  u32 row = tile * C::tileRows + 4 * warpId() + laneId();
  if (laneId() < 4)
    partials[split * shape.rows + row +
             (fault == Fault::OutOfBounds ? C::tileRows : 0)] = sum[laneId()];
}

inline void reduceKernel(RingShape shape, Global<const float> partials,
                         Global<float> y, Fault fault) {
  if (fault != Fault::NoGridDepWait)
    gridDepWait();
  u32 row = blockIdX() * blockDimX() + threadIdX();
  if (row >= shape.rows)
    return;
  float sum = 0;
  for (u32 split = 0; split < shape.splits; ++split)
    sum += partials[split * shape.rows + row];
  y[row] = sum;
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_RINGGEMV_H
