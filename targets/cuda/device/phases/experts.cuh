// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.route, kern.swiglu and kern.combine: what surrounds the products of
// experts. Bit-equal to runtime/numerics (R9, R10, R14, R15).

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_EXPERTS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_EXPERTS_CUH

#include "runtime/numerics/moe.h"
#include "targets/cuda/device/phases/rows.cuh"

namespace dsv4::cuda {

// ---- route ------------------------------------------------------------------
//
//   struct C {
//     static constexpr u32 Experts = 256, PerToken = 6;
//     static constexpr float Scale = 1.5f;
//     static constexpr bool ByTable = false; // else by bias
//   };
//
// Item: a token, by one warp. Lane l keeps the scores of experts l, l + 32, ...
// A NaN counts as the lowest score, so that ids stay distinct and in range.

struct RouteParams {
  const dsv4_step *step;
  Global<const float> logits; // [tokens, E]
  Global<const float> bias;   // [E]
  Global<const i32> table;    // [V, K], ids below E (packing checks them)
  Global<i32> ids;            // [tokens, K]
  Global<float> weights;      // [tokens, K]
};

inline constexpr i32 NoExpert = 0x7fffffff;

/// An expert and what it is chosen by.
struct Candidate {
  float key;
  i32 id;

  DSV4_DEVICE bool before(const Candidate &other) const {
    return key > other.key || (key == other.key && id < other.id);
  }
};

DSV4_DEVICE Candidate bestOfWarp(Candidate best) {
  DSV4_UNROLL
  for (u32 step = 16; step > 0; step /= 2) {
    Candidate other{shflXor(best.key, step), shflXor(best.id, step)};
    if (other.before(best))
      best = other;
  }
  return best;
}

/// The expert of slot `lane`, in selection order (R9).
template <class C>
DSV4_DEVICE i32 selectByBias(const RouteParams &p, i64 token,
                             const float (&bias)[(C::Experts + 31) / 32]) {
  constexpr u32 Count = (C::Experts + 31) / 32;
  constexpr float Lowest = -3.402823466e+38f;
  u32 lane = laneId();
  float keys[Count];
  DSV4_UNROLL
  for (u32 i = 0; i < Count; ++i) {
    u32 e = i * 32 + lane;
    keys[i] = 0;
    if (e < C::Experts) {
      float key = num::routerScore(p.logits[token * C::Experts + e]) + bias[i];
      keys[i] = key > Lowest ? key : Lowest;
    }
  }
  i32 chosen = 0;
  u32 taken = 0; // bit i: this lane's expert i
  for (u32 slot = 0; slot < C::PerToken; ++slot) {
    Candidate best{Lowest, NoExpert};
    DSV4_UNROLL
    for (u32 i = 0; i < Count; ++i) {
      Candidate one{keys[i], i32(i * 32 + lane)};
      if (one.id < i32(C::Experts) && !(taken >> i & 1u) && one.before(best))
        best = one;
    }
    best = bestOfWarp(best);
    if (u32(best.id) % 32 == lane)
      taken |= 1u << best.id / 32;
    if (slot == lane)
      chosen = best.id;
  }
  return chosen;
}

/// Weighs the slots (R9) and stores them in ascending order of ids.
template <class C>
DSV4_DEVICE void storeRoute(const RouteParams &p, i64 token, i32 id) {
  u32 lane = laneId();
  bool isSlot = lane < C::PerToken;
  float score = 0, sum = 0;
  if (isSlot)
    score = num::routerScore(p.logits[token * C::Experts + id]);
  u32 rank = 0;
  DSV4_UNROLL
  for (u32 slot = 0; slot < C::PerToken; ++slot) {
    sum += shfl(score, slot);
    i32 other = shfl(id, slot);
    rank += other < id || (other == id && slot < lane);
  }
  if (!isSlot)
    return;
  p.ids[token * C::PerToken + rank] = id;
  p.weights[token * C::PerToken + rank] = score / sum * C::Scale;
}

template <class C, class View = WholeGrid>
DSV4_DEVICE void route(const RouteParams &p, const View &view = {}) {
  constexpr u32 Count = (C::Experts + 31) / 32;
  static_assert(C::PerToken <= 32 && C::PerToken <= C::Experts && Count <= 32,
                "a lane is a slot, and a bit an expert of a lane");
  u32 lane = laneId();
  float bias[Count] = {};
  if constexpr (!C::ByTable) {
    DSV4_UNROLL
    for (u32 i = 0; i < Count; ++i)
      if (i * 32 + lane < C::Experts)
        bias[i] = p.bias[i * 32 + lane];
  }
  i64 tokens = ld(&p.step->tokens), warps = view.threads() / 32;
  view.begin();
  for (i64 token = view.block() * warps + view.thread() / 32; token < tokens;
       token += view.blocks() * warps) {
    i32 id = 0;
    if constexpr (!C::ByTable) {
      id = selectByBias<C>(p, token, bias);
    } else {
      i64 word = ld(ld(&p.step->token) + token);
      if (lane < C::PerToken)
        id = p.table[word * C::PerToken + lane];
    }
    storeRoute<C>(p, token, id);
  }
}

// ---- swiglu -----------------------------------------------------------------
//
//   struct C {
//     static constexpr u32 Inner = 2048;
//     static constexpr u32 PerToken = 6; // rows are slots; 1 and no weights:
//     static constexpr bool Weighted = true; // tokens
//     static constexpr float Limit = 10.0f;
//   };
//
// Item: 128 columns of a row, by half a warp.

struct SwigluParams {
  const dsv4_step *step;
  Global<const u16> gate, up;  // [rows, I]
  Global<const float> weights; // [tokens, K]: one for each slot
  Global<u16> h;               // [rows, I]
};

template <class C, class Sink = NoSink, class View = WholeGrid>
DSV4_DEVICE void swiglu(const SwigluParams &p, const Sink &sink = {},
                        const View &view = {}) {
  constexpr u32 Vectors = C::Inner / RowVector;
  static_assert(C::Inner % QuantBlock == 0, "expected whole blocks");
  i64 rows = ld(&p.step->tokens) * C::PerToken;
  view.begin();
  auto body = [&](i64 v, bool exists) {
    U32x4 gates = {}, ups = {};
    float weight = 1;
    if (exists) {
      gates = loadRow(p.gate, v);
      ups = loadRow(p.up, v);
      if constexpr (C::Weighted)
        weight = p.weights[v / Vectors];
    }
    float g[RowVector], u[RowVector];
    unpackRow(gates, g);
    unpackRow(ups, u);
    DSV4_UNROLL
    for (u32 i = 0; i < RowVector; ++i)
      g[i] = num::swiglu(g[i], u[i], weight, C::Limit);
    fakeQuantizeLanes(g);
    U32x4 words = packRow(g);
    if (exists)
      storeRow(p.h, v, words);
    sink(v, words, exists);
  };
  forGridVectors(rows * Vectors, body, view);
}

// ---- combine ----------------------------------------------------------------
//
//   struct C { static constexpr u32 Hidden = 4096, PerToken = 6; };
//
// Item: 8 columns of a token, by one thread; slots ascend by expert.

struct CombineParams {
  const dsv4_step *step;
  Global<const u16> y;      // [tokens, K, D]
  Global<const u16> shared; // [tokens, D]
  Global<u16> out;          // [tokens, D]
};

template <class C> DSV4_DEVICE void combine(const CombineParams &p) {
  constexpr u32 Vectors = C::Hidden / RowVector;
  static_assert(C::Hidden % RowVector == 0, "expected whole vectors");
  i64 tokens = ld(&p.step->tokens);
  gridDepWait();
  gridDepLaunch();
  forGridVectors(tokens * Vectors, [&](i64 v, bool exists) {
    if (!exists)
      return;
    i64 token = v / Vectors, column = v % Vectors;
    float sum[RowVector] = {}, add[RowVector];
    DSV4_UNROLL
    for (u32 slot = 0; slot < C::PerToken; ++slot) {
      unpackRow(loadRow(p.y, (token * C::PerToken + slot) * Vectors + column),
                add);
      DSV4_UNROLL
      for (u32 i = 0; i < RowVector; ++i)
        sum[i] += add[i];
    }
    unpackRow(loadRow(p.shared, v), add);
    DSV4_UNROLL
    for (u32 i = 0; i < RowVector; ++i)
      sum[i] += add[i];
    storeRow(p.out, v, packRow(sum));
  });
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_EXPERTS_CUH
