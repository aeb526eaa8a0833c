// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The k best visible entries of a token (kern.top_k), exact, in three readings
// of the scores by one block of threads:
//   1. scores become 16-bit keys in the order of the scores; a histogram of
//      their upper bytes says in which bin the k-th largest lies;
//   2. a histogram of the lower bytes in that bin gives the k-th largest key
//   and
//      how many of its equals belong to the best;
//   3. ids above the key, and the first of its equals, are written in ascending
//      order: places come from sums over warps.
// No sort, no list whose order a schedule could decide. Each warp has its own
// histogram, so that warps do not meet in a bin. Never run on hardware.
//
// C: K, Ratio, Threads (a multiple of 32 up to 1024); shared: TopKPlan<C>.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_TOP_K_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_TOP_K_CUH

#include "targets/cuda/device/phases/step_view.cuh"

namespace dsv4::cuda {

struct TopKParams {
  const dsv4_step *step;
  Global<const u16> scores;
  Global<i32> ids;
};

template <class C> struct TopKPlan {
  static constexpr int Warps = C::Threads / 32;
  static constexpr int Histograms = 0;
  static constexpr int Sums = Histograms + Warps * 1024; // two of each warp
  static constexpr int Found = Sums + 2 * Warps * 4;
  static constexpr int Bytes = Found + 16;
};

/// Key of BF16 bits: unsigned order is that of the values, and both zeros are
/// one key.
DSV4_DEVICE u32 scoreKey(u32 bits) {
  u32 magnitude = bits & 0x7fffu;
  return bits & 0x8000u ? 0x8000u - magnitude : 0x8000u + magnitude;
}

template <class C, class View> class TopK {
  using Plan = TopKPlan<C>;
  /// Scores that a thread loads at once; rows of coarse entries are not
  /// aligned.
  static constexpr int Width = 128 / C::Ratio % 8 == 0 ? 8 : 1;
  static constexpr int Chunk = C::Threads * Width;
  static_assert(C::Threads % 32 == 0 && C::Threads <= 1024 && C::K > 0, "");
  // Counts of a chunk share a word.
  static_assert(Chunk <= 0xffff / 2, "a chunk's counts fit 16 bits");

public:
  DSV4_DEVICE TopK(const TopKParams &p, const View &view)
      : p(p), view(view), step(p.step) {
    auto shared = view.shared();
    histograms = (shared + Plan::Histograms).template as<u32>();
    sums = (shared + Plan::Sums).template as<u32>();
    found = (shared + Plan::Found).template as<u32>();
  }

  DSV4_DEVICE void run() {
    for (i64 token = view.block(); token < step.tokens();
         token += view.blocks()) {
      visible = (step.position(token) + 1) / C::Ratio;
      scores = p.scores + token * (step.context() / C::Ratio);
      ids = p.ids + token * C::K;
      if (visible <= C::K)
        takeAll();
      else
        select();
    }
  }

private:
  DSV4_DEVICE u32 warp() const { return view.thread() / 32; }

  DSV4_DEVICE void takeAll() const {
    for (int i = int(view.thread()); i < C::K; i += C::Threads)
      ids[i] = i < visible ? i : -1;
  }

  DSV4_DEVICE void select() {
    // The key from its upper byte down; `wanted` of the entries whose key
    // begins so are among the best.
    u32 wanted = C::K;
    u32 upper = findDigit(8, 0, wanted);
    u32 key = upper << 8 | findDigit(0, upper, wanted);
    writeIds(key, wanted);
  }

  /// Keys of the thread's scores in the chunk from `begin` on; how many.
  DSV4_DEVICE int loadKeys(int begin, u32 (&keys)[Width]) const {
    int at = begin + int(view.thread()) * Width;
    int count = visible - at < Width ? visible - at : Width;
    if constexpr (Width == 8)
      if (count == Width) {
        U32x4 words = scores.as<const u32>().template vec<4>(at / 2);
        DSV4_UNROLL
        for (int i = 0; i < Width; ++i)
          keys[i] = scoreKey(words[i / 2] >> (i % 2 * 16) & 0xffffu);
        return count;
      }
    DSV4_UNROLL
    for (int i = 0; i < Width; ++i)
      keys[i] = i < count ? scoreKey(scores[at + i]) : 0;
    return count;
  }

  /// The byte at `shift` of the wanted-th largest of the keys whose bits above
  /// it are `prefix`; `wanted` becomes what is left to find inside it.
  DSV4_DEVICE u32 findDigit(u32 shift, u32 prefix, u32 &wanted) {
    for (int i = int(view.thread()); i < Plan::Warps * 256; i += C::Threads)
      histograms[i] = 0;
    view.sync();
    for (int begin = 0; begin < visible; begin += Chunk) {
      u32 keys[Width];
      int count = loadKeys(begin, keys);
      DSV4_UNROLL
      for (int i = 0; i < Width; ++i)
        if (i < count && keys[i] >> shift >> 8 == prefix)
          atomAddShared(histograms + (warp() * 256 + (keys[i] >> shift & 255)),
                        1);
    }
    view.sync();
    for (int bin = int(view.thread()); bin < 256; bin += C::Threads) {
      u32 sum = 0;
      for (int w = 0; w < Plan::Warps; ++w)
        sum += histograms[w * 256 + bin];
      histograms[bin] = sum; // of warp 0; nobody else reads this bin
    }
    view.sync();
    if (warp() == 0)
      findBin(wanted);
    view.sync();
    wanted = found[1];
    return found[0];
  }

  /// By one warp, a lane for eight bins: the bin in which the keys from the top
  /// reach `wanted`, and how many of it are needed.
  DSV4_DEVICE void findBin(u32 wanted) const {
    u32 counts[8], mine = 0;
    DSV4_UNROLL
    for (int i = 0; i < 8; ++i)
      mine += counts[i] = histograms[laneId() * 8 + i];
    u32 upTo = mine; // of this lane and those above
    DSV4_UNROLL
    for (u32 delta = 1; delta < 32; delta *= 2) {
      u32 more = shflDown(upTo, delta);
      upTo += laneId() + delta < 32 ? more : 0;
    }
    u32 above = upTo - mine;
    DSV4_UNROLL
    for (int i = 7; i >= 0; --i) {
      if (above < wanted && wanted <= above + counts[i]) {
        found[0] = laneId() * 8 + u32(i);
        found[1] = wanted - above;
      }
      above += counts[i];
    }
  }

  /// Entries before this thread in the chunk, and of the whole chunk: keys
  /// above in the lower half of the word, equals in the upper one.
  struct Places {
    u32 before, all;
  };

  DSV4_DEVICE Places placesOf(u32 mine, int turn) const {
    u32 upTo = mine;
    DSV4_UNROLL
    for (u32 delta = 1; delta < 32; delta *= 2) {
      u32 less = shflUp(upTo, delta);
      upTo += laneId() >= delta ? less : 0;
    }
    // Two rows of sums: a warp may be a chunk ahead, never two.
    auto row = sums + turn % 2 * Plan::Warps;
    if (laneId() == 31)
      row[warp()] = upTo;
    view.sync();
    Places places{upTo - mine, 0};
    for (u32 w = 0; w < Plan::Warps; ++w) {
      u32 sum = row[w];
      places.before += w < warp() ? sum : 0;
      places.all += sum;
    }
    return places;
  }

  DSV4_DEVICE void writeIds(u32 key, u32 ties) const {
    u32 above = 0, equal = 0; // before the chunk
    int turn = 0;
    for (int begin = 0; begin < visible; begin += Chunk, ++turn) {
      u32 keys[Width], mine = 0;
      int count = loadKeys(begin, keys);
      DSV4_UNROLL
      for (int i = 0; i < Width; ++i)
        if (i < count)
          mine += keys[i] > key ? 1u : keys[i] == key ? 0x10000u : 0u;
      Places places = placesOf(mine, turn);
      u32 a = above + (places.before & 0xffffu);
      u32 e = equal + (places.before >> 16);
      DSV4_UNROLL
      for (int i = 0; i < Width; ++i)
        if (i < count && keys[i] >= key) {
          bool tie = keys[i] == key;
          if (!tie || e < ties)
            ids[a + (e < ties ? e : ties)] =
                begin + int(view.thread()) * Width + i;
          a += !tie;
          e += tie;
        }
      above += places.all & 0xffffu;
      equal += places.all >> 16;
      if (above + (equal < ties ? equal : ties) == C::K)
        break; // the same in all threads
    }
    view.sync(); // sums and histograms are free for the next token
  }

  const TopKParams &p;
  const View &view;
  StepView step;
  Shared<u32> histograms, sums, found;
  int visible = 0;
  Global<const u16> scores;
  Global<i32> ids;
};

/// Items: tokens.
template <class C, class View = WholeGrid>
DSV4_DEVICE void topK(const TopKParams &p, const View &view = {}) {
  view.begin();
  TopK<C, View>(p, view).run();
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_TOP_K_CUH
