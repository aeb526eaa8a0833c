// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.hc_mix, with or without the combine before it, and the kern.hc_pre
// behind it, with the encoding of its rows, in one launch: the last block to
// finish 128 columns of a token has the whole token. For few tokens. Bit-equal
// to the launches.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_MIX_PRE_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_MIX_PRE_CUH

#include "targets/cuda/device/phases/fused/combine_mix.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"

namespace dsv4::cuda {

/// The row of hc_pre by the threads of a view, vector after vector; the last
/// warp has the coefficients.
template <class C, class Sink, class View>
DSV4_DEVICE void hcPreRow(const HcPreParams &p, i64 token, const Sink &sink,
                          const View &view) {
  using Plan = HcPrePlan<C>;
  constexpr u32 Vectors = C::Hidden / RowVector;
  auto room = view.shared().template as<float>();
  auto sums = room + Plan::SumsAt;
  u32 thread = view.thread(), threads = view.threads();
  hcSums<C, Plan>(p.partials, token, sums);
  view.sync();
  float r = hcScale<C>(sums, Plan::Rows), v[RowVector];
  HcGates<C> gates(p.scale, p.base);
  DSV4_NO_UNROLL
  for (u32 at = thread; at < Vectors; at += threads) {
    U32x4 streams[C::Streams];
    DSV4_UNROLL
    for (u32 j = 0; j < C::Streams; ++j)
      streams[j] =
          loadRow(p.streamsIn, (token * C::Streams + j) * Vectors + at);
    hcReduce<C>(streams, sums, r, gates, v);
    room.template setVec<4>(8 * at, F32x4{{v[0], v[1], v[2], v[3]}});
    room.template setVec<4>(8 * at + 4, F32x4{{v[4], v[5], v[6], v[7]}});
  }
  view.sync();
  if (thread < 32) {
    float sum = warpSumOfSquares(room, C::Hidden);
    if (thread == 0)
      room[C::Hidden] = sum;
  } else if (thread / 32 + 1 == threads / 32) {
    HcCoefficients<C>(p).run(p, token, sums, r);
  }
  view.sync();
  r = 1.0f / num::sqrt(room[C::Hidden] / float(C::Hidden) + C::NormEps);
  DSV4_NO_UNROLL
  for (u32 first = 0; first < Vectors; first += threads) {
    u32 at = first + thread;
    bool exists = at < Vectors;
    float w[RowVector];
    unpackRow(exists ? loadRow(p.norm, at) : U32x4{}, w);
    DSV4_UNROLL
    for (u32 i = 0; i < RowVector; ++i)
      v[i] = exists ? num::roundBf16(w[i] * (float(room[8 * at + i]) * r)) : 0;
    if (exists)
      storeRow(p.x, token * Vectors + at, packRow(v));
    fakeQuantizeLanes(v);
    U32x4 words = packRow(v);
    if (exists)
      storeRow(p.xq, token * Vectors + at, words);
    sink(token * Vectors + at, words, exists);
  }
  view.sync(); // the row may be written over
}

template <class Mix, class Pre> struct MixPrePlan {
  static constexpr u32 larger(u32 a, u32 b) { return a > b ? a : b; }
  static constexpr u32 Threads = HcMixPlan<Mix>::Threads;
  static constexpr u32 PreAt = roundUpTo(HcMixPlan<Mix>::SharedBytes, 16);
  static constexpr u32 FlagAt =
      PreAt + roundUpTo(HcPrePlan<Pre>::SharedBytes, 4);
  static constexpr u32 SharedBytes = FlagAt + 4;
};

/// MixParams: HcMixParams or CombineMixParams.
template <class MixParams> struct MixPreParams {
  MixParams mix;
  HcPreEncodeParams pre;
  Global<u32> counters; // one for each token: zeros before and after
};
using HcMixPreParams = MixPreParams<HcMixParams>;
using CombineMixPreParams = MixPreParams<CombineMixParams>;

template <class Mix, class Pre> struct PreAfterMix {
  using Plan = MixPrePlan<Mix, Pre>;
  const HcPreEncodeParams &p;
  Global<u32> counters;

  DSV4_DEVICE bool operator()(i64 token) const {
    auto flag = (dynamicShared() + Plan::FlagAt).template as<u32>();
    if (!arriveLast(counters + token, HcMixPlan<Mix>::Chunks, flag,
                    Plan::Threads))
      return false;
    hcPreRow<Pre>(p.phase, token, EncodeSink{p.blocks, p.blockBytes},
                  BlockView<Plan::Threads>{0, 1, Plan::PreAt});
    return true;
  }
};

/// Threads and shared memory: MixPrePlan<Mix, Pre>.
template <class Mix, class Pre>
DSV4_DEVICE void mixPre(const HcMixPreParams &p) {
  hcMixOf<Mix>(p.mix, StoredOut<Mix>{p.mix},
               PreAfterMix<Mix, Pre>{p.pre, p.counters});
}
template <class Mix, class Combine, class Pre>
DSV4_DEVICE void combineMixPre(const CombineMixPreParams &p) {
  static_assert(Mix::Closes && Mix::Hidden == Combine::Hidden,
                "expected the mix behind the sum");
  hcMixOf<Mix>(p.mix.mix, CombinedOut<Combine>{p.mix.combine},
               PreAfterMix<Mix, Pre>{p.pre, p.counters});
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_MIX_PRE_CUH
