// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which rows a token attends to, how they fall into splits, and how stored KV
// rows become BF16 in shared memory. Never run on hardware.
//
// Rows are numbered as R4 sums them: the window by position, then entries by
// id. How many there are depends on the token's position alone, so do the
// splits: a token's result knows nothing of the step that it came in.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_ROWS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_ROWS_CUH

#include "targets/cuda/device/decode.cuh"
#include "targets/cuda/device/phases/step_view.cuh"

namespace dsv4::cuda {

/// What a token attends to beside its window.
enum class EntryRows { None, All, Selected };

struct AttendParams {
  const dsv4_step *step;
  Global<const u16> q;
  Global<const float> tab, sink;
  Global<const u8> window, entries; // entries, ids: as C says
  Global<const i32> ids;
  Global<u16> headsOut;
  /// Scratch for `numTokens` tokens from row `firstToken` of the step on, of
  /// which a small step has fewer or none: [token][head][scoreRows] scores,
  /// whole tiles of them, and [token][split][head] largest ones. Steps of many
  /// tokens go through it in turns; where they are cut moves no bit.
  Global<float> scores, largest;
  i64 scoreRows, firstToken, numTokens;
};

/// Tokens of this step in the turn.
DSV4_DEVICE i64 tokensOfTurn(const AttendParams &p) {
  i64 left = StepView(p.step).tokens() - p.firstToken;
  left = left < 0 ? 0 : left;
  return left < p.numTokens ? left : p.numTokens;
}

/// The largest of a warp's numbers, for all its lanes.
DSV4_DEVICE float warpMax(float x) {
  DSV4_UNROLL
  for (u32 step = 16; step > 0; step /= 2) {
    float other = shflXor(x, step);
    x = other > x ? other : x;
  }
  return x;
}

template <class C> struct AttendRows {
  /// Rows that are multiplied together. Two make the smallest split.
  static constexpr int Tile = 32, SmallestSplit = 2 * Tile;

  int oldest, inWindow, count;
  Global<const u8> window, entries;
  Global<const i32> ids;

  DSV4_DEVICE static AttendRows of(const AttendParams &p, i64 token) {
    StepView step(p.step);
    AttendRows rows;
    int position = step.position(token);
    rows.oldest = position < C::WindowSize ? 0 : position - C::WindowSize + 1;
    rows.inWindow = rows.count = position + 1 - rows.oldest;
    rows.window = step.stateOf(p.window, token);
    if constexpr (C::Entries != EntryRows::None) {
      rows.entries = step.stateOf(p.entries, token);
      int visible = (position + 1) / C::Ratio;
      if constexpr (C::Entries == EntryRows::Selected) {
        rows.ids = p.ids + token * C::NumIds;
        visible = visible < C::NumIds ? visible : C::NumIds; // beyond: -1
      }
      rows.count += visible;
    }
    return rows;
  }

  /// At most MaxSplits, each of whole tiles.
  DSV4_DEVICE int rowsPerSplit() const {
    constexpr int All = SmallestSplit * C::MaxSplits;
    return SmallestSplit * ((count + All - 1) / All);
  }
  DSV4_DEVICE int splits() const {
    return (count + rowsPerSplit() - 1) / rowsPerSplit();
  }

  DSV4_DEVICE Global<const u8> row(int i) const {
    if (C::Entries == EntryRows::None || i < inWindow)
      return window + i64((oldest + i) % C::RingRows) * C::RowBytes;
    i64 id = i - inWindow;
    if constexpr (C::Entries == EntryRows::Selected)
      id = ids[id];
    return entries + id * C::RowBytes;
  }
};

/// Four E4M3 codes times 2^(scale - 127) in BF16, exactly: the scales of stored
/// rows leave the range of normal numbers to neither side (2^-22 is their
/// floor, R15). A code's bits, moved to the places of BF16, are its value times
/// 2^-120.
DSV4_DEVICE Vec<u32, 2> kvCodesToBf16(u32 codes, u32 scale) {
  Vec<u32, 2> out;
  u32 factors = scale << 7 | scale << 23;
  DSV4_UNROLL
  for (int half = 0; half < 2; ++half) {
    u32 upper = upperBytesPair(codes, half != 0);
    u32 bits = (upper >> 4 & 0x07f007f0u) | (upper & 0x80008000u);
    constexpr u32 TwoTo120 = 0x7b807b80u;
    out[half] = mulBf16x2(mulBf16x2(bits, TwoTo120), factors);
  }
  return out;
}

/// Where the values of word `w`, of 8 bytes, of a stored row are in a row of
/// BF16, in bytes.
template <class C> DSV4_DEVICE int kvWordAt(int w) {
  constexpr int Codes = C::Width - C::RopeDims;
  return w < Codes / 8 ? 16 * w : 2 * Codes + 8 * (w - Codes / 8);
}

/// The values of word `w` to `to`: eight, or four that are rotary.
template <class C>
DSV4_DEVICE void unpackKvWord(Global<const u8> row, int w, Shared<u8> to) {
  constexpr int Codes = C::Width - C::RopeDims;
  Vec<u32, 2> word = row.as<const u32>().template vec<2>(2 * w);
  if (w >= Codes / 8) // rotary values as they are
    return to.as<u32>().template setVec<2>(0, word);
  u32 scale = row[Codes + 2 * C::RopeDims + w / 8];
  Vec<u32, 2> a = kvCodesToBf16(word[0], scale);
  Vec<u32, 2> b = kvCodesToBf16(word[1], scale);
  to.as<u32>().template setVec<4>(0, U32x4{{a[0], a[1], b[0], b[1]}});
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_ATTEND_ROWS_CUH
