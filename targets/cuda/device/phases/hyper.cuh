// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.hc_mix, kern.hc_pre and kern.hc_head: one reduction over the grid per
// boundary. hc_mix leaves partial sums of 128 columns; whoever needs a token's
// coefficients adds them in order, and the norm's sum of rounded squares (the
// exact mode) stays inside the block that has the row. Bit-equal to
// runtime/numerics (R2, R6, R11, R12, R15).

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_HYPER_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_HYPER_CUH

#include "runtime/numerics/hyper.h"
#include "targets/cuda/device/phases/rows.cuh"

namespace dsv4::cuda {

inline constexpr u32 MixColumns = u32(num::MixChunk);

/// Floats of one chunk in partials: M dots, the squares, padding.
DSV4_DEVICE constexpr u32 mixStride(u32 rows) {
  return roundUpTo(rows + 1, 16);
}

// ---- hc_mix -----------------------------------------------------------------
//
//   struct C {
//     static constexpr u32 Streams = 4, Hidden = 4096, Rows = 24;
//     static constexpr bool Closes = true; // has out, post, comb, streams_out
//   };
//
// Item: chunk + chunks x token, so that a grid whose size is a multiple of the
// chunks keeps a block's weights in registers. A thread is one chain of 32 (R2)
// and holds its 32 weights; one more warp adds the squares.

struct HcMixParams {
  const dsv4_step *step;
  Global<const u16> streamsIn; // [tokens, C, D]
  Global<const u16> out;       // [tokens, D]
  Global<const float> post;    // [tokens, C]
  Global<const float> comb;    // [tokens, C, C]
  Global<const float> fn;      // [M, C D], row-major
  Global<u16> streamsOut;      // [tokens, C, D]
  Global<float> partials;      // [tokens, D / 128, stride]
};

template <class C> struct HcMixPlan {
  static constexpr u32 Chunks = C::Hidden / MixColumns;
  static constexpr u32 Groups = C::Streams * (MixColumns / 32); // of a row
  static constexpr u32 Chains = C::Rows * Groups;
  static constexpr u32 ChainThreads = roundUpTo(Chains, 32);
  static constexpr u32 Threads = ChainThreads + 32;
  // Shared memory, in floats: the chunk's new streams, then the chains.
  static constexpr u32 ChainsAt = C::Streams * MixColumns;
  static constexpr u32 SharedBytes = 4 * (ChainsAt + Chains);
  static_assert(C::Hidden % MixColumns == 0 && Threads <= 1024,
                "expected whole chunks and one chain a thread");
};

/// What the sublayer gave, two columns at a time, as its phase wrote it. Fused
/// phases compute it instead.
template <class C> struct StoredOut {
  const HcMixParams &p;
  DSV4_DEVICE u32 operator()(i64 token, u32 word) const {
    return p.out.as<const u32>()[token * (C::Hidden / 2) + word];
  }
};

/// The chunk's streams after the sublayer is closed (R11), to shared memory and
/// streams_out; a thread has two columns of one stream.
template <class C, class Out, class View = WholeGrid>
DSV4_DEVICE void hcClose(const HcMixParams &p, i64 token, u32 chunk,
                         Shared<float> x, const Out &outWord,
                         const View &view = {}) {
  constexpr u32 S = C::Streams, Pairs = MixColumns / 2;
  for (u32 i = view.thread(); i < S * Pairs; i += view.threads()) {
    u32 k = i / Pairs, column = i % Pairs; // column of words
    auto word = [&](Global<const u16> rows, i64 row) {
      return u32(
          rows.as<const u32>()[(row * C::Hidden + chunk * MixColumns) / 2 +
                               column]);
    };
    u32 result;
    if constexpr (C::Closes) {
      u32 out = outWord(token, chunk * Pairs + column), in[S];
      DSV4_UNROLL
      for (u32 j = 0; j < S; ++j)
        in[j] = word(p.streamsIn, token * S + j);
      float post = p.post[token * S + k];
      float low = post * num::bf16ToFloat(u16(out));
      float high = post * num::bf16ToFloat(u16(out >> 16));
      DSV4_UNROLL
      for (u32 j = 0; j < S; ++j) {
        float comb = p.comb[(token * S + j) * S + k];
        low = num::fma(comb, num::bf16ToFloat(u16(in[j])), low);
        high = num::fma(comb, num::bf16ToFloat(u16(in[j] >> 16)), high);
      }
      result = num::floatToBf16(low) | u32(num::floatToBf16(high)) << 16;
      p.streamsOut
          .as<u32>()[((token * S + k) * C::Hidden + chunk * MixColumns) / 2 +
                     column] = result;
    } else {
      result = word(p.streamsIn, token * S + k);
    }
    x[k * MixColumns + 2 * column] = num::bf16ToFloat(u16(result));
    x[k * MixColumns + 2 * column + 1] = num::bf16ToFloat(u16(result >> 16));
  }
}

/// Sum of squares of the chunk (R2), by one warp.
template <class C> DSV4_DEVICE float hcSquares(Shared<const float> x) {
  return warpSumOfSquares(x, C::Streams * MixColumns);
}

/// What a block does when its item is stored; fused phases go on with the
/// token. True: registers may hold other things now.
struct NothingMore {
  DSV4_DEVICE bool operator()(i64) const { return false; }
};

template <class C, class Out, class After = NothingMore>
DSV4_DEVICE void hcMixOf(const HcMixParams &p, const Out &outWord,
                         const After &after = {}) {
  using Plan = HcMixPlan<C>;
  auto x = dynamicShared().as<float>();
  auto chains = x + Plan::ChainsAt;
  u32 thread = threadIdX();
  // Chain: weight row fastest, so that a warp reads few groups of x.
  u32 row = thread % C::Rows, group = thread / C::Rows;
  float w[32];
  u32 loaded = ~0u;
  auto loadWeights = [&](u32 chunk) {
    if (thread >= Plan::Chains || chunk == loaded)
      return;
    loaded = chunk;
    auto from = p.fn + (i64(row * C::Streams + group / 4) * C::Hidden +
                        chunk * MixColumns + group % 4 * 32);
    DSV4_UNROLL
    for (u32 i = 0; i < 32; i += 4) {
      F32x4 four = from.template vec<4>(i);
      DSV4_UNROLL
      for (u32 j = 0; j < 4; ++j)
        w[i + j] = four[int(j)];
    }
  };
  loadWeights(blockIdX() % Plan::Chunks);
  i64 items = ld(&p.step->tokens) * Plan::Chunks;
  gridDepWait();
  gridDepLaunch();
  for (i64 item = blockIdX(); item < items; item += gridDimX()) {
    u32 chunk = u32(item % Plan::Chunks);
    i64 token = item / Plan::Chunks;
    loadWeights(chunk);
    hcClose<C>(p, token, chunk, x, outWord);
    syncThreads();
    auto to = p.partials + (token * Plan::Chunks + chunk) * mixStride(C::Rows);
    if (thread < Plan::Chains) {
      auto values = x + group * 32;
      float chain = 0;
      DSV4_UNROLL
      for (u32 i = 0; i < 32; i += 4) {
        F32x4 four = values.template vec<4>(i);
        DSV4_UNROLL
        for (u32 j = 0; j < 4; ++j)
          chain = num::fma(four[int(j)], w[i + j], chain);
      }
      chains[group * C::Rows + row] = chain;
    } else if (thread >= Plan::ChainThreads && thread < Plan::Threads) {
      float squares = hcSquares<C>(x);
      if (laneId() == 0)
        to[C::Rows] = squares;
    }
    syncThreads(); // also: x may be written again
    if (thread < C::Rows) {
      float sum = 0;
      DSV4_UNROLL
      for (u32 g = 0; g < Plan::Groups; ++g)
        sum += chains[g * C::Rows + thread];
      to[thread] = sum;
    }
    if (after(token))
      loaded = ~0u;
  }
}

template <class C> DSV4_DEVICE void hcMix(const HcMixParams &p) {
  hcMixOf<C>(p, StoredOut<C>{p});
}

// ---- hc_pre -----------------------------------------------------------------
//
//   struct C {
//     static constexpr u32 Streams = 4, Hidden = 4096, Iterations = 20;
//     static constexpr float HcEps = 1e-6f, NormEps = 1e-6f;
//     static constexpr bool Quantised = true; // has xq
//   };
//
// Item: a token, by one block: 8 columns a thread, and one more warp for post
// and comb, which only the next boundary needs.

struct HcPreParams {
  const dsv4_step *step;
  Global<const float> partials;
  Global<const u16> streamsIn; // [tokens, C, D]
  Global<const float> scale;   // [3]
  Global<const float> base;    // [C (2 + C)]
  Global<const u16> norm;      // [D]
  Global<u16> x, xq;           // [tokens, D]
  Global<float> post, comb;    // [tokens, C], [tokens, C, C]
};

template <class C, u32 MixRows> struct HcRowPlan {
  static constexpr u32 Rows = MixRows;
  static constexpr u32 RowThreads = roundUpTo(C::Hidden / RowVector, 32);
  // Shared memory, in floats: the row and its sum, then the mix's sums.
  static constexpr u32 SumsAt = roundUpTo(C::Hidden + 1, 4);
  static constexpr u32 SharedBytes = 4 * (SumsAt + Rows + 1);
  static_assert(C::Hidden % QuantBlock == 0 && RowThreads + 32 <= 1024 &&
                    Rows < RowThreads,
                "expected blocks of 128 and one vector a thread");
};

template <class C>
struct HcPrePlan : HcRowPlan<C, C::Streams * (2 + C::Streams)> {
  static constexpr u32 Threads = HcPrePlan::RowThreads + 32;
};
template <class C> struct HcHeadPlan : HcRowPlan<C, C::Streams> {
  static constexpr u32 Threads = HcHeadPlan::RowThreads;
};

/// The token's dots and squares, chunks ascending (R2), to shared memory.
template <class C, class Plan>
DSV4_DEVICE void hcSums(Global<const float> partials, i64 token,
                        Shared<float> sums) {
  constexpr u32 Chunks = C::Hidden / MixColumns;
  u32 thread = threadIdX();
  if (thread > Plan::Rows)
    return;
  auto from = partials + token * Chunks * mixStride(Plan::Rows) + thread;
  float sum = 0;
  DSV4_UNROLL_BY(32) // loads of all chunks of Flash are on their way together
  for (u32 chunk = 0; chunk < Chunks; ++chunk)
    sum += from[chunk * mixStride(Plan::Rows)];
  sums[thread] = sum;
}

/// What dots are multiplied with: 1 / the root of the mean square.
template <class C>
DSV4_DEVICE float hcScale(Shared<const float> sums, u32 rows) {
  float mean = sums[rows] / float(C::Streams * C::Hidden);
  return 1.0f / num::sqrt(mean + C::NormEps);
}

/// What the dots of the streams become pre by, read before they are there.
template <class C> struct HcGates {
  float scale, base[C::Streams];
  DSV4_DEVICE HcGates(Global<const float> scales, Global<const float> bases)
      : scale(scales[0]) {
    DSV4_UNROLL
    for (u32 j = 0; j < C::Streams; ++j)
      base[j] = bases[j];
  }
};

/// The sublayer's input of this thread's columns, bf16(sum_j pre_j X_j).
template <class C>
DSV4_DEVICE void hcReduce(const U32x4 (&streams)[C::Streams],
                          Shared<const float> sums, float r,
                          const HcGates<C> &gates, float (&v)[RowVector]) {
  DSV4_UNROLL
  for (u32 i = 0; i < RowVector; ++i)
    v[i] = 0;
  DSV4_UNROLL
  for (u32 j = 0; j < C::Streams; ++j) {
    float logit = sums[j] * r * gates.scale + gates.base[j];
    float pre = num::sigmoid(logit) + C::HcEps, x[RowVector];
    unpackRow(streams[j], x);
    DSV4_UNROLL
    for (u32 i = 0; i < RowVector; ++i)
      v[i] = num::fma(pre, x[i], v[i]);
  }
  DSV4_UNROLL
  for (u32 i = 0; i < RowVector; ++i)
    v[i] = num::roundBf16(v[i]);
}

/// Sum of the C lanes `first`, `first + step`, ... in that order (R6).
template <u32 Count>
DSV4_DEVICE float sumOfLanes(float value, u32 first, u32 step) {
  float sum = shfl(value, first);
  DSV4_UNROLL
  for (u32 i = 1; i < Count; ++i)
    sum += shfl(value, first + i * step);
  return sum;
}

/// post, and comb by Sinkhorn (R6), by one warp; a lane is an element of comb.
/// Weights are read when it is made, before what they are added to is there.
template <class C> class HcCoefficients {
  static constexpr u32 S = C::Streams;
  static_assert(S * S <= 32, "a lane holds an element");

public:
  DSV4_DEVICE explicit HcCoefficients(const HcPreParams &p)
      : postScale(p.scale[1]), combScale(p.scale[2]),
        postBase(p.base[S + lane() % S]), combBase(p.base[2 * S + at()]) {}

  DSV4_DEVICE void run(const HcPreParams &p, i64 token,
                       Shared<const float> sums, float r) const {
    if (lane() < S)
      p.post[token * S + lane()] =
          2 * num::sigmoid(sums[S + lane()] * r * postScale + postBase);
    u32 row = at() / S * S, column = at() % S;
    float m = sums[2 * S + at()] * r * combScale + combBase;
    float largest = shfl(m, row);
    DSV4_UNROLL
    for (u32 q = 1; q < S; ++q) {
      float other = shfl(m, row + q);
      largest = other > largest ? other : largest;
    }
    m = num::exp(m - largest);
    m = m / sumOfLanes<S>(m, row, 1) + C::HcEps;
    m = m / (sumOfLanes<S>(m, column, S) + C::HcEps);
    DSV4_NO_UNROLL
    for (u32 i = 1; i < C::Iterations; ++i) {
      m = m / (sumOfLanes<S>(m, row, 1) + C::HcEps);
      m = m / (sumOfLanes<S>(m, column, S) + C::HcEps);
    }
    if (lane() < S * S)
      p.comb[token * S * S + lane()] = m;
  }

private:
  DSV4_DEVICE static u32 lane() { return laneId(); }
  DSV4_DEVICE static u32 at() { return laneId() % (S * S); }

  float postScale, combScale, postBase, combBase;
};

/// This thread's vector of all streams of a token.
template <class C>
DSV4_DEVICE void hcLoadStreams(Global<const u16> streams, i64 token,
                               U32x4 (&to)[C::Streams]) {
  if (threadIdX() >= C::Hidden / RowVector)
    return;
  DSV4_UNROLL
  for (u32 j = 0; j < C::Streams; ++j)
    to[j] =
        loadRow(streams, (token * C::Streams + j) * (C::Hidden / RowVector) +
                             threadIdX());
}

template <class C, class Sink = NoSink, class View = WholeGrid>
DSV4_DEVICE void hcPre(const HcPreParams &p, const Sink &sink = {},
                       const View &view = {}) {
  using Plan = HcPrePlan<C>;
  constexpr u32 Vectors = C::Hidden / RowVector;
  auto room = view.shared().template as<float>();
  auto sums = room + Plan::SumsAt;
  u32 thread = view.thread();
  bool exists = thread < Vectors;
  U32x4 weight = {};
  if (exists)
    weight = loadRow(p.norm, thread);
  HcGates<C> gates(p.scale, p.base);
  i64 tokens = ld(&p.step->tokens);
  HcCoefficients<C> coefficients(p);
  view.begin();
  for (i64 token = view.block(); token < tokens; token += view.blocks()) {
    U32x4 streams[C::Streams] = {};
    hcLoadStreams<C>(p.streamsIn, token, streams);
    hcSums<C, Plan>(p.partials, token, sums);
    view.sync();
    float r = hcScale<C>(sums, Plan::Rows);
    if (thread >= Plan::RowThreads) {
      coefficients.run(p, token, sums, r);
    } else {
      float v[RowVector];
      hcReduce<C>(streams, sums, r, gates, v);
      blockRmsNorm<C::Hidden, Plan::RowThreads>(v, weight, C::NormEps, room);
      if (exists)
        storeRow(p.x, token * Vectors + thread, packRow(v));
      if constexpr (C::Quantised) {
        fakeQuantizeLanes(v);
        U32x4 words = packRow(v);
        if (exists)
          storeRow(p.xq, token * Vectors + thread, words);
        sink(token * Vectors + thread, words, exists);
      }
    }
    view.sync(); // sums may be written again
  }
}

// ---- hc_head ----------------------------------------------------------------

/// C as of hc_pre, without Iterations and Quantised.
struct HcHeadParams {
  const dsv4_step *step;
  Global<const float> partials;
  Global<const u16> streamsIn; // [tokens, C, D]
  Global<const float> scale;   // [1]
  Global<const float> base;    // [C]
  Global<const u16> norm;      // [D]
  Global<u16> x;               // [outputs, D]
};

template <class C> DSV4_DEVICE void hcHead(const HcHeadParams &p) {
  using Plan = HcHeadPlan<C>;
  constexpr u32 Vectors = C::Hidden / RowVector;
  auto room = dynamicShared().as<float>();
  auto sums = room + Plan::SumsAt;
  u32 thread = threadIdX();
  bool exists = thread < Vectors;
  U32x4 weight = {};
  if (exists)
    weight = loadRow(p.norm, thread);
  HcGates<C> gates(p.scale, p.base);
  i64 outputs = ld(&p.step->outputs);
  gridDepWait();
  gridDepLaunch();
  for (i64 output = blockIdX(); output < outputs; output += gridDimX()) {
    i64 token = ld(ld(&p.step->output_row) + output);
    U32x4 streams[C::Streams] = {};
    hcLoadStreams<C>(p.streamsIn, token, streams);
    hcSums<C, Plan>(p.partials, token, sums);
    syncThreads();
    float r = hcScale<C>(sums, Plan::Rows), v[RowVector];
    hcReduce<C>(streams, sums, r, gates, v);
    blockRmsNorm<C::Hidden, Plan::RowThreads>(v, weight, C::NormEps, room);
    if (exists)
      storeRow(p.x, output * Vectors + thread, packRow(v));
    // The norm's barriers are behind every read of sums.
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_HYPER_CUH
