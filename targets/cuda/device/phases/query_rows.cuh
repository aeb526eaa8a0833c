// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases between the projections and attention (kern.query_heads, store_kv,
// index_query, rope_table): half a warp takes a head or a row. Bit-equal to
// runtime/numerics.
//
// C of queryHeads: Heads, Width, RopeDims, Eps; of indexQuery the same without
// Eps; of storeKv: Width, RopeDims, RingRows, RowBytes, Eps; of ropeTable:
// Freqs, the number of frequencies. Blocks are of any multiple of 32 threads.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_QUERY_ROWS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_QUERY_ROWS_CUH

#include "targets/cuda/device/phases/half_row.cuh"

namespace dsv4::cuda {

struct QueryHeadsParams {
  const dsv4_step *step;
  Global<const u16> raw;
  Global<const float> tab;
  Global<u16> q;
};

/// Items: tokens x heads.
template <class C, class View>
DSV4_DEVICE void queryHeadsIn(const QueryHeadsParams &p, const View &view) {
  i64 items = StepView(p.step).tokens() * C::Heads;
  view.begin();
  auto body = [&](i64 item, bool exists) {
    HalfRow<C::Width> row;
    row.load(p.raw + item * C::Width, exists);
    row.headNorm(C::Eps);
    row.template rope<C::RopeDims>(
        TableTurn{p.tab + item / C::Heads * C::RopeDims, exists});
    row.store(p.q + item * C::Width, exists);
  };
  forHalfWarps(items, body, view);
}
template <class C> DSV4_DEVICE void queryHeads(const QueryHeadsParams &p) {
  queryHeadsIn<C>(p, WholeGrid());
}

struct IndexQueryParams {
  const dsv4_step *step;
  Global<const u16> raw;
  Global<const float> tab;
  Global<u16> q;
};

/// Items: tokens x heads.
template <class C, class View>
DSV4_DEVICE void indexQueryIn(const IndexQueryParams &p, const View &view) {
  i64 items = StepView(p.step).tokens() * C::Heads;
  view.begin();
  auto body = [&](i64 item, bool exists) {
    HalfRow<C::Width> row;
    row.load(p.raw + item * C::Width, exists);
    row.template rope<C::RopeDims>(
        TableTurn{p.tab + item / C::Heads * C::RopeDims, exists});
    row.hadamard();
    row.fakeQuantizeE2M1();
    row.store(p.q + item * C::Width, exists);
  };
  forHalfWarps(items, body, view);
}
template <class C> DSV4_DEVICE void indexQuery(const IndexQueryParams &p) {
  indexQueryIn<C>(p, WholeGrid());
}

struct StoreKvParams {
  const dsv4_step *step;
  Global<const u16> raw, norm;
  Global<const float> tab;
  Global<u8> window;
};

/// Items: tokens.
template <class C, class View>
DSV4_DEVICE void storeKvIn(const StoreKvParams &p, const View &view) {
  StepView step(p.step);
  view.begin();
  auto body = [&](i64 token, bool exists) {
    using Row = HalfRow<C::Width>;
    typename Row::template Turns<C::RopeDims> turns(
        TableTurn{p.tab + token * C::RopeDims, exists});
    Row row;
    row.load(p.raw + token * C::Width, exists);
    row.rmsNorm(p.norm, C::Eps);
    row.template rope<C::RopeDims>(turns);
    Global<u8> to = p.window;
    if (exists)
      to = step.stateOf(p.window, token) +
           i64(step.position(token) % C::RingRows) * C::RowBytes;
    row.template packKv<C::RopeDims>(to, C::RowBytes, exists);
  };
  forHalfWarps(step.tokens(), body, view);
}
template <class C> DSV4_DEVICE void storeKv(const StoreKvParams &p) {
  storeKvIn<C>(p, WholeGrid());
}

struct RopeTableParams {
  const dsv4_step *step;
  Global<float> tab;
  RopeFreqs freqs;
};

/// Items: tokens; a thread takes a pair.
template <class C> DSV4_DEVICE void ropeTable(const RopeTableParams &p) {
  StepView step(p.step);
  gridDepWait();
  gridDepLaunch();
  i64 pairs = step.tokens() * C::Freqs;
  for (i64 i = i64(blockIdX()) * blockDimX() + threadIdX(); i < pairs;
       i += i64(gridDimX()) * blockDimX()) {
    float angle = float(step.position(i / C::Freqs)) * p.freqs.of[i % C::Freqs];
    num::CosSin turn = num::cosSin(angle);
    p.tab.template setVec<2>(2 * i, Vec<float, 2>{{turn.cos, turn.sin}});
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_QUERY_ROWS_CUH
