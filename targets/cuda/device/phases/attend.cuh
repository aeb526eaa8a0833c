// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse attention (kern.attend, R4) from the scores that attend_scores.cuh has
// left: BF16 probabilities, sums of values, the sink, division, BF16, inverse
// RoPE. A block takes one token, 16 heads and 64 dims, and walks over all rows;
// its warps take tiles of rows in turns, and their sums are added in the order
// of the warps.
//
// Probabilities refer to the largest score of all rows and values are the BF16
// values of R4, so products are exact; what differs is the order of sums. No
// step, schedule or number of blocks moves a bit. docs/cuda-phases.md derives
// the bound.
//
// C: as of attend_scores.cuh; HeadTile moves no bit here.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_CUH

#include "runtime/numerics/math.h"
#include "targets/cuda/device/phases/attend_rows.cuh"

namespace dsv4::cuda {

template <class C> struct AttendPlan {
  static constexpr int Tile = AttendRows<C>::Tile;
  static constexpr int Warps = 8, Threads = 32 * Warps;
  static constexpr int Heads = 16, Dims = 64; // of a block
  static constexpr int HeadGroups = (C::Heads + Heads - 1) / Heads;
  static constexpr int Slices = C::Width / Dims;
  static constexpr int RowPitch = Dims * 2 + 16; // other banks for other rows
  static constexpr int StageBytes = Tile * RowPitch;
  /// A stage of rows for each warp, then what they add up to.
  static constexpr int Sums = 0;
  static constexpr int Denominators = Warps * StageBytes;
  static constexpr int Largest = Denominators + Warps * Heads * 4;
  static constexpr int Bytes = Largest + Heads * 4;
  static_assert(Heads * Dims * 4 <= StageBytes, "sums take the stages' place");
};

template <class C> class Attend {
  using Plan = AttendPlan<C>;
  static constexpr int Tile = Plan::Tile, Codes = C::Width - C::RopeDims;
  static_assert(Codes % Plan::Dims == 0 && C::RopeDims % Plan::Dims == 0,
                "a slice is a block of codes, or rotary values");
  static_assert(C::MaxSplits <= 32, "a lane per split");

public:
  /// Reads the step alone, address after address, and need not wait.
  DSV4_DEVICE explicit Attend(const AttendParams &p)
      : p(p), shared(dynamicShared()),
        items(tokensOfTurn(p) * Plan::HeadGroups * Plan::Slices) {
    if (blockIdX() < items)
      take(blockIdX());
  }

  DSV4_DEVICE void run() {
    for (i64 item = blockIdX(); item < items; item += gridDimX()) {
      if (item != blockIdX())
        take(item);
      findLargest();
      syncThreads();
      addRows();
      syncThreads();
      finish();
      syncThreads(); // all is free again
    }
  }

private:
  DSV4_DEVICE void take(i64 item) {
    slice = int(item % Plan::Slices);
    firstHead = int(item / Plan::Slices % Plan::HeadGroups) * Plan::Heads;
    token = item / (Plan::Slices * Plan::HeadGroups);
    rows = AttendRows<C>::of(p, p.firstToken + token);
  }
  /// Heads beyond the last one stand for it; nobody reads what they get.
  DSV4_DEVICE int headOf(int h) const {
    return firstHead + h < C::Heads ? firstHead + h : C::Heads - 1;
  }
  DSV4_DEVICE Element<float> floatAt(int byte, int i) const {
    return shared.as<float>()[byte / 4 + i];
  }

  /// R4's maximum of each head: a warp takes a head, a lane a split.
  DSV4_DEVICE void findLargest() const {
    int splits = rows.splits();
    for (int h = int(warpId()); h < Plan::Heads; h += Plan::Warps) {
      float most = -__builtin_inff();
      if (int(laneId()) < splits)
        most =
            p.largest[(token * C::MaxSplits + laneId()) * C::Heads + headOf(h)];
      most = warpMax(most);
      if (laneId() == 0)
        floatAt(Plan::Largest, h) = most;
    }
  }

  // ---- Sums

  struct Part {
    float sums[Plan::Dims / 8][4] = {}; // of heads g and g + 8
    float denominators[2] = {0, 0};
  };

  DSV4_DEVICE void addRows() const {
    Part part;
    u32 g = laneId() / 4;
    float most[2] = {floatAt(Plan::Largest, int(g)),
                     floatAt(Plan::Largest, int(g) + 8)};
    for (int first = int(warpId()) * Tile; first < rows.count;
         first += Plan::Warps * Tile) {
      loadRows(first);
      syncWarp();
      DSV4_UNROLL
      for (int k = 0; k < Tile; k += 16)
        addValues(part, most, first, k);
      syncWarp(); // the stage is free again
    }
    syncThreads(); // all stages are
    storePart(part);
  }

  DSV4_DEVICE Shared<u8> stage() const {
    return shared + int(warpId()) * Plan::StageBytes;
  }

  /// The slice of the rows [first, first + Tile) as BF16; zeros for those that
  /// there are not.
  DSV4_DEVICE void loadRows(int first) const {
    int dim = slice * Plan::Dims;
    bool isCode = dim < Codes;
    int words = isCode ? Plan::Dims / 8 : Plan::Dims / 4;
    int begin = isCode ? dim / 8 : Codes / 8 + (dim - Codes) / 4;
    for (int i = int(laneId()); i < Tile * words; i += 32) {
      int r = i / words, w = begin + i % words;
      auto to = stage() + (r * Plan::RowPitch + kvWordAt<C>(w) - 2 * dim);
      if (first + r < rows.count)
        unpackKvWord<C>(rows.row(first + r), w, to);
      else if (isCode)
        to.template as<u32>().template setVec<4>(0, U32x4{{0, 0, 0, 0}});
      else
        to.template as<u32>().template setVec<2>(0, Vec<u32, 2>{{0, 0}});
    }
  }

  /// 16 rows from row `k` of the stage on.
  DSV4_DEVICE void addValues(Part &part, const float (&most)[2], int first,
                             int k) const {
    u32 lane = laneId(), a[4];
    DSV4_UNROLL
    for (int i = 0; i < 4; ++i) {
      int head = headOf(int(lane / 4) + 8 * (i % 2));
      i64 row = first + k + 8 * (i / 2) + int(lane % 4) * 2;
      Vec<float, 2> s = p.scores.template vec<2>(
          (token * C::Heads + head) * p.scoreRows + row);
      float even = num::exp(s[0] - most[i % 2]);
      float odd = num::exp(s[1] - most[i % 2]);
      part.denominators[i % 2] += even + odd;
      a[i] = num::floatToBf16(even) | u32(num::floatToBf16(odd)) << 16;
    }
    auto values =
        stage() + (k + int(lane % 16)) * Plan::RowPitch + int(lane / 16) * 16;
    DSV4_UNROLL
    for (int n = 0; n < Plan::Dims / 8; n += 2) {
      u32 b[4];
      ldMatrixX4Trans(b, values + 16 * n);
      u32 one[2] = {b[0], b[1]}, other[2] = {b[2], b[3]};
      mmaBF16(part.sums[n], a, one);
      mmaBF16(part.sums[n + 1], a, other);
    }
  }

  DSV4_DEVICE void storePart(Part &part) const {
    u32 g = laneId() / 4, c = laneId() % 4;
    DSV4_UNROLL
    for (int half = 0; half < 2; ++half) {
      int h = int(warpId()) * Plan::Heads + int(g) + 8 * half;
      DSV4_UNROLL
      for (int n = 0; n < Plan::Dims / 8; ++n)
        shared.as<float>().template setVec<2>(
            Plan::Sums / 4 + h * Plan::Dims + 8 * n + 2 * int(c),
            Vec<float, 2>{
                {part.sums[n][2 * half], part.sums[n][2 * half + 1]}});
      float sum = part.denominators[half];
      sum += shflXor(sum, 1);
      sum += shflXor(sum, 2);
      if (c == 0)
        floatAt(Plan::Denominators, h) = sum;
    }
  }

  // ---- Results

  /// A thread takes two neighbouring dims of a head.
  DSV4_DEVICE void finish() const {
    constexpr int Pairs = Plan::Dims / 2;
    for (int i = int(threadIdX()); i < Plan::Heads * Pairs;
         i += Plan::Threads) {
      int h = i / Pairs, dim = i % Pairs * 2;
      if (firstHead + h >= C::Heads)
        continue;
      float a = 0, b = 0, total = 0;
      for (int warp = 0; warp < Plan::Warps; ++warp) {
        int at = warp * Plan::Heads + h;
        a += floatAt(Plan::Sums, at * Plan::Dims + dim);
        b += floatAt(Plan::Sums, at * Plan::Dims + dim + 1);
        total += floatAt(Plan::Denominators, at);
      }
      total += num::exp(p.sink[firstHead + h] - floatAt(Plan::Largest, h));
      store(firstHead + h, slice * Plan::Dims + dim, num::roundBf16(a / total),
            num::roundBf16(b / total));
    }
  }

  DSV4_DEVICE void store(int head, int dim, float a, float b) const {
    i64 row = p.firstToken + token;
    int turned = dim - Codes;
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

  const AttendParams &p;
  Shared<u8> shared;
  i64 items;
  int slice = 0, firstHead = 0;
  i64 token = 0; // from firstToken on
  AttendRows<C> rows;
};

/// Items: numTokens x groups of 16 heads x slices of 64 dims.
template <class C> DSV4_DEVICE void attend(const AttendParams &p) {
  Attend<C> body(p);
  gridDepWait();
  gridDepLaunch();
  body.run();
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_CUH
