// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How weights and activations reach the warps that multiply: two rings of
// shared memory. One warp streams packed tiles and never waits for activations
// (its first stages are on their way before the launches before have ended),
// three warps gather activations, and C::groups warpgroups consume both. The
// same on every architecture but for the copies: bulk copies on a transaction
// barrier from sm_90 on, cp.async before.
//
// A config, one per kernel:
//   struct K7 {
//     static constexpr MmaKind mma = MmaKind::Wgmma;
//     static constexpr bool bulk = true;         // bulk copies of weights
//     static constexpr u32 formats = 1u << u32(WeightFormat::Fp8); // of jobs
//     static constexpr bool escapes = false;     // FP4 tiles may escape
//     static constexpr bool partials = true;     // an item per part of K
//     static constexpr u32 columns = 8;          // 8, 16, 32, 64
//     static constexpr u32 groups = 2;           // strips of an item
//     static constexpr u32 weightStages = 8, stageBytes = 16384, xStages = 3;
//   };

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_RING_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_RING_CUH

#include "targets/cuda/device/phases/activations.cuh"
#include "targets/cuda/device/phases/matrix_items.cuh"

namespace dsv4::cuda {

/// Shared memory and threads of a config. Barriers (weights full and empty,
/// activations full and empty), scales of activations, activations, weights.
template <class C> struct MatrixPlan {
  DSV4_LAYOUT static bool has(WeightFormat format) {
    return C::formats >> u32(format) & 1;
  }
  /// Blocks of k in a stage of weights, and in one of activations, which holds
  /// 64 rows in all, or 32 of 256 bytes.
  DSV4_LAYOUT static u32 weightBlocks(WeightFormat format) {
    u32 blocks = C::stageBytes / (C::groups * tileBytes(format));
    return blocks ? blocks : 1;
  }
  DSV4_LAYOUT static u32 stageOf(WeightFormat format) {
    return has(format) ? weightBlocks(format) * C::groups * tileBytes(format)
                       : 0;
  }
  DSV4_LAYOUT static u32 larger(u32 a, u32 b) { return a > b ? a : b; }

  /// Blocks of activations have FP16 values, which saves conversions for every
  /// strip. At more columns their loads would take some registers too many.
  static constexpr bool wideBlocks =
      C::mma == MmaKind::F16 && C::columns <= (C::escapes ? 16 : 32) &&
      (has(WeightFormat::Fp4) || has(WeightFormat::Fp8));
  /// Bytes of 128 k of a row of a stage.
  DSV4_LAYOUT static u32 xWidth(WeightFormat format) {
    return readsBf16(format) || wideBlocks ? 256 : 128;
  }
  static constexpr u32 xRows = wideBlocks ? 32 : 64,
                       xBlocks = xRows / C::columns;
  static constexpr u32 xStageBytes =
      xRows *
      (has(WeightFormat::Bf16) || has(WeightFormat::Fp8Wide) || wideBlocks
           ? 256
           : 128);
  static constexpr u32 weightStageBytes = larger(
      stageOf(WeightFormat::Fp4),
      larger(larger(stageOf(WeightFormat::Fp8), stageOf(WeightFormat::Fp8Wide)),
             stageOf(WeightFormat::Bf16)));

  static constexpr u32 tailFlagAt = 512; // a word, for tails
  static constexpr u32 scalesAt = 1024;
  static constexpr u32 scaleBytes = xRows * 16; // of a stage: 16 each
  static constexpr u32 xAt = scalesAt + C::xStages * scaleBytes;
  static constexpr u32 weightsAt = xAt + C::xStages * xStageBytes;
  static constexpr u32 sharedBytes =
      weightsAt + C::weightStages * weightStageBytes;

  // Loaders and the producer make one warpgroup: with a warp more, a quarter of
  // the SM would have four of them and consumers of two groups 128 registers.
  static constexpr u32 consumers = C::groups * 128, loaders = 96;
  static constexpr u32 threads = consumers + loaders + 32;

  static_assert((2 * C::weightStages + 2 * C::xStages) * 8 <= tailFlagAt);
  static_assert(xRows % C::columns == 0 && C::columns % 8 == 0);
  static_assert(C::weightStages > 1 && C::xStages > 1);
};

/// A place in a ring of so many stages; a full barrier is waited for with
/// `phase`, an empty one with the other, which lets the first round pass.
template <u32 Stages> struct RingPlace {
  u32 stage = 0, phase = 0;
  DSV4_DEVICE void next() {
    if (++stage == Stages) {
      stage = 0;
      phase ^= 1;
    }
  }
};

template <class C> struct MatrixShared {
  using Plan = MatrixPlan<C>;
  DSV4_DEVICE static Shared<u64> barriers() {
    return dynamicShared().as<u64>();
  }
  DSV4_DEVICE static Shared<u64> weightsFull() { return barriers(); }
  DSV4_DEVICE static Shared<u64> weightsEmpty() {
    return barriers() + C::weightStages;
  }
  DSV4_DEVICE static Shared<u64> xFull() {
    return barriers() + 2 * C::weightStages;
  }
  DSV4_DEVICE static Shared<u64> xEmpty() { return xFull() + C::xStages; }
  DSV4_DEVICE static Shared<u8> scales(u32 stage) {
    return dynamicShared() + (Plan::scalesAt + stage * Plan::scaleBytes);
  }
  DSV4_DEVICE static Shared<u8> x(u32 stage) {
    return dynamicShared() + (Plan::xAt + stage * Plan::xStageBytes);
  }
  DSV4_DEVICE static Shared<u8> weights(u32 stage) {
    return dynamicShared() + (Plan::weightsAt + stage * Plan::weightStageBytes);
  }

  /// By all threads, before anything else.
  DSV4_DEVICE static void init() {
    if (threadIdX() == 0) {
      for (u32 i = 0; i < C::weightStages; ++i) {
        mbarInit(weightsFull() + i, 1);
        mbarInit(weightsEmpty() + i, Plan::consumers / 32);
      }
      for (u32 i = 0; i < C::xStages; ++i) {
        mbarInit(xFull() + i, Plan::loaders);
        mbarInit(xEmpty() + i, Plan::consumers / 32);
      }
#if DSV4_HAS_BULK
      fenceMbarInit();
#endif
    }
    syncThreads();
  }
};

// ---- Weights ----------------------------------------------------------------

/// Streams the tiles of all items. With cp.async a stage is full once the
/// copies of the warp have come; half of the ring may be on its way, the other
/// half is there for the consumers to go on with. (All but one on its way would
/// make every stage wait for the one before to be let go.)
template <class C> class WeightProducer {
  using Plan = MatrixPlan<C>;
  using S = MatrixShared<C>;
  static constexpr u32 InFlight = C::weightStages / 2;

public:
  template <class Items> DSV4_DEVICE void run(Items items) {
    MatrixItem item;
    while (items.next(item)) {
      const MatrixJob &job = items.job(item);
      u32 begin = splitAt(job.blocks, job.split, item.splitBegin);
      u32 end = splitAt(job.blocks, job.split, item.splitEnd);
      u32 step = Plan::weightBlocks(job.format);
      for (u32 block = begin; block < end; block += step)
        stage(item, job, block, end - block < step ? end - block : step);
    }
    drain();
  }

private:
  DSV4_DEVICE void stage(const MatrixItem &item, const MatrixJob &job,
                         u32 block, u32 count) {
    u32 size = tileBytes(job.format), most = Plan::weightBlocks(job.format);
    auto to = S::weights(place.stage);
    auto from = item.w + (i64(job.tilesBegin) +
                          (i64(item.strip) * job.blocks + block) * size);
    mbarWait(S::weightsEmpty() + place.stage, place.phase ^ 1);
    if constexpr (C::bulk) {
#if DSV4_HAS_BULK
      // The stage may be filled, used up and let go before a lane that lags has
      // looked: it would miss the phase that it waits for.
      syncWarp();
      if (laneId() == 0) {
        mbarArriveExpectTx(S::weightsFull() + place.stage,
                           item.strips * count * size);
        for (u32 i = 0; i < item.strips; ++i)
          copyTiles(to + i * most * size, from + i64(i) * job.blocks * size,
                    count * size);
      }
#endif
    } else {
      for (u32 i = 0; i < item.strips; ++i)
        for (u32 at = laneId() * 16; at < count * size; at += 512)
          cpAsync16(to + (i * most * size + at),
                    from + (i64(i) * job.blocks * size + at));
      cpAsyncCommit();
      if (++open > InFlight) {
        cpAsyncWait<InFlight>();
        arrive();
      }
    }
    place.next();
  }

#if DSV4_HAS_BULK
  /// Decode reads weights once, so they push nothing out of L2; prefill comes
  /// back to a strip for its other columns.
  DSV4_DEVICE void copyTiles(Shared<u8> to, Global<const u8> from, u32 bytes) {
    if constexpr (C::columns == 8)
      bulkG2S(to, from, bytes, S::weightsFull() + place.stage, evictFirst);
    else
      bulkG2S(to, from, bytes, S::weightsFull() + place.stage);
  }
#endif

  /// All lanes have waited for their own copies; then one says so.
  DSV4_DEVICE void arrive() {
    syncWarp();
    if (laneId() == 0)
      mbarArrive(S::weightsFull() + oldest.stage);
    oldest.next();
    --open;
  }
  DSV4_DEVICE void drain() {
    if constexpr (!C::bulk) {
      cpAsyncWait<0>();
      while (open)
        arrive();
    }
  }

  RingPlace<C::weightStages> place, oldest;
  u32 open = 0;
};

// ---- Activations ------------------------------------------------------------

/// Gathers the activations of all items, xRows rows x 128 k at a time (the
/// columns of one block, then of the next); columns that do not exist are zero.
template <class C> class XLoader {
  using Plan = MatrixPlan<C>;
  using S = MatrixShared<C>;
  static constexpr u32 Missing = 0xffffffffu;
  static constexpr u32 InFlight = C::xStages / 2;
  static constexpr u32 Passes =
      (Plan::xRows * 8 + Plan::loaders - 1) / Plan::loaders;

public:
  template <class Items> DSV4_DEVICE void run(Items items) {
    MatrixItem item;
    while (items.next(item)) {
      const MatrixJob &job = items.job(item);
      u32 begin = splitAt(job.blocks, job.split, item.splitBegin);
      u32 end = splitAt(job.blocks, job.split, item.splitEnd);
      DSV4_UNROLL
      for (u32 i = 0; i < Passes; ++i)
        rows[i] = rowOf(items, item, rowAt(i) % C::columns);
      scaleRow = rowOf(items, item, thread() % C::columns);
      for (u32 block = begin; block < end; block += Plan::xBlocks) {
        mbarWait(S::xEmpty() + place.stage, place.phase ^ 1);
        copyScales(item, job, block, end);
        if (readsBf16(job.format))
          copyWide(job, item.xGroup * job.xBytes, TileK * 2, block, end);
        else if constexpr (Plan::wideBlocks)
          copyWide(job, blocksAt(item, job), WideActivationBytes, block, end);
        else
          copyE4m3(job, blocksAt(item, job), block, end);
        cpAsyncCommit();
        place.next();
        if (++open > InFlight) {
          cpAsyncWait<InFlight>();
          arrive();
        }
      }
    }
    cpAsyncWait<0>();
    while (open)
      arrive();
  }

private:
  DSV4_DEVICE static u32 thread() { return threadIdX() - Plan::consumers; }
  /// Row of a stage that a thread copies from in pass `i`.
  DSV4_DEVICE static u32 rowAt(u32 i) {
    return thread() / 8 + i * (Plan::loaders / 8);
  }

  template <class Items>
  DSV4_DEVICE static u32 rowOf(const Items &items, const MatrixItem &item,
                               u32 column) {
    return column < item.columns ? items.source(item, column) : Missing;
  }

  /// 16 bytes, or zeros where there is no row or no such block.
  DSV4_DEVICE static void copy(Shared<u8> to, const MatrixJob &job, u32 row,
                               u32 offset, bool exists) {
    exists = exists && row != Missing;
    auto from = exists ? job.x + (i64(row) * job.xRowBytes + offset) : job.x;
    cpAsync16(to, from, exists ? 16 : 0);
  }

  /// Where an item's blocks begin in a row, and the scales of a stage's.
  static constexpr u32 BlockBytes =
      Plan::wideBlocks ? WideActivationBytes : ActivationBytes;
  DSV4_DEVICE static u32 blocksAt(const MatrixItem &item,
                                  const MatrixJob &job) {
    return item.xGroup * job.blocks * BlockBytes;
  }
  DSV4_DEVICE void copyScales(const MatrixItem &item, const MatrixJob &job,
                              u32 block, u32 end) {
    u32 v = thread(), b = block + v / C::columns;
    if (v < Plan::xRows && !readsBf16(job.format))
      copy(S::scales(place.stage) + v * 16, job, scaleRow,
           blocksAt(item, job) + (b + 1) * BlockBytes - VectorBytes, b < end);
  }

  /// Row v of a stage is column v % columns of block v / columns; eight threads
  /// copy its codes.
  DSV4_DEVICE void copyE4m3(const MatrixJob &job, u32 from, u32 block,
                            u32 end) {
    u32 unit = thread() % 8 * 16;
    auto to = S::x(place.stage);
    DSV4_UNROLL
    for (u32 i = 0; i < Passes; ++i) {
      u32 v = rowAt(i), b = block + v / C::columns;
      if (v >= Plan::xRows)
        break;
      copy(to + (v / C::columns * C::columns * 128 +
                 swizzled128(v % C::columns, unit)),
           job, rows[i], from + b * ActivationBytes + unit, b < end);
    }
  }

  /// The same for 256 bytes of 128 k, `stride` bytes apart: rows of BF16, whose
  /// last block may be short, or blocks of FP16.
  DSV4_DEVICE void copyWide(const MatrixJob &job, u32 from, u32 stride,
                            u32 block, u32 end) {
    auto to = S::x(place.stage);
    DSV4_UNROLL
    for (u32 i = 0; i < 2 * Passes; ++i) {
      u32 v = rowAt(i / 2), b = block + v / C::columns;
      u32 unit = thread() % 8 + 8 * (i % 2), at = b * stride + unit * 16;
      if (v >= Plan::xRows)
        break;
      copy(to + (v / C::columns * C::columns * 256 +
                 wideUnit(v % C::columns, unit)),
           job, rows[i / 2], from + at, b < end && at < job.xBytes);
    }
  }

  DSV4_DEVICE void arrive() {
#if DSV4_HAS_WGMMA
    if constexpr (C::mma == MmaKind::Wgmma)
      fenceProxyAsync();
#endif
    mbarArrive(S::xFull() + oldest.stage);
    oldest.next();
    --open;
  }

  RingPlace<C::xStages> place, oldest;
  u32 rows[Passes], scaleRow = Missing, open = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_RING_CUH
