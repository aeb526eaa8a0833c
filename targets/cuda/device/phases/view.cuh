// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who runs a body: a grid of its own, or threads of another launch that go on
// with rows which are now complete (a tail, docs/cuda-fusion.md). A body asks
// its view where it is and how to meet the others, so that its bits are the
// same in both.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_VIEW_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_VIEW_CUH

#include "targets/cuda/device/ptx.h"

namespace dsv4::cuda {

/// The launch itself.
struct WholeGrid {
  DSV4_DEVICE u32 block() const { return blockIdX(); }
  DSV4_DEVICE u32 blocks() const { return gridDimX(); }
  DSV4_DEVICE u32 thread() const { return threadIdX(); }
  DSV4_DEVICE u32 threads() const { return blockDimX(); }
  DSV4_DEVICE void sync() const { syncThreads(); }
  DSV4_DEVICE Shared<u8> shared() const { return dynamicShared(); }
  /// Waits for the launches before and lets the next one come.
  DSV4_DEVICE void begin() const {
    gridDepWait();
    gridDepLaunch();
  }
};

/// Of grids of which nobody else runs a block: the body's loop over items ends
/// with its first.
inline constexpr u32 NoOtherBlock = 1u << 30;

/// Named barriers: of threads that arrive, and of those among them that go on
/// with a task while the others may arrive again. 1 is blockRmsNorm's.
inline constexpr u32 TailBarrier = 2, TaskBarrier = 3;

/// The first Threads threads of a block as block `at` of `count`.
template <u32 Threads> struct BlockView {
  u32 at, count;
  u32 sharedAt; // of the body's own shared memory

  DSV4_DEVICE u32 block() const { return at; }
  DSV4_DEVICE u32 blocks() const { return count; }
  DSV4_DEVICE u32 thread() const { return threadIdX(); }
  DSV4_DEVICE u32 threads() const { return Threads; }
  DSV4_DEVICE void sync() const { barSync(TaskBarrier, Threads); }
  DSV4_DEVICE Shared<u8> shared() const { return dynamicShared() + sharedAt; }
  DSV4_DEVICE void begin() const {}
};

/// A warp as block `at`, with items for the first `count` of its lanes.
struct WarpView {
  u32 at, count;

  DSV4_DEVICE u32 block() const { return at; }
  DSV4_DEVICE u32 blocks() const { return NoOtherBlock; }
  DSV4_DEVICE u32 thread() const { return laneId(); }
  DSV4_DEVICE u32 threads() const { return count; }
  DSV4_DEVICE void begin() const {}
};

/// Counts `threads` threads of the block, which all call it, as one arrival at
/// a counter of zeros, after everything that they have written. True for those
/// that make it `wanted`: they see what all others wrote before, and the
/// counter is zero again. `flag`: a word of shared memory.
DSV4_DEVICE bool arriveLast(Global<u32> counter, u32 wanted, Shared<u32> flag,
                            u32 threads) {
  barSync(TailBarrier, threads);
  if (threadIdX() == 0) {
    bool last = atomAddAcqRel(counter.raw(), 1) + 1 == wanted;
    if (last)
      stRelease(counter.raw(), 0);
    flag[0] = last;
  }
  barSync(TailBarrier, threads);
  return flag[0] != 0;
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_VIEW_CUH
