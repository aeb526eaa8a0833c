// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.embed, kern.norm_quant and kern.quantize. Bit-equal to runtime/numerics
// (R12, R15).

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_NORMS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_NORMS_CUH

#include "targets/cuda/device/phases/rows.cuh"

namespace dsv4::cuda {

// ---- embed ------------------------------------------------------------------
//
//   struct C { static constexpr u32 Streams = 4, Hidden = 4096; };
//
// Item: 8 columns of a token, by one thread. The table may lie in host memory.

struct EmbedParams {
  const dsv4_step *step;
  Global<const u16> table; // [V, D], row-major
  Global<u16> streams;     // [tokens, C, D]
};

template <class C> DSV4_DEVICE void embed(const EmbedParams &p) {
  constexpr u32 Vectors = C::Hidden / RowVector;
  static_assert(C::Hidden % RowVector == 0, "expected whole vectors");
  i64 tokens = ld(&p.step->tokens);
  gridDepWait();
  gridDepLaunch();
  forGridVectors(tokens * Vectors, [&](i64 v, bool exists) {
    if (!exists)
      return;
    i64 row = v / Vectors, column = v % Vectors;
    i64 token = ld(ld(&p.step->token) + row);
    U32x4 words = loadRow(p.table, token * Vectors + column);
    DSV4_UNROLL
    for (u32 c = 0; c < C::Streams; ++c)
      storeRow(p.streams, (row * C::Streams + c) * Vectors + column, words);
  });
}

// ---- norm_quant -------------------------------------------------------------
//
//   struct C {
//     static constexpr u32 Width = 1024;
//     static constexpr float Eps = 1e-6f;
//     static constexpr bool Normed = false, Quantised = true; // has y, has yq
//   };
//
// Item: a token, by one block of 8 columns a thread.

struct NormQuantParams {
  const dsv4_step *step;
  Global<const u16> raw, weight; // [tokens, N], [N]
  Global<u16> y, yq;             // [tokens, N]
};

template <class C> struct NormQuantPlan {
  static constexpr u32 Threads = roundUpTo(C::Width / RowVector, 32);
  static constexpr u32 SharedBytes = 4 * (C::Width + 1);
  static_assert(Threads <= 1024 && C::Width % 16 == 0 &&
                    (!C::Quantised || C::Width % QuantBlock == 0),
                "expected one vector a thread and whole blocks");
};

template <class C, class Sink = NoSink, class View = WholeGrid>
DSV4_DEVICE void normQuant(const NormQuantParams &p, const Sink &sink = {},
                           const View &view = {}) {
  using Plan = NormQuantPlan<C>;
  constexpr u32 Vectors = C::Width / RowVector;
  u32 thread = view.thread();
  bool exists = thread < Vectors;
  U32x4 weight = {};
  if (exists)
    weight = loadRow(p.weight, thread);
  i64 tokens = ld(&p.step->tokens);
  view.begin();
  for (i64 token = view.block(); token < tokens; token += view.blocks()) {
    U32x4 raw = {};
    if (exists)
      raw = loadRow(p.raw, token * Vectors + thread);
    float v[RowVector];
    unpackRow(raw, v);
    blockRmsNorm<C::Width, Plan::Threads>(v, weight, C::Eps,
                                          view.shared().template as<float>());
    if constexpr (C::Normed)
      if (exists)
        storeRow(p.y, token * Vectors + thread, packRow(v));
    if constexpr (C::Quantised) {
      fakeQuantizeLanes(v);
      U32x4 words = packRow(v);
      if (exists)
        storeRow(p.yq, token * Vectors + thread, words);
      sink(token * Vectors + thread, words, exists);
    }
  }
}

// ---- quantize ---------------------------------------------------------------
//
//   struct C { static constexpr u32 Width = 8192; };
//
// Item: 128 columns of a token, by half a warp.

struct QuantizeParams {
  const dsv4_step *step;
  Global<const u16> x; // [tokens, N]
  Global<u16> xq;      // [tokens, N]
};

template <class C, class Sink = NoSink, class View = WholeGrid>
DSV4_DEVICE void quantize(const QuantizeParams &p, const Sink &sink = {},
                          const View &view = {}) {
  static_assert(C::Width % QuantBlock == 0, "expected whole blocks");
  i64 vectors = ld(&p.step->tokens) * (C::Width / RowVector);
  view.begin();
  auto body = [&](i64 v, bool exists) {
    U32x4 words = {};
    if (exists)
      words = loadRow(p.x, v);
    float x[RowVector];
    unpackRow(words, x);
    fakeQuantizeLanes(x);
    words = packRow(x);
    if (exists)
      storeRow(p.xq, v, words);
    sink(v, words, exists);
  };
  forGridVectors(vectors, body, view);
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_NORMS_CUH
