// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases at the sizes of DeepSeek V4 Flash with the configs that the lowering
// chooses for sm_90a, some neighbours of these, and kernels that only read.

#ifndef DSV4_TEST_HARDWARE_TIMINGCONFIGS_CUH
#define DSV4_TEST_HARDWARE_TIMINGCONFIGS_CUH

#include "targets/cuda/device/phases/attend.cuh"
#include "targets/cuda/device/phases/attend_scores.cuh"
#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/dispatch.cuh"
#include "targets/cuda/device/phases/experts.cuh"
#include "targets/cuda/device/phases/hyper.cuh"
#include "targets/cuda/device/phases/index_score.cuh"
#include "targets/cuda/device/phases/norms.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"
#include "targets/cuda/device/phases/reduce.cuh"
#include "targets/cuda/device/phases/top_k.cuh"

namespace dsv4::cuda::test::timing {

// ---- Reading ----------------------------------------------------------------

struct StreamParams {
  Global<const u8> from;
  i64 bytes;
  Global<u32> sink;
};

template <u32 Bytes, u32 Deep> struct Ring {
  static constexpr u32 chunk = Bytes, stages = Deep;
};

/// Bulk copies to shared memory, which nobody looks at: as many bytes on their
/// way as the ring has. Begins before the launch before has ended, as the
/// weights of products do. 32 threads, 1024 + chunk x stages bytes.
template <class C> DSV4_DEVICE void streamRing(const StreamParams &p) {
#if DSV4_HAS_BULK
  auto bars = dynamicShared().as<u64>();
  auto data = dynamicShared() + 1024;
  gridDepLaunch();
  if (threadIdX() == 0) {
    for (u32 i = 0; i < C::stages; ++i)
      mbarInit(bars + i, 1);
    fenceMbarInit();
    u32 chunks = u32(p.bytes / C::chunk), next = blockIdX();
    auto copyNext = [&](u32 stage) {
      mbarArriveExpectTx(bars + stage, C::chunk);
      bulkG2S(data + stage * C::chunk, p.from + i64(next) * C::chunk, C::chunk,
              bars + stage, evictFirst);
      next += gridDimX();
    };
    for (u32 i = 0; i < C::stages && next < chunks; ++i)
      copyNext(i);
    u32 stage = 0, phase = 0;
    for (u32 at = blockIdX(); at < chunks; at += gridDimX()) {
      mbarWait(bars + stage, phase);
      if (next < chunks)
        copyNext(stage);
      if (++stage == C::stages) {
        stage = 0;
        phase ^= 1;
      }
    }
  }
#endif
  gridDepWait();
}

struct Loads {
  static constexpr u32 unrolled = 8;
};

/// Loads of 16 bytes, eight of a thread on their way.
template <class C> DSV4_DEVICE void streamLoads(const StreamParams &p) {
  gridDepLaunch();
  i64 threads = i64(gridDimX()) * blockDimX();
  i64 first = i64(blockIdX()) * blockDimX() + threadIdX(), all = p.bytes / 16;
  u32 sum = 0;
  for (i64 at = first; at + (C::unrolled - 1) * threads < all;
       at += C::unrolled * threads) {
    U32x4 v[C::unrolled];
    DSV4_UNROLL
    for (u32 i = 0; i < C::unrolled; ++i)
      v[i] = ldStream16(p.from + (at + i * threads) * 16);
    DSV4_UNROLL
    for (u32 i = 0; i < C::unrolled; ++i)
      sum ^= v[i][0] ^ v[i][1] ^ v[i][2] ^ v[i][3];
  }
  gridDepWait();
  if (sum == 0x12345678)
    p.sink[0] = sum;
}

struct NothingParams {
  u32 unused;
};
DSV4_DEVICE void nothing(const NothingParams &) {
  gridDepLaunch();
  gridDepWait();
}

struct CounterParams {
  Global<u32> counters; // of 128 bytes each, zeros
  u32 rounds;
};

/// How many lines the counts are spread over.
template <u32 Lines> struct Counters {
  static constexpr u32 lines = Lines;
};

/// A dependency among all blocks, `rounds` times, as one persistent kernel
/// would have it: a block counts at its line, then waits for all lines. All
/// blocks have to be on the GPU at once.
template <class C> DSV4_DEVICE void counterEdges(const CounterParams &p) {
  gridDepWait();
  u32 line = blockIdX() % C::lines, thread = threadIdX();
  for (u32 round = 1; round <= p.rounds; ++round) {
    syncThreads();
    if (thread == 0)
      redReleaseAdd((p.counters + i64(line) * 32).raw(), 1);
    for (u32 other = thread; other < C::lines; other += blockDimX()) {
      u32 blocks = (gridDimX() + C::lines - 1 - other) / C::lines;
      waitAtLeast((p.counters + i64(other) * 32).raw(), round * blocks);
    }
    syncThreads();
  }
}
DSV4_DEVICE void clearCounters(const CounterParams &p) {
  gridDepWait();
  for (u32 i = threadIdX(); i < p.rounds; i += blockDimX())
    p.counters[i] = 0;
}

// ---- Products ---------------------------------------------------------------

inline constexpr u32 fp4 = 1, fp8 = 2, bf16 = 4, wide = 8;

/// `Bytes`: of a strip in a stage.
template <MmaKind Kind, u32 Formats, u32 Columns, u32 Bytes, u32 Stages,
          u32 XStages>
struct Matrix {
  static constexpr MmaKind mma = Kind;
  static constexpr bool bulk = true, escapes = false;
  static constexpr bool partials = Columns == 8;
  static constexpr u32 formats = Formats, columns = Columns;
  static constexpr u32 groups = Columns > 8 ? 2 : 1;
  static constexpr u32 stageBytes = groups * Bytes;
  static constexpr u32 weightStages = Stages, xStages = XStages;
};

struct One {
  static constexpr u32 RowsPer = 1;
};
struct Slots {
  static constexpr u32 RowsPer = 6;
};

// ---- Rows -------------------------------------------------------------------

struct Mix {
  static constexpr u32 Streams = 4, Hidden = 4096, Rows = 24;
  static constexpr bool Closes = true;
};
struct Pre {
  static constexpr u32 Streams = 4, Hidden = 4096, Iterations = 20;
  static constexpr float HcEps = 1e-6f, NormEps = 1e-6f;
  static constexpr bool Quantised = true;
};
struct Norm {
  static constexpr u32 Width = 1024;
  static constexpr float Eps = 1e-6f;
  static constexpr bool Normed = true, Quantised = true;
};
struct Router {
  static constexpr u32 Experts = 256, PerToken = 6, Warps = 8;
  static constexpr float Scale = 1.5f;
  static constexpr bool ByTable = false;
};
struct Expert {
  static constexpr u32 Inner = 2048, PerToken = 6, Hidden = 4096;
  static constexpr bool Weighted = true;
  static constexpr float Limit = 10.0f;
};

// ---- Attention --------------------------------------------------------------

struct Query {
  static constexpr int Heads = 64, Width = 512, RopeDims = 64;
  static constexpr float Eps = 1e-6f;
};
struct Index {
  static constexpr int Heads = 64, Width = 128, RopeDims = 64, Ratio = 4;
  static constexpr float Factor = 0.011048543f;
};
struct Store {
  static constexpr int Width = 512, RopeDims = 64, RowBytes = 584;
  static constexpr int RingRows = 640;
  static constexpr float Eps = 1e-6f;
};
struct Pool {
  static constexpr int Width = 512, Ratio = 4, RopeDims = 64, RowBytes = 584;
  static constexpr int CarrySlots = 8;
  static constexpr bool Overlap = true, Index = false;
  static constexpr float Eps = 1e-6f;
};
struct Top {
  static constexpr int K = 512, Ratio = 4, Threads = 512;
};
template <int Tile> struct Sparse {
  static constexpr int Heads = 64, Width = 512, RopeDims = 64, RowBytes = 584;
  static constexpr int WindowSize = 128, RingRows = 640, Ratio = 4;
  static constexpr int NumIds = 512, MaxSplits = 16, HeadTile = Tile;
  static constexpr EntryRows Entries = EntryRows::Selected;
  static constexpr float Scale = 0.044194173f;
};

} // namespace dsv4::cuda::test::timing

#endif // DSV4_TEST_HARDWARE_TIMINGCONFIGS_CUH
