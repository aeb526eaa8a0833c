// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scores of sparse attention (kern.attend, R4) by tensor cores: a block takes
// one token, HeadTile heads and one split of the rows; q . k of its rows, and
// the largest of each head. What follows (attend.cuh) refers to the largest of
// all splits, as R4 does: probabilities that were rounded to BF16 against
// another maximum would differ in most of their bits.
//
// Queries and rows are the BF16 values of R4, so products are exact and only
// the order of sums differs. It is fixed: no step, schedule, HeadTile or number
// of blocks moves a bit.
//
// C: Heads, Width, RopeDims, WindowSize, RingRows, RowBytes, Entries, Ratio,
// NumIds, MaxSplits (up to 32), Scale; HeadTile (16, 32 or 64).

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_SCORES_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_SCORES_CUH

#include "targets/cuda/device/phases/attend_rows.cuh"

namespace dsv4::cuda {

template <class C> struct AttendScoresPlan {
  static constexpr int Tile = AttendRows<C>::Tile;
  /// Four warps for 16 heads, one per 8 rows of a tile.
  static constexpr int Warps = C::HeadTile / 4, Threads = 32 * Warps;
  static constexpr int HeadGroups = (C::Heads + C::HeadTile - 1) / C::HeadTile;
  /// 16 bytes of padding put the rows that ldmatrix reads into different banks.
  static constexpr int RowPitch = C::Width * 2 + 16;
  static constexpr int ScorePitch = Tile + 4; // floats
  static constexpr int Query = 0;
  static constexpr int Rows = Query + C::HeadTile * RowPitch;
  static constexpr int Scores = Rows + Tile * RowPitch;
  static constexpr int Largest = Scores + C::HeadTile * ScorePitch * 4;
  static constexpr int Bytes = Largest + C::HeadTile * 4;
};

template <class C> class AttendScores {
  using Plan = AttendScoresPlan<C>;
  static constexpr int Tile = Plan::Tile;
  static_assert(C::HeadTile % 16 == 0 && C::Width % 64 == 0, "whole products");

public:
  /// Reads the step alone, address after address, and need not wait.
  DSV4_DEVICE explicit AttendScores(const AttendParams &p)
      : p(p), shared(dynamicShared()),
        items(tokensOfTurn(p) * Plan::HeadGroups * C::MaxSplits) {
    if (blockIdX() < items)
      take(blockIdX());
  }

  DSV4_DEVICE void run() {
    for (i64 item = blockIdX(); item < items; item += gridDimX()) {
      if (item != blockIdX())
        take(item);
      if (split < rows.splits())
        oneSplit();
    }
  }

private:
  DSV4_DEVICE void take(i64 item) {
    split = int(item % C::MaxSplits);
    firstHead = int(item / C::MaxSplits % Plan::HeadGroups) * C::HeadTile;
    token = item / (C::MaxSplits * Plan::HeadGroups);
    rows = AttendRows<C>::of(p, p.firstToken + token);
  }
  DSV4_DEVICE void oneSplit() {
    loadQuery();
    for (int h = int(threadIdX()); h < C::HeadTile; h += Plan::Threads)
      largest(h) = -__builtin_inff();
    int begin = split * rows.rowsPerSplit(), end = begin + rows.rowsPerSplit();
    end = end < rows.count ? end : rows.count;
    for (int first = begin; first < end; first += Tile) {
      loadRows(first, end);
      syncThreads();
      scoreTile();
      syncThreads();
      storeTile(first, end - first);
    }
    syncThreads();
    i64 place = (token * C::MaxSplits + split) * C::Heads + firstHead;
    for (int h = int(threadIdX()); h < C::HeadTile; h += Plan::Threads)
      if (firstHead + h < C::Heads)
        p.largest[place + h] = largest(h);
    syncThreads(); // all is free again
  }

  // ---- Shared memory

  DSV4_DEVICE Element<float> floatAt(int byte, int i) const {
    return shared.as<float>()[byte / 4 + i];
  }
  DSV4_DEVICE Element<float> largest(int h) const {
    return floatAt(Plan::Largest, h);
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
      auto to = shared + (Plan::Rows + r * Plan::RowPitch + kvWordAt<C>(w));
      if (first + r < end)
        unpackKvWord<C>(rows.row(first + r), w, to);
      else if (w < Codes / 8)
        to.template as<u32>().template setVec<4>(0, U32x4{{0, 0, 0, 0}});
      else
        to.template as<u32>().template setVec<2>(0, Vec<u32, 2>{{0, 0}});
    }
  }

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

  /// Scores of a tile with `count` rows, -inf for those that it lacks: a warp
  /// takes a head at a time, a lane a row.
  DSV4_DEVICE void storeTile(int first, int count) const {
    for (int h = int(warpId()); h < C::HeadTile; h += Plan::Warps) {
      float s = floatAt(Plan::Scores, h * Plan::ScorePitch + int(laneId()));
      s = int(laneId()) < count ? s : -__builtin_inff();
      if (firstHead + h < C::Heads)
        p.scores[(token * C::Heads + firstHead + h) * p.scoreRows + first +
                 laneId()] = s;
      float before = largest(h), most = warpMax(s);
      syncWarp(); // all lanes have read what lane 0 now writes
      if (laneId() == 0)
        largest(h) = before > most ? before : most;
    }
  }

  const AttendParams &p;
  Shared<u8> shared;
  i64 items;
  int split = 0, firstHead = 0;
  i64 token = 0; // from firstToken on
  AttendRows<C> rows;
};

/// Items: numTokens x head groups x MaxSplits; splits beyond a token's rows end
/// at once.
template <class C> DSV4_DEVICE void attendScores(const AttendParams &p) {
  AttendScores<C> body(p);
  gridDepWait();
  gridDepLaunch();
  body.run();
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_SCORES_CUH
