// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scores of index entries (kern.index_score, R8), bit-equal to runtime/numerics
// though they come from tensor cores. Keys are E2M1, queries E2M1 in blocks of
// 32: inside a group both are small numbers times powers of two,
//
//   chain = 2^(E - 3) * sum (q_i * k_i),  q_i integer, |q_i| <= 15, |k_i| <= 6,
//
// k_i a multiple of 0.5. Every partial sum, in whatever order, is a multiple of
// 0.5 up to 2880: 13 bits, which FP16 products with float32 accumulators hold
// exactly (so would the 14 bits of Hopper's FP8, with no bit to spare and not
// on sm_80). R1's chain has the same exact value, and then takes the same fma.
//
// Queries are any BF16 as far as types know. A token with a block that does not
// fit (its largest value is 2^E and another no multiple of 2^(E - 3), or E out
// of range) is scored by R1 as written, one thread per entry.
//
// An item is one token and 256 entries; a warp takes 16 entries at a time with
// all heads. The sum over heads goes by lanes: of the four lanes that share an
// entry, each owns a quarter of the heads, ascending, and hands its sum on.
// Never run on hardware.
//
// C: Heads, Width (64 or 128), Ratio, Factor; shared memory:
// IndexScorePlan<C>.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_INDEX_SCORE_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_INDEX_SCORE_CUH

#include "runtime/numerics/rows.h"
#include "targets/cuda/device/decode.cuh"
#include "targets/cuda/device/phases/index_tile.cuh"
#include "targets/cuda/device/phases/step_view.cuh"

