// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The matrix phases: kern.linear and kern.expert_linear on packed weights, for
// decode and prefill, and the sum over parts of K that decode leaves to a
// following phase. docs/cuda-phases.md has the order of the sums and how far
// they may be from numerics R1. Not run on hardware.
//
// The order of every sum follows from the matrix and its split alone: blocks of
// 128 k ascending within a part, parts ascending. Neither the number of tokens,
// nor columns, groups or `partials` of the config change it.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_LINEAR_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_LINEAR_CUH

#include "targets/cuda/device/phases/matrix_ring.cuh"

namespace dsv4::cuda {

/// As runtime/numerics rounds: to nearest even by integers.
DSV4_DEVICE u32 bf16Of(float x) {
  u32 bits = __builtin_bit_cast(u32, x);
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

/// A warpgroup's part of the block: multiplies strip `group` of every item.
template <class C> class MatrixConsumer {
  using Plan = MatrixPlan<C>;
  using S = MatrixShared<C>;
  static constexpr int R = C::columns / 2;

public:
  template <class Items> DSV4_DEVICE void run(Items items) {
    MatrixItem item;
    while (items.next(item)) {
      const MatrixJob &job = items.job(item);
      if constexpr (Plan::has(WeightFormat::Fp8))
        if (job.format == WeightFormat::Fp8)
          this->item<WeightFormat::Fp8>(items, item, job);
      if constexpr (Plan::has(WeightFormat::Fp4))
        if (job.format == WeightFormat::Fp4)
          this->item<WeightFormat::Fp4>(items, item, job);
      if constexpr (Plan::has(WeightFormat::Bf16))
        if (job.format == WeightFormat::Bf16)
          this->item<WeightFormat::Bf16>(items, item, job);
    }
  }

private:
  DSV4_DEVICE static u32 group() { return threadIdX() / 128; }
  DSV4_DEVICE static int warp() { return int(warpId() % 4); }

  template <WeightFormat F, class Items>
  DSV4_DEVICE void item(const Items &items, const MatrixItem &item,
                        const MatrixJob &job) {
    float result[R];
    for (u32 part = item.splitBegin; part < item.splitEnd; ++part) {
      float total[R] = {};
      bool last = part + 1 == item.splitEnd;
      sumPart<F>(total, item, job, part, part == item.splitBegin, last);
      DSV4_UNROLL
      for (int i = 0; i < R; ++i)
        result[i] = C::partials || part == 0
                        ? total[i]
                        : fmaF32(total[i], 1.0f, result[i]);
    }
    if (group() < item.strips)
      store(items, item, job, result);
  }

  /// One part of K. `first` and `last`: of the item, whose stages go on over
  /// its parts.
  template <WeightFormat F>
  DSV4_DEVICE void sumPart(float (&total)[R], const MatrixItem &item,
                           const MatrixJob &job, u32 part, bool first,
                           bool last) {
    constexpr u32 most = Plan::weightBlocks(F);
    u32 begin = splitAt(job.blocks, job.split, part);
    u32 end = splitAt(job.blocks, job.split, part + 1);
    if (first)
      inWeights = inX = 0;
    u32 scales = 0;
    for (u32 block = begin; block < end; ++block) {
      if ((block - begin) % 32 == 0)
        scales = scaleBytes<F>(item, job, block, end);
      u32 scale =
          F == WeightFormat::Bf16 ? 0 : shflBits(scales, (block - begin) % 32);
      if (inWeights == 0)
        mbarWait(S::weightsFull() + weights.stage, weights.phase);
      if (inX == 0)
        mbarWait(S::xFull() + x.stage, x.phase);
      if (group() < item.strips)
        addBlock<F>(total, item, job, scale,
                    S::weights(weights.stage) +
                        (group() * most + inWeights) * tileBytes(F));
      advance(most, last && block + 1 == end);
    }
  }

  /// Lets go of stages that are used up, or that end with the item.
  DSV4_DEVICE void advance(u32 most, bool ends) {
    bool weightsUsed = ++inWeights == most || ends;
    bool xUsed = ++inX == Plan::xBlocks || ends;
    syncWarp(); // all lanes have read
    if (weightsUsed) {
      if (laneId() == 0)
        mbarArrive(S::weightsEmpty() + weights.stage);
      weights.next();
      inWeights = 0;
    }
    if (xUsed) {
      if (laneId() == 0)
        mbarArrive(S::xEmpty() + x.stage);
      x.next();
      inX = 0;
    }
  }

  /// Header bytes of 32 blocks, one in each lane: bases, or scales.
  template <WeightFormat F>
  DSV4_DEVICE u32 scaleBytes(const MatrixItem &item, const MatrixJob &job,
                             u32 block, u32 end) {
    u32 strip = item.strip + group(), at = block + laneId();
    if (F == WeightFormat::Bf16 || group() >= item.strips || at >= end)
      return 0;
    u32 line = F == WeightFormat::Fp8 ? strip / 2 : strip;
    return item.w[i64(line) * job.blocks + at];
  }

  template <WeightFormat F>
  DSV4_DEVICE void addBlock(float (&total)[R], const MatrixItem &item,
                            const MatrixJob &job, u32 scale,
                            Shared<const u8> tile) {
    float sum[R];
    if constexpr (F == WeightFormat::Bf16) {
      multiplyBf16(sum, tile, warp(), S::x(x.stage) + inX * C::columns * 256);
      DSV4_UNROLL
      for (int i = 0; i < R; ++i)
        total[i] = fmaF32(sum[i], 1.0f, total[i]);
    } else {
      Shared<const u8> panel = S::x(x.stage) + inX * C::columns * 128;
      OperandsE4M3<C::mma> operands;
      if constexpr (F == WeightFormat::Fp8) {
        loadFp8<C::mma>(operands, tile, warp());
        multiplyE4M3<C::mma>(sum, operands, panel);
        promote(total, sum, e8m0Factor(scale), e8m0Factor(scale));
      } else {
        Fp4Codes codes = loadFp4Codes(tile, warp());
        if (C::escapes && scale == u32(Fp4Escape)) {
          escaped(total, item, job, codes, tile, panel);
          return;
        }
        u32 offsets = tile[tileOffset(warp(), int(laneId()))];
        decodeFp4<C::mma>(operands, codes, fp4TablesFor<C::mma>(offsets));
        multiplyE4M3<C::mma>(sum, operands, panel);
        promote(total, sum, fp4Factor(scale), fp4Factor(scale));
      }
    }
  }

  /// total += sum x scale of the column x scale of the row. Two products and
  /// not one by the product of the scales, which could leave float.
  DSV4_DEVICE void promote(float (&total)[R], const float (&sum)[R],
                           float upper, float lower) {
    auto scales = S::scales(x.stage).template as<const float>();
    u32 column = inX * C::columns + laneId() % 4 * 2;
    DSV4_UNROLL
    for (int j = 0; j < R / 4; ++j)
      DSV4_UNROLL
    for (int i = 0; i < 2; ++i) {
      float s = scales[(column + 8 * j + i) * 4];
      total[4 * j + i] = fmaF32(sum[4 * j + i] * s, upper, total[4 * j + i]);
      total[4 * j + 2 + i] =
          fmaF32(sum[4 * j + 2 + i] * s, lower, total[4 * j + 2 + i]);
    }
  }

  /// A tile whose scales no base and offsets say: a pass per block of scales.
  DSV4_DEVICE void escaped(float (&total)[R], const MatrixItem &item,
                           const MatrixJob &job, const Fp4Codes &codes,
                           Shared<const u8> tile, Shared<const u8> panel) {
    u32 index = tile.as<const u32>()[Fp4CodeBytes / 4];
    auto scales = (item.w + job.escapesBegin).template as<const u32>();
    i64 row = i64(index) * TileRows + warp() * WarpRows + laneId() / 4;
    u32 upper = scales[row], lower = scales[row + 8];
    DSV4_NO_UNROLL // rare: its code need not be fast, but small
        for (u32 pass = 0; pass < 4; ++pass) {
      OperandsE4M3<C::mma> operands;
      float sum[R];
      syncWarp(); // or the panel would be loaded once for four passes, and
                  // spill
      decodeFp4<C::mma>(operands, codes,
                        fp4EscapeTablesFor<C::mma>(laneId() % 4 == pass));
      multiplyE4M3<C::mma>(sum, operands, panel);
      promote(total, sum, e8m0Factor(upper >> 8 * pass & 255u),
              e8m0Factor(lower >> 8 * pass & 255u));
    }
  }

  template <class Items>
  DSV4_DEVICE void store(const Items &items, const MatrixItem &item,
                         const MatrixJob &job, const float (&result)[R]) {
    u32 row =
        (item.strip + group()) * TileRows + warp() * WarpRows + laneId() / 4;
    DSV4_UNROLL
    for (int i = 0; i < R; ++i) {
      u32 column = i / 4 * 8 + laneId() % 4 * 2 + i % 2;
      u32 n = row + i % 4 / 2 * 8;
      if (column >= item.columns || n >= job.rows)
        continue;
      i64 at = i64(items.target(item, column)) * job.rows + n;
      if (C::partials && job.split > 1)
        job.partials[i64(item.splitBegin) * items.targets() * job.rows + at] =
            result[i];
      else if (job.floatOut)
        job.y.template as<float>()[at] = result[i];
      else
        job.y.template as<u16>()[at] = u16(bf16Of(result[i]));
    }
  }

  RingPlace<C::weightStages> weights;
  RingPlace<C::xStages> x;
  u32 inWeights = 0, inX = 0; // blocks into the stages
};

/// The body of a matrix phase: roles by warp.
template <class C, class Items, class Params>
DSV4_DEVICE void matrixPhase(const Params &p) {
  using Plan = MatrixPlan<C>;
  MatrixShared<C>::init();
  gridDepLaunch();
  u32 thread = threadIdX();
  if (thread >= Plan::consumers + Plan::loaders) {
    if (Items::weightsWait)
      gridDepWait();
    WeightProducer<C>().run(Items(p));
    return;
  }
  gridDepWait();
  if (thread >= Plan::consumers)
    XLoader<C>().run(Items(p));
  else
    MatrixConsumer<C>().run(Items(p));
}

/// kern.linear. Threads and shared memory: MatrixPlan<C>.
template <class C> DSV4_DEVICE void linear(const LinearParams &p) {
  matrixPhase<C, LinearItems<C>>(p);
}

/// kern.expert_linear, w and w_other in one phase.
template <class C> DSV4_DEVICE void expertLinear(const ExpertLinearParams &p) {
  matrixPhase<C, ExpertItems<C>>(p);
}

/// Sums the parts that a phase with C::partials has left, ascending, into y.
/// Jobs with one part have no partials and are passed over. Threads take single
/// elements; `rowsPer` is experts per token after expertLinear, 1 after linear.
template <class Params>
DSV4_DEVICE void reducePartials(const Params &p, u32 rowsPer) {
  gridDepLaunch();
  gridDepWait();
  i64 targets = i64(p.rows[0]) * rowsPer;
  for (u32 number = 0; number < p.numJobs; ++number) {
    const MatrixJob &job = p.jobs[number];
    if (job.split < 2)
      continue;
    i64 count = targets * job.rows;
    for (i64 i = i64(blockIdX()) * blockDimX() + threadIdX(); i < count;
         i += i64(gridDimX()) * blockDimX()) {
      float sum = job.partials[i];
      for (u32 part = 1; part < job.split; ++part)
        sum = fmaF32(job.partials[part * count + i], 1.0f, sum);
      if (job.floatOut)
        job.y.template as<float>()[i] = sum;
      else
        job.y.template as<u16>()[i] = u16(bf16Of(sum));
    }
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_LINEAR_CUH
