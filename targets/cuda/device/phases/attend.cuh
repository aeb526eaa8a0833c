// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse attention (kern.attend, R4) by tensor cores, in two phases:
//   attendSplit    a block takes one token, HeadTile heads and one split of the
//                  rows: scores, running maximum, BF16 probabilities, sums;
//   attendCombine  a warp takes one head: splits ascending, the sink, division,
//                  BF16, inverse RoPE.
// Queries, rows and probabilities are the BF16 values of R4, so all products
// are exact; only the order of sums differs, and the maximum that probabilities
// refer to (that of the rows so far). docs/cuda-phases.md derives the bound.
// The order is fixed by C and by the token's position: no step, schedule or
// number of blocks moves a bit.
//
// C: Heads, Width, RopeDims, WindowSize, RingRows, RowBytes, Entries, Ratio,
// NumIds, MaxSplits (up to 32), Scale; HeadTile (16, 32 or 64), which moves no
// bit. attendSplit: AttendPlan<C> threads and shared memory; attendCombine: any
// multiple of 32 threads.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_CUH

#include "runtime/numerics/math.h"
#include "targets/cuda/device/phases/attend_rows.cuh"

namespace dsv4::cuda {

template <class C> struct AttendPlan {
  static constexpr int Tile = AttendRows<C>::Tile;
  /// Four warps for 16 heads: one per 8 rows of a tile in q.k, one per slice of
  /// the dims in p.v.
  static constexpr int Warps = C::HeadTile / 4, Threads = 32 * Warps;
  static constexpr int HeadGroups = (C::Heads + C::HeadTile - 1) / C::HeadTile;
  /// 16 bytes of padding put the rows that ldmatrix reads into different banks.
  static constexpr int RowPitch = C::Width * 2 + 16;
  static constexpr int ScorePitch = Tile + 4; // floats
  static constexpr int WeightPitch = Tile * 2 + 16;
  static constexpr int Query = 0;
  static constexpr int Rows = Query + C::HeadTile * RowPitch;
  static constexpr int Weights = Rows + Tile * RowPitch;
  static constexpr int Scores = Weights + C::HeadTile * WeightPitch;
  static constexpr int Largest = Scores + C::HeadTile * ScorePitch * 4;
  static constexpr int Denominator = Largest + C::HeadTile * 4;
  static constexpr int Rescale = Denominator + C::HeadTile * 4;
  static constexpr int Bytes = Rescale + C::HeadTile * 4;
};

template <class C> class AttendSplit {
  using Plan = AttendPlan<C>;
  static constexpr int Tile = Plan::Tile, Warps = Plan::Warps;
  static constexpr int HeadSteps = C::HeadTile / 16; // products of 16 heads
  static constexpr int Slice = C::Width / Warps, DimSteps = Slice / 8;
  static_assert(C::HeadTile % 16 == 0 && C::Width % 64 == 0 && Slice % 16 == 0,
                "whole products");

public:
  DSV4_DEVICE explicit AttendSplit(const AttendParams &p)
      : p(p), shared(dynamicShared()) {}

  DSV4_DEVICE void run() {
    i64 items = tokensOfTurn(p) * Plan::HeadGroups * C::MaxSplits;
    for (i64 item = blockIdX(); item < items; item += gridDimX()) {
      split = int(item % C::MaxSplits);
      firstHead = int(item / C::MaxSplits % Plan::HeadGroups) * C::HeadTile;
      token = item / (C::MaxSplits * Plan::HeadGroups);
      rows = AttendRows<C>::of(p, p.firstToken + token);
      if (split < rows.splits())
        oneSplit();
    }
  }

private:
  DSV4_DEVICE void oneSplit() {
    loadQuery();
    for (int h = int(threadIdX()); h < C::HeadTile; h += Plan::Threads) {
      largest(h) = -__builtin_inff();
      denominator(h) = 0.0f;
    }
    float sums[HeadSteps][DimSteps][4];
    DSV4_UNROLL
    for (int m = 0; m < HeadSteps; ++m) {
      DSV4_UNROLL
      for (int n = 0; n < DimSteps; ++n) {
        DSV4_UNROLL
        for (int i = 0; i < 4; ++i)
          sums[m][n][i] = 0;
      }
    }
    int begin = split * rows.rowsPerSplit(), end = begin + rows.rowsPerSplit();
    end = end < rows.count ? end : rows.count;
    for (int first = begin; first < end; first += Tile) {
      loadRows(first, end);
      syncThreads();
      scoreTile();
      syncThreads();
      weighTile(end - first);
      syncThreads();
      addValues(sums);
      syncThreads(); // rows, weights and factors are free again
    }
    storeSums(sums);
  }

  // ---- Shared memory
  // ---------------------------------------------------------

  DSV4_DEVICE Element<float> floatAt(int byte, int i) const {
    return shared.as<float>()[byte / 4 + i];
  }
  DSV4_DEVICE Element<float> largest(int h) const {
    return floatAt(Plan::Largest, h);
  }
  DSV4_DEVICE Element<float> denominator(int h) const {
    return floatAt(Plan::Denominator, h);
  }
  DSV4_DEVICE Element<float> rescale(int h) const {
    return floatAt(Plan::Rescale, h);
  }

  /// Absent heads are zero.
  DSV4_DEVICE void loadQuery() const {
    constexpr int Vectors = C::Width / 8;
    for (int i = int(threadIdX()); i < C::HeadTile * Vectors;
         i += Plan::Threads) {
      int h = i / Vectors, at = i % Vectors;
      U32x4 q{{0, 0, 0, 0}};
      if (firstHead + h < C::Heads)
        q = p.q.template as<const u32>().template vec<4>(
            headAt(firstHead + h) / 2 + 4 * at);
      (shared + Plan::Query + h * Plan::RowPitch)
          .template as<u32>()
          .template setVec<4>(4 * at, q);
    }
  }

  /// Element at which a head of the token begins.
  DSV4_DEVICE i64 headAt(int head) const {
    return ((p.firstToken + token) * C::Heads + head) * C::Width;
  }

  /// Rows [first, first + Tile) as BF16; those from `end` on are zero.
  DSV4_DEVICE void loadRows(int first, int end) const {
    constexpr int Codes = C::Width - C::RopeDims;
    constexpr int Words = Codes / 8 + C::RopeDims / 4;
    for (int i = int(threadIdX()); i < Tile * Words; i += Plan::Threads) {
      int r = i / Words, w = i % Words;
      auto to = shared + Plan::Rows + r * Plan::RowPitch;
      if (first + r < end)
        unpackKvWord<C>(rows.row(first + r), w, to);
      else if (w < Codes / 8)
        to.template as<u32>().template setVec<4>(4 * w, U32x4{{0, 0, 0, 0}});
      else
        to.template as<u32>().template setVec<2>(
            Codes / 2 + 2 * (w - Codes / 8), Vec<u32, 2>{{0, 0}});
    }
  }

  // ---- Scores
  // ----------------------------------------------------------------

  /// q . k of 16 heads and 8 rows per warp: four sums over the steps of 16 dims
  /// that are equal mod 4, so that no product waits for the one before.
  DSV4_DEVICE void scoreTile() const {
    u32 lane = laneId();
    int m = int(warpId()) / 4, n = int(warpId()) % 4;
    int queryRow = 16 * m + int(lane % 16), keyRow = 8 * n + int(lane % 8);
    auto q = shared + Plan::Query + queryRow * Plan::RowPitch + lane / 16 * 16;
    auto k = shared + Plan::Rows + keyRow * Plan::RowPitch + lane / 8 * 16;
    float d[4][4] = {};
    DSV4_UNROLL
    for (int step = 0; step < C::Width / 16; step += 2) {
      u32 a[2][4], b[4];
      ldMatrixX4(a[0], q + 32 * step);
      ldMatrixX4(a[1], q + 32 * step + 32);
      ldMatrixX4(b, k + 32 * step);
      u32 first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
      mmaBF16(d[step % 4], a[0], first);
      mmaBF16(d[step % 4 + 1], a[1], second);
    }
    int row = 16 * m + int(lane / 4), column = 8 * n + int(lane % 4) * 2;
    DSV4_UNROLL
    for (int half = 0; half < 2; ++half) {
      Vec<float, 2> s;
      DSV4_UNROLL
      for (int i = 0; i < 2; ++i) {
        int e = 2 * half + i;
        s[i] = ((d[0][e] + d[1][e]) + (d[2][e] + d[3][e])) * C::Scale;
      }
      shared.as<float>().template setVec<2>(
          Plan::Scores / 4 + (row + 8 * half) * Plan::ScorePitch + column, s);
    }
  }

  /// Probabilities of a tile with `count` rows, which refer to the largest
  /// score so far: a warp takes four heads, a lane a row.
  DSV4_DEVICE void weighTile(int count) const {
    for (int h = int(warpId()); h < C::HeadTile; h += Warps) {
      float s = floatAt(Plan::Scores, h * Plan::ScorePitch + int(laneId()));
      s = int(laneId()) < count ? s : -__builtin_inff();
      float before = largest(h), most = s;
      DSV4_UNROLL
      for (u32 step = 16; step > 0; step /= 2) {
        float other = shflXor(most, step);
        most = other > most ? other : most;
      }
      most = before > most ? before : most;
      float weight = num::exp(s - most), sum = weight;
      DSV4_UNROLL
      for (u32 step = 16; step > 0; step /= 2)
        sum += shflXor(sum, step);
      (shared + Plan::Weights + h * Plan::WeightPitch)
          .template as<u16>()[laneId()] = num::floatToBf16(weight);
      syncWarp(); // all lanes have read what lane 0 now writes
      if (laneId() == 0) {
        float factor = num::exp(before - most);
        rescale(h) = factor;
        largest(h) = most;
        denominator(h) = num::fma(float(denominator(h)), factor, sum);
      }
    }
  }

  // ---- Values
  // ----------------------------------------------------------------

  /// sums = sums * factor + p . v: a warp has all heads of the tile and a slice
  /// of the dims.
  DSV4_DEVICE void addValues(float (&sums)[HeadSteps][DimSteps][4]) const {
    u32 lane = laneId();
    DSV4_UNROLL
    for (int m = 0; m < HeadSteps; ++m) {
      float up = rescale(16 * m + int(lane / 4));
      float low = rescale(16 * m + int(lane / 4) + 8);
      DSV4_UNROLL
      for (int n = 0; n < DimSteps; ++n) {
        DSV4_UNROLL
        for (int i = 0; i < 4; ++i)
          sums[m][n][i] *= i < 2 ? up : low;
      }
    }
    auto weights =
        shared + Plan::Weights + lane % 16 * Plan::WeightPitch + lane / 16 * 16;
    auto values = shared + Plan::Rows + lane % 16 * Plan::RowPitch +
                  (int(warpId()) * Slice + int(lane / 16) * 8) * 2;
    DSV4_UNROLL
    for (int k = 0; k < Tile; k += 16) {
      u32 a[HeadSteps][4];
      DSV4_UNROLL
      for (int m = 0; m < HeadSteps; ++m)
        ldMatrixX4(a[m], weights + 16 * m * Plan::WeightPitch + 2 * k);
      DSV4_UNROLL
      for (int n = 0; n < DimSteps; n += 2) {
        u32 b[4];
        ldMatrixX4Trans(b, values + k * Plan::RowPitch + 16 * n);
        u32 first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
        DSV4_UNROLL
        for (int m = 0; m < HeadSteps; ++m) {
          mmaBF16(sums[m][n], a[m], first);
          mmaBF16(sums[m][n + 1], a[m], second);
        }
      }
    }
  }

  DSV4_DEVICE void
  storeSums(const float (&sums)[HeadSteps][DimSteps][4]) const {
    u32 lane = laneId();
    i64 place = (token * C::MaxSplits + split) * C::Heads + firstHead;
    DSV4_UNROLL
    for (int m = 0; m < HeadSteps; ++m) {
      DSV4_UNROLL
      for (int half = 0; half < 2; ++half) {
        int h = 16 * m + int(lane / 4) + 8 * half;
        if (firstHead + h >= C::Heads)
          continue;
        auto to = p.sums + (place + h) * C::Width + int(warpId()) * Slice +
                  int(lane % 4) * 2;
        DSV4_UNROLL
        for (int n = 0; n < DimSteps; ++n)
          to.template setVec<2>(
              8 * n,
              Vec<float, 2>{{sums[m][n][2 * half], sums[m][n][2 * half + 1]}});
      }
    }
    for (int h = int(threadIdX()); h < C::HeadTile; h += Plan::Threads)
      if (firstHead + h < C::Heads)
        p.stats.template setVec<2>(2 * (place + h),
                                   Vec<float, 2>{{largest(h), denominator(h)}});
  }

  const AttendParams &p;
  Shared<u8> shared;
  int split = 0, firstHead = 0;
  i64 token = 0; // from firstToken on
  AttendRows<C> rows;
};

/// Items: numTokens x head groups x MaxSplits; splits beyond a token's rows end
/// at once.
template <class C> DSV4_DEVICE void attendSplit(const AttendParams &p) {
  gridDepWait();
  gridDepLaunch();
  AttendSplit<C>(p).run();
}

/// Of one head: how its splits are weighted, one lane per split.
struct SplitWeights {
  float factor; // of the lane's split
  float total;  // with the sink
};

/// R4's denominator and the splits' factors from their largest scores.
DSV4_DEVICE SplitWeights weighSplits(float largest, float denominator,
                                     float sink, int splits) {
  float most = largest;
  DSV4_UNROLL
  for (u32 step = 16; step > 0; step /= 2) {
    float other = shflXor(most, step);
    most = other > most ? other : most;
  }
  SplitWeights w{num::exp(largest - most), 0};
  for (int s = 0; s < splits; ++s)
    w.total =
        num::fma(shfl(denominator, u32(s)), shfl(w.factor, u32(s)), w.total);
  w.total += num::exp(sink - most);
  return w;
}

template <class C>
DSV4_DEVICE void combineHead(const AttendParams &p, i64 token, int head) {
  constexpr int Pairs = C::Width / 64;
  int splits = AttendRows<C>::of(p, p.firstToken + token).splits();
  i64 place = token * C::MaxSplits * C::Heads + head;
  Vec<float, 2> own{{-__builtin_inff(), 0}};
  if (int(laneId()) < splits)
    own = p.stats.template vec<2>(2 * (place + i64(laneId()) * C::Heads));
  SplitWeights w = weighSplits(own[0], own[1], p.sink[head], splits);
  float sums[Pairs][2] = {};
  for (int s = 0; s < splits; ++s) {
    float factor = shfl(w.factor, u32(s));
    auto from = p.sums + (place + i64(s) * C::Heads) * C::Width;
    DSV4_UNROLL
    for (int i = 0; i < Pairs; ++i) {
      Vec<float, 2> x = from.template vec<2>(64 * i + 2 * int(laneId()));
      sums[i][0] = num::fma(x[0], factor, sums[i][0]);
      sums[i][1] = num::fma(x[1], factor, sums[i][1]);
    }
  }
  i64 row = p.firstToken + token;
  DSV4_UNROLL
  for (int i = 0; i < Pairs; ++i) {
    int dim = 64 * i + 2 * int(laneId()),
        turned = dim - (C::Width - C::RopeDims);
    float a = num::roundBf16(sums[i][0] / w.total);
    float b = num::roundBf16(sums[i][1] / w.total);
    if (turned >= 0) { // R13, turned back
      Vec<float, 2> turn = p.tab.template vec<2>(row * C::RopeDims + turned);
      float sine = -turn[1];
      float even = num::fma(a, turn[0], -(b * sine));
      b = num::fma(a, sine, b * turn[0]);
      a = even;
    }
    p.headsOut
        .template as<u32>()[((row * C::Heads + head) * C::Width + dim) / 2] =
        num::floatToBf16(a) | u32(num::floatToBf16(b)) << 16;
  }
}

/// Items: numTokens x heads, a warp each.
template <class C> DSV4_DEVICE void attendCombine(const AttendParams &p) {
  static_assert(C::MaxSplits <= 32, "a lane per split");
  gridDepWait();
  gridDepLaunch();
  i64 warps = blockDimX() / 32, items = tokensOfTurn(p) * C::Heads;
  for (i64 item = blockIdX() * warps + warpId(); item < items;
       item += gridDimX() * warps)
    combineHead<C>(p, item / C::Heads, int(item % C::Heads));
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_CUH