namespace dsv4::cuda {

struct IndexScoreParams {
  const dsv4_step *step;
  Global<const u16> q, weights;
  Global<const u8> entries;
  Global<u16> scores;
};

/// Entries of an item; the kern op's EntryBlock.
inline constexpr int ScoreBlock = 256;

template <class C> struct IndexScorePlan {
  /// Columns of 8 heads; absent heads have queries of zero and weights of -0,
  /// so that they add -0: no sum notices.
  static constexpr int Columns = (C::Heads + 7) / 8, Padded = 8 * Columns;
  static constexpr int Groups = IndexTile<C::Width>::Groups;
  /// Operand B: [column][group][lane] of four words, both halves of a group.
  static constexpr int Queries = 0;
  /// [group][column][lane % 4] of two floats, 2^(E - 3) of the lane's heads.
  static constexpr int Units = Queries + Columns * Groups * 512;
  static constexpr int Weights = Units + Groups * Padded * 4;
  static constexpr int Misfit = Weights + Padded * 4;
  static constexpr int Bytes = Misfit + 16;

  /// The head of column `n` of product `j`: lane c (columns 2 c, 2 c + 1) gets
  /// the heads 2 Columns c and on, ascending.
  DSV4_DEVICE static constexpr int head(int j, int n) {
    return n / 2 * (2 * Columns) + 2 * j + n % 2;
  }
};

/// Integer up to 15 in FP16, from its float.
DSV4_DEVICE u32 smallIntegerF16(float x) {
  u32 bits = num::bitsOf(x), magnitude = bits & 0x7fffffffu;
  return magnitude == 0
             ? 0
             : (bits >> 16 & 0x8000u) | ((magnitude >> 13) - (112u << 10));
}

template <class C> class IndexScore {
  using Plan = IndexScorePlan<C>;
  using Tile = IndexTile<C::Width>;
  static constexpr int J = Plan::Columns, Groups = Plan::Groups;

public:
  DSV4_DEVICE explicit IndexScore(const IndexScoreParams &p)
      : p(p), step(p.step), shared(dynamicShared()) {}

  DSV4_DEVICE void run() {
    i64 blocks =
        ((step.maxPosition() + 1) / C::Ratio + ScoreBlock - 1) / ScoreBlock;
    i64 ready = -1; // the token whose queries lie in shared memory
    for (i64 item = blockIdX(); item < step.tokens() * blocks;
         item += gridDimX()) {
      token = item / blocks;
      visible = (step.position(token) + 1) / C::Ratio;
      first = int(item % blocks) * ScoreBlock;
      if (first >= visible)
        continue;
      rows = step.stateOf(p.entries, token);
      if (token != ready)
        prepare();
      ready = token;
      if (shared.as<u32>()[Plan::Misfit / 4] != 0)
        scoreInOrder();
      else
        for (int tile = int(warpId()) * IndexTileRows; tile < ScoreBlock;
             tile += int(blockDimX()) / 32 * IndexTileRows)
          if (first + tile < visible)
            scoreTile(first + tile);
    }
  }

private:
  // ---- Queries --------------------------------------------------------------

  DSV4_DEVICE void prepare() {
    syncThreads(); // all are done with the token before
    if (threadIdX() == 0)
      shared.as<u32>()[Plan::Misfit / 4] = 0;
    syncThreads();
    u32 misfit = 0;
    // Whole warps: a block of 32 elements belongs to four neighbouring lanes.
    for (int i = int(threadIdX()); i < Plan::Padded * Groups * 4;
         i += int(blockDimX()))
      misfit |= prepareChunk(i / (4 * Groups), i / 4 % Groups, i % 4);
    if (misfit)
      atomMaxShared(shared.as<u32>() + Plan::Misfit / 4, 1);
    for (int h = int(threadIdX()); h < Plan::Padded; h += int(blockDimX()))
      weight(h) = h < C::Heads ? headWeight(h) : -0.0f;
    syncThreads();
  }

  DSV4_DEVICE float headWeight(int head) const {
    float w = num::bf16ToFloat(p.weights[token * C::Heads + head]);
    return num::roundBf16(w * C::Factor);
  }

  DSV4_DEVICE Element<float> weight(int head) const {
    return shared.as<float>()[Plan::Weights / 4 + head];
  }

  /// Elements 32 group + 8 c .. + 7 of column `at`, where n = at % 8.
  DSV4_DEVICE u32 prepareChunk(int at, int group, int c) {
    int j = at / 8, n = at % 8, head = Plan::head(j, n);
    U32x4 words{{0, 0, 0, 0}};
    if (head < C::Heads)
      words = p.q.template as<const u32>().template vec<4>(
          ((token * C::Heads + head) * C::Width + 32 * group + 8 * c) / 2);
    float x[8], most = 0;
    DSV4_UNROLL
    for (int i = 0; i < 8; ++i) {
      x[i] = num::bf16ToFloat(u16(words[i / 2] >> (i % 2 * 16)));
      float a = num::absolute(x[i]);
      most = a > most ? a : most;
    }
    DSV4_UNROLL
    for (u32 lanes = 1; lanes < 4; lanes *= 2) {
      float other = shflXor(most, lanes);
      most = other > most ? other : most;
    }
    // 2^(E - 3), half of it and its inverse are normal from 5 to 235, and no
    // sum overflows (targets/cpu/kernels/IndexDot.h has the same limits).
    u32 exponent = num::bitsOf(most) >> 23;
    u32 e = exponent < 5 ? 5 : exponent > 235 ? 235 : exponent;
    float inverse = num::floatOfBits((257 - e) << 23);
    float unit = num::floatOfBits((e - 3) << 23);
    bool fits = exponent <= e;
    u32 halves[8];
    DSV4_UNROLL
    for (int i = 0; i < 8; ++i) {
      constexpr float Magic = 0x1.8p23f; // rounds to a multiple of 1
      float whole = (x[i] * inverse + Magic) - Magic;
      fits = fits && whole * unit == x[i];
      halves[i] = smallIntegerF16(whole);
    }
    DSV4_UNROLL
    for (int i = 0; i < 4; ++i)
      words[i] = halves[2 * i] | halves[2 * i + 1] << 16;
    shared.as<u32>().template setVec<4>(
        ((j * Groups + group) * 32 + n * 4 + c) * 4, words);
    if (c == 0)
      shared.as<float>()[Plan::Units / 4 + (group * J + j) * 8 + n] = unit;
    return fits ? 0 : 1;
  }

  // ---- Tiles ----------------------------------------------------------------

  /// A lane's words of one row of the tile, zeros where it is not visible.
  DSV4_DEVICE U32x4 keyWords(Global<const u8> tile, int entry, int half) const {
    U32x4 words{{0, 0, 0, 0}};
    if (entry >= visible)
      return words;
    auto own = tile.as<const u32>().template vec<Groups>(
        (half * 32 + laneId()) * Groups);
    DSV4_UNROLL
    for (int i = 0; i < Groups; ++i)
      words[i] = own[i];
    return words;
  }
  DSV4_DEVICE u32 keyScales(Global<const u8> tile, int entry) const {
    if (entry >= visible)
      return 0;
    Global<const u8> scales = tile + Tile::CodeBytes;
    int row = entry % IndexTileRows;
    if constexpr (Groups == 4)
      return scales.as<const u32>()[row];
    else
      return u32(scales.as<const u16>()[row]);
  }

  DSV4_DEVICE void scoreTile(int entry) const {
    Global<const u8> tile = rows + i64(entry / IndexTileRows) * Tile::Bytes;
    int upper = entry + int(laneId() / 4), lower = upper + 8;
    U32x4 up = keyWords(tile, upper, 0), low = keyWords(tile, lower, 1);
    u32 upScales = keyScales(tile, upper), lowScales = keyScales(tile, lower);
    float totals[J][4];
    DSV4_UNROLL
    for (int j = 0; j < J; ++j) {
      DSV4_UNROLL
      for (int i = 0; i < 4; ++i)
        totals[j][i] = 0;
    }
    Fp4Table one = fp4TableF16(Fp4Bias); // the codes as they are
    DSV4_UNROLL
    for (int group = 0; group < Groups; ++group) {
      FragmentPair keys = fp4FragmentsF16(up, low, {one, one}, group);
      float upScale = e8m0Factor(upScales >> (8 * group) & 255u);
      float lowScale = e8m0Factor(lowScales >> (8 * group) & 255u);
      DSV4_UNROLL
      for (int j = 0; j < J; ++j)
        addGroup(totals[j], keys, j, group, upScale, lowScale);
    }
    sumHeads(totals, upper, lower);
  }

  /// totals = fma(chain, scale, totals) of 16 entries and 8 heads (R1).
  DSV4_DEVICE void addGroup(float (&totals)[4], const FragmentPair &keys, int j,
                            int group, float upScale, float lowScale) const {
    U32x4 q = shared.as<u32>().template vec<4>(
        ((j * Groups + group) * 32 + laneId()) * 4);
    Vec<float, 2> unit = shared.as<float>().template vec<2>(
        Plan::Units / 4 + (group * J + j) * 8 + laneId() % 4 * 2);
    float sums[4] = {0, 0, 0, 0};
    u32 first[2] = {q[0], q[1]}, second[2] = {q[2], q[3]};
    mmaF16(sums, keys.even.v, first);
    mmaF16(sums, keys.odd.v, second);
    DSV4_UNROLL
    for (int i = 0; i < 4; ++i)
      totals[i] =
          fmaF32(sums[i] * unit[i % 2], i < 2 ? upScale : lowScale, totals[i]);
  }

  // What may be a NaN (infinities that meet, or no weight at one) goes through
  // fmaF32, whose twin has the GPU's NaN: plain operators have the host's.
  DSV4_DEVICE static float term(float dot, float weight) {
    float d = num::roundBf16(dot);
    return num::roundBf16(fmaF32(d > 0 ? d : 0.0f, weight, -0.0f));
  }
  DSV4_DEVICE static float plus(float sum, float term) {
    return fmaF32(term, 1.0f, sum);
  }

  /// Heads ascending: lane c of four goes on from the sum of lane c - 1.
  DSV4_DEVICE void sumHeads(float (&dots)[J][4], int upper, int lower) const {
    int c = int(laneId() % 4);
    DSV4_UNROLL
    for (int j = 0; j < J; ++j) {
      DSV4_UNROLL
      for (int i = 0; i < 4; ++i)
        dots[j][i] = term(dots[j][i], weight(2 * J * c + 2 * j + i % 2));
    }
    float up = 0, low = 0;
    DSV4_UNROLL
    for (u32 turn = 0; turn < 4; ++turn) {
      DSV4_UNROLL
      for (int j = 0; j < J; ++j) {
        DSV4_UNROLL
        for (int i = 0; i < 2; ++i) {
          up = plus(up, dots[j][i]);
          low = plus(low, dots[j][i + 2]);
        }
      }
      up = shfl(up, (laneId() & ~3u) | turn);
      low = shfl(low, (laneId() & ~3u) | turn);
    }
    if (c == 0) {
      store(upper, up);
      store(lower, low);
    }
  }

  DSV4_DEVICE void store(int entry, float score) const {
    if (entry < visible)
      p.scores[token * (step.context() / C::Ratio) + entry] =
          num::floatToBf16(score);
  }

  // ---- Any queries ----------------------------------------------------------

  DSV4_DEVICE void scoreInOrder() const {
    for (int i = int(threadIdX()); i < ScoreBlock; i += int(blockDimX())) {
      int entry = first + i;
      if (entry >= visible)
        return;
      float sum = 0;
      for (int h = 0; h < C::Heads; ++h)
        sum = plus(sum, term(dotInOrder(entry, h), weight(h)));
      store(entry, sum);
    }
  }

  /// R1 with the scales of the entry.
  DSV4_DEVICE float dotInOrder(int entry, int head) const {
    Global<const u8> tile = rows + i64(entry / IndexTileRows) * Tile::Bytes;
    auto q = p.q + (token * C::Heads + head) * C::Width;
    int row = entry % IndexTileRows;
    float total = 0;
    for (int group = 0; group < Groups; ++group) {
      float chain = 0;
      for (int k = 0; k < 32; k += 2) {
        u32 word = tile.as<const u32>()[Tile::word(row, group, k / 8)];
        int at = 32 * group + k;
        chain = num::fma(num::bf16ToFloat(q[at + 1]), value(word, k % 8 + 1),
                         chain);
        chain = num::fma(num::bf16ToFloat(q[at]), value(word, k % 8), chain);
      }
      u8 scale = tile[Tile::scale(row, group)];
      total = num::fma(chain, num::e8m0ToFloat(scale), total);
    }
    return total;
  }

  /// E2M1 without a table, which would lie in local memory.
  DSV4_DEVICE static float value(u32 word, u32 i) {
    u32 code = indexCode(word, i), magnitude = code & 7u;
    float v = magnitude < 2 ? float(magnitude) * 0.5f
                            : num::floatOfBits((magnitude + 252u) << 22);
    return code & 8u ? -v : v;
  }

  const IndexScoreParams &p;
  StepView step;
  Shared<u8> shared;
  i64 token = 0;
  int visible = 0, first = 0; // entries
  Global<const u8> rows;
};

/// Items: tokens x ceil(visible entries at the largest position / 256).
template <class C> DSV4_DEVICE void indexScore(const IndexScoreParams &p) {
  gridDepWait();
  gridDepLaunch();
  IndexScore<C>(p).run();
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_INDEX_SCORE_CUH
