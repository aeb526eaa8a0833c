// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The warpgroups that multiply. Their loop over k is two deep: a stage of
// activations, and in it stages of weights, whose blocks are unrolled. What
// does not change from block to block (barriers, addresses, header bytes) is
// thus outside of what decoding and promotion of a block cost; LinearGateTest
// counts. The order of the sums is linear.cuh's.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_CONSUMER_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_CONSUMER_CUH

#include "targets/cuda/device/phases/matrix_ring.cuh"

namespace dsv4::cuda {

/// As runtime/numerics rounds: to nearest even by integers, and its NaN.
DSV4_DEVICE u32 bf16Of(float x) {
  u32 bits = __builtin_bit_cast(u32, x);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return 0xffc0u;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

/// What consumers do when an item is stored: nothing, or the work of launches
/// behind (fused/product_tails.cuh).
struct NoTail {
  template <class Items>
  DSV4_DEVICE void stored(const Items &, const MatrixItem &,
                          const MatrixJob &) const {}
};

/// A warpgroup's part of the block: multiplies strip `group` of every item.
template <class C, class Tail = NoTail> class MatrixConsumer {
  using Plan = MatrixPlan<C>;
  using S = MatrixShared<C>;
  static constexpr int R = C::columns / 2;

public:
  DSV4_DEVICE explicit MatrixConsumer(const Tail &tail) : tail(tail) {}

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
      if constexpr (Plan::has(WeightFormat::Fp8Wide))
        if (job.format == WeightFormat::Fp8Wide)
          this->item<WeightFormat::Fp8Wide>(items, item, job);
    }
  }

private:
  DSV4_DEVICE static u32 group() {
    return C::groups == 1 ? 0 : threadIdX() / 128;
  }
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
    tail.stored(items, item, job);
  }

  /// Where a lane reads next: its codes and offsets of its group's tile, the
  /// panel of a block of activations, and the scale of its first column.
  template <WeightFormat F> struct Place {
    static constexpr MmaKind kind = readsBf16(F) ? MmaKind::F16 : C::mma;
    Shared<const u8> codes, offsets;
    Panel<kind> panel;
    Shared<const float> scales;
  };

  /// What the sums of up to 32 blocks are times, one in each lane.
  struct Factors {
    u32 bits, begin, end;
    DSV4_DEVICE u32 of(u32 block) const {
      return shflBits(bits, block - begin);
    }
  };

  /// Blocks of a weight stage that are unrolled: up to four for decode, where
  /// decoding is nearly all there is; one for prefill, where columns are, and
  /// registers are few.
  DSV4_LAYOUT static u32 unrolled(WeightFormat format) {
    u32 blocks = Plan::weightBlocks(format);
    u32 most = C::columns == 8 ? 4 : 1;
    return blocks < most ? blocks : most;
  }
  /// Stages are entered at their first block alone: items of one part begin
  /// both kinds with the part.
  static constexpr bool wholeX = C::partials || Plan::xBlocks == 1;
  DSV4_LAYOUT static bool wholeWeights(WeightFormat format) {
    u32 blocks = Plan::weightBlocks(format);
    return blocks == 1 || (C::partials && unrolled(format) == blocks &&
                           Plan::xBlocks % blocks == 0);
  }
  DSV4_LAYOUT static u32 panelBytes(WeightFormat format) {
    return C::columns * Plan::xWidth(format);
  }

  /// One part of K. `first` and `last`: of the item, whose stages go on over
  /// its parts.
  template <WeightFormat F>
  DSV4_DEVICE void sumPart(float (&total)[R], const MatrixItem &item,
                           const MatrixJob &job, u32 part, bool first,
                           bool last) {
    u32 block = splitAt(job.blocks, job.split, part);
    u32 end = splitAt(job.blocks, job.split, part + 1);
    if (first)
      inWeights = inX = 0;
    Factors factors = {0, block, block};
    while (block < end) {
      if (wholeX || inX == 0)
        mbarWait(S::xFull() + x.stage, x.phase);
      u32 stop = block + Plan::xBlocks - (wholeX ? 0 : inX);
      stop = Plan::xBlocks == 1 || stop < end ? stop : end;
      if (stop > factors.end)
        factors = {factorBits<F>(item, job, block, end), block, block + 32};
      sumStage<F>(total, item, job, factors, block, stop, last && stop == end);
      block = stop;
      leaveX(last && block == end);
    }
  }

  /// The blocks up to `stop`, all in one stage of activations.
  template <WeightFormat F>
  DSV4_DEVICE void sumStage(float (&total)[R], const MatrixItem &item,
                            const MatrixJob &job, Factors factors, u32 block,
                            u32 stop, bool ends) {
    constexpr u32 most = Plan::weightBlocks(F), step = unrolled(F);
    constexpr bool whole = wholeWeights(F);
    Place<F> at = placeInX<F>();
    do {
      if (whole || inWeights == 0)
        mbarWait(S::weightsFull() + weights.stage, weights.phase);
      setTile<F>(at);
      u32 count = most - (whole ? 0 : inWeights);
      count = whole || stop - block < count ? stop - block : count;
      DSV4_UNROLL
      for (u32 i = 0; i < step; ++i)
        if (i == 0 || i < count)
          addBlock<F>(total, item, job, factors.of(block + i), at, i);
      // Past `stop` it does not matter where.
      count = whole || step < count ? step : count;
      block += count;
      at.panel = at.panel.moved(count * panelBytes(F));
      at.scales = at.scales + count * C::columns * 4;
      if constexpr (!wholeX) { // a new place takes fewer registers
        inX += count;
        at = placeInX<F>();
      }
      if constexpr (!whole)
        inWeights += count;
      if (whole || inWeights == most || (ends && block == stop))
        leaveWeights();
    } while (Plan::xBlocks > 1 && block < stop);
  }

  template <WeightFormat F> DSV4_DEVICE Place<F> placeInX() {
    u32 in = wholeX ? 0 : inX;
    auto scales = S::scales(x.stage).template as<const float>();
    return {{},
            {},
            Panel<Place<F>::kind>(S::x(x.stage) + in * panelBytes(F)),
            scales + (in * C::columns + laneId() % 4 * 2) * 4};
  }
  template <WeightFormat F> DSV4_DEVICE void setTile(Place<F> &at) {
    constexpr u32 most = Plan::weightBlocks(F), bytes = tileBytes(F);
    u32 skip = wholeWeights(F) ? 0 : inWeights;
    auto tile = S::weights(weights.stage) + (group() * most + skip) * bytes;
    at.codes =
        laneOf(tile, F == WeightFormat::Fp4 ? Fp4CodeBytes : bytes, warp());
    at.offsets = tile + tileOffset(warp(), int(laneId()));
  }

  /// Lets go of a stage that is used up, or that ends with the item.
  DSV4_DEVICE void leaveWeights() {
    syncWarp(); // all lanes have read
    if (laneId() == 0)
      mbarArrive(S::weightsEmpty() + weights.stage);
    weights.next();
    inWeights = 0;
  }
  DSV4_DEVICE void leaveX(bool ends) {
    if (!wholeX && inX != Plan::xBlocks && !ends)
      return;
    syncWarp();
    if (laneId() == 0)
      mbarArrive(S::xEmpty() + x.stage);
    x.next();
    inX = 0;
  }

  /// From the header's bases or scales; the bytes themselves where they may say
  /// that a tile escapes.
  template <WeightFormat F>
  DSV4_DEVICE u32 factorBits(const MatrixItem &item, const MatrixJob &job,
                             u32 block, u32 end) {
    u32 strip = item.strip + group(), at = block + laneId();
    if (F == WeightFormat::Bf16 || group() >= item.strips || at >= end)
      return 0;
    u32 line = F == WeightFormat::Fp4 ? strip : strip / 2;
    u32 byte = item.w[i64(line) * job.blocks + at];
    if (F == WeightFormat::Fp4 && C::escapes)
      return byte;
    return __builtin_bit_cast(u32, F == WeightFormat::Fp4 ? fp4Factor(byte)
                                                          : e8m0Factor(byte));
  }

  /// Block `i` behind `at`.
  template <WeightFormat F>
  DSV4_DEVICE void addBlock(float (&total)[R], const MatrixItem &item,
                            const MatrixJob &job, u32 factor,
                            const Place<F> &at, u32 i) {
    if (C::groups > 1 && group() >= item.strips)
      return;
    Place<F> here = {at.codes + i * tileBytes(F), at.offsets + i * tileBytes(F),
                     at.panel.moved(i * panelBytes(F)),
                     at.scales + i * C::columns * 4};
    if constexpr (readsBf16(F))
      addBf16<F>(total, factor, here);
    else if constexpr (F == WeightFormat::Fp8)
      addFp8(total, factor, here);
    else
      addFp4(total, item, job, factor, here);
  }

  template <WeightFormat F>
  DSV4_DEVICE void addBf16(float (&total)[R], u32 factorBits,
                           const Place<F> &at) {
    float sum[R], factor = F == WeightFormat::Bf16
                               ? 1.0f
                               : __builtin_bit_cast(float, factorBits);
    multiplyBf16<F>(sum, at.codes, at.panel.at());
    DSV4_UNROLL
    for (int i = 0; i < R; ++i)
      total[i] = fmaF32(sum[i], factor, total[i]);
  }

  DSV4_DEVICE void addFp8(float (&total)[R], u32 factorBits,
                          const Place<WeightFormat::Fp8> &at) {
    float factor = __builtin_bit_cast(float, factorBits);
    multiplyFp8<C::mma, Plan::wideBlocks, R>(
        at.codes, at.panel, Promotion{total, at.scales, factor, factor});
  }

  DSV4_DEVICE void addFp4(float (&total)[R], const MatrixItem &item,
                          const MatrixJob &job, u32 factorBits,
                          const Place<WeightFormat::Fp4> &at) {
    Fp4Codes codes = loadFp4Codes(at.codes);
    if (C::escapes && factorBits == u32(Fp4Escape)) {
      escaped(total, item, job, codes, at);
      return;
    }
    float factor = C::escapes ? fp4Factor(factorBits)
                              : __builtin_bit_cast(float, factorBits);
    multiplyFp4<C::mma, Plan::wideBlocks, R>(
        codes, fp4TablesFor<C::mma>(*at.offsets), at.panel,
        Promotion{total, at.scales, factor, factor});
  }

  /// total += sum x scale of the column x scale of the row. Two products and
  /// not one by the product of the scales, which could leave float.
  struct Promotion {
    float (&total)[R];
    Shared<const float> scales;
    float upper, lower;

    DSV4_DEVICE void operator()(int j, const float (&sums)[4]) const {
      DSV4_UNROLL
      for (int i = 0; i < 2; ++i) {
        float s = scales[(8 * j + i) * 4];
        float &up = total[4 * j + i], &low = total[4 * j + 2 + i];
        up = fmaF32(sums[i] * s, upper, up);
        low = fmaF32(sums[2 + i] * s, lower, low);
      }
    }
  };

  /// A tile whose scales no base and offsets say: a pass per block of scales.
  DSV4_DEVICE void escaped(float (&total)[R], const MatrixItem &item,
                           const MatrixJob &job, const Fp4Codes &codes,
                           const Place<WeightFormat::Fp4> &at) {
    Shared<const u8> offsets =
        at.offsets + (i64(Fp4CodeBytes) - tileOffset(warp(), int(laneId())));
    u32 index = offsets.as<const u32>()[0];
    auto bytes = (item.w + job.escapesBegin).template as<const u32>();
    i64 row = i64(index) * TileRows + warp() * WarpRows + laneId() / 4;
    u32 upper = bytes[row], lower = bytes[row + 8];
    DSV4_NO_UNROLL // rare: its code need not be fast, but small
        for (u32 pass = 0; pass < 4; ++pass) {
      syncWarp(); // or the panel would be loaded once for four passes, and
                  // spill
      multiplyFp4<C::mma, Plan::wideBlocks, R>(
          codes, fp4EscapeTablesFor<C::mma>(laneId() % 4 == pass), at.panel,
          Promotion{total, at.scales, e8m0Factor(upper >> 8 * pass & 255u),
                    e8m0Factor(lower >> 8 * pass & 255u)});
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

  const Tail &tail;
  RingPlace<C::weightStages> weights;
  RingPlace<C::xStages> x;
  u32 inWeights = 0, inX = 0; // blocks into the stages
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_MATRIX_CONSUMER_CUH
