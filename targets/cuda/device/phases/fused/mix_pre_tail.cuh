// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.hc_mix and kern.hc_pre as tails of the product that ends a sublayer, for
// a step of one token: whoever completes 128 columns mixes them, whoever mixes
// the last ones goes on with the row. The bodies are those of hyper.cuh for few
// threads, several chains and vectors each, with the same sums. Bit-equal to
// the launches.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_MIX_PRE_TAIL_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_MIX_PRE_TAIL_CUH

#include "targets/cuda/device/phases/fused/mix_pre.cuh"
#include "targets/cuda/device/phases/fused/tail_tasks.cuh"

namespace dsv4::cuda {

/// An item of hc_mix by the threads of a view; ends without a barrier.
template <class C, class Out, class View>
DSV4_DEVICE void hcMixItem(const HcMixParams &p, i64 token, u32 chunk,
                           const Out &outWord, const View &view) {
  using Plan = HcMixPlan<C>;
  auto x = view.shared().template as<float>();
  auto chains = x + Plan::ChainsAt;
  hcClose<C>(p, token, chunk, x, outWord, view);
  view.sync();
  DSV4_NO_UNROLL
  for (u32 at = view.thread(); at < Plan::Chains; at += view.threads()) {
    u32 row = at % C::Rows, group = at / C::Rows;
    auto from = p.fn + (i64(row * C::Streams + group / 4) * C::Hidden +
                        chunk * MixColumns + group % 4 * 32);
    auto values = x + group * 32;
    float chain = 0;
    DSV4_UNROLL
    for (u32 i = 0; i < 32; i += 4) {
      F32x4 four = values.template vec<4>(i), w = from.template vec<4>(i);
      DSV4_UNROLL
      for (u32 j = 0; j < 4; ++j)
        chain = num::fma(four[int(j)], w[int(j)], chain);
    }
    chains[at] = chain;
  }
  auto to = p.partials + (token * Plan::Chunks + chunk) * mixStride(C::Rows);
  if (view.thread() < 32) {
    float squares = hcSquares<C>(x);
    if (laneId() == 0)
      to[C::Rows] = squares;
  }
  view.sync();
  if (view.thread() < C::Rows) {
    float sum = 0;
    DSV4_UNROLL
    for (u32 g = 0; g < Plan::Groups; ++g)
      sum += chains[g * C::Rows + view.thread()];
    to[view.thread()] = sum;
  }
}

/// A unit is 128 columns: MixColumns.
template <class Mix, class Pre> struct MixPreTail {
  using Params = HcMixPreParams;
  static constexpr TailBy by = TailBy::Columns;
  static constexpr u32 threads = 128;
  static_assert(Mix::Closes && Pre::Quantised,
                "expected the end of a sublayer");

  /// Of the view, in bytes: the flag, then what either body takes.
  static constexpr u32 BodyAt = 16;
  static constexpr u32 SharedBytes =
      BodyAt + MixPrePlan<Mix, Pre>::larger(HcMixPlan<Mix>::SharedBytes,
                                            HcPrePlan<Pre>::SharedBytes);

  template <class View>
  DSV4_DEVICE static void run(const Params &p, View view, u32 row, u32 chunk) {
    auto flag = view.shared().template as<u32>();
    view.sharedAt += BodyAt;
    hcMixItem<Mix>(p.mix, row, chunk, StoredOut<Mix>{p.mix}, view);
    if (arriveLast(p.counters + row, HcMixPlan<Mix>::Chunks, flag, threads))
      hcPreRow<Pre>(p.pre.phase, row,
                    EncodeSink{p.pre.blocks, p.pre.blockBytes}, view);
  }
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_MIX_PRE_TAIL_CUH
