// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// query_heads, store_kv, index_query, rope_table under emulation, bit for bit
// against runtime/numerics. Not run on hardware.

#include "test/unit/cuda-attention/AttentionTestSupport.h"

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::query_configs;

namespace {

constexpr float Eps = 1e-6f;

/// Three sequences of 1, 2 and 4 tokens, or the first of them.
StepRows stepOf(int sequences) {
  StepRows rows;
  rows.add(2, 70001, 1);
  if (sequences > 1)
    rows.add(0, 0, 2);
  if (sequences > 2)
    rows.add(1, 14, 4);
  return rows;
}

template <class C, class Params, class MakePhase>
Halves runHeads(const StepRows &rows, const Halves &raw, const Floats &tab,
                MakePhase phase, u32 blocks, u32 threads) {
  return onAllSchedules<u16>([&](Emulator &emu) {
    auto q = emu.scratch<u16>("q", raw.size());
    Params p{rows.upload(emu), emu.input("raw", raw), emu.input("tab", tab), q};
    emu.launch("heads", {blocks}, {threads}, 0, phase(p));
    return std::pair(q, raw.size());
  });
}

template <class C> void checkQueryHeads(int sequences, u32 blocks) {
  StepRows rows = stepOf(sequences);
  Randoms random;
  i64 items = rows.tokens() * C::Heads;
  Halves raw = random.bf16(items * C::Width);
  // Every other head has three magnitudes, so that roundings of their squares
  // add up.
  for (i64 i = C::Width; i < items * C::Width; ++i)
    if (i64 head = i / C::Width; head % 2)
      raw[size_t(i)] = u16((raw[size_t(i)] & 0x8000) | 0x3f80 |
                           ((head * 29 + i % 3 * 41) & 127));
  Floats freqs = frequencies(C::RopeDims / 2), tab = ropeRows(rows, freqs);
  Halves q = runHeads<C, QueryHeadsParams>(
      rows, raw, tab,
      [](const auto &p) { return DSV4_PHASE(p, queryHeads, C); }, blocks, 64);
  num::FlushDenormals flush;
  for (i64 i = 0; i < items; ++i) {
    Floats want = floatsOf(raw.data() + i * C::Width, C::Width);
    num::headNorm(want.data(), want.data(), C::Width, Eps);
    num::rope(want.data(), C::Width, freqs.data(), C::RopeDims / 2,
              rows.position[size_t(i / C::Heads)], false);
    ASSERT_SAME(floatsOf(q.data() + i * C::Width, C::Width), want) << i;
  }
}

TEST(CudaQueryRows, QueryHeads) {
  checkQueryHeads<HeadsConfig<5, 128, 64>>(1, 3);
  checkQueryHeads<HeadsConfig<3, 128, 32>>(2, 1);
  checkQueryHeads<HeadsConfig<3, 512, 64>>(3, 4);
}

template <class C> void checkIndexQuery(int sequences, int spread) {
  StepRows rows = stepOf(sequences);
  Randoms random;
  i64 items = rows.tokens() * C::Heads;
  Halves raw = random.bf16(items * C::Width, spread);
  for (int i = 0; i < C::Width; ++i) // a head of zeros, some negative
    raw[size_t(i)] = i % 3 ? 0 : 0x8000;
  Floats freqs = frequencies(C::RopeDims / 2), tab = ropeRows(rows, freqs);
  Halves q = runHeads<C, IndexQueryParams>(
      rows, raw, tab,
      [](const auto &p) { return DSV4_PHASE(p, indexQuery, C); }, 2, 96);
  num::FlushDenormals flush;
  for (i64 i = 0; i < items; ++i) {
    Floats want = floatsOf(raw.data() + i * C::Width, C::Width);
    num::rope(want.data(), C::Width, freqs.data(), C::RopeDims / 2,
              rows.position[size_t(i / C::Heads)], false);
    num::hadamard(want.data(), C::Width);
    num::fakeQuantizeE2M1(want.data(), C::Width);
    for (float &w : want)
      w = num::roundBf16(w);
    ASSERT_SAME(floatsOf(q.data() + i * C::Width, C::Width), want) << i;
  }
}

TEST(CudaQueryRows, IndexQuery) {
  checkIndexQuery<HeadsConfig<3, 128, 64>>(1, 4);
  checkIndexQuery<HeadsConfig<5, 128, 64>>(3, 8);
  checkIndexQuery<HeadsConfig<2, 64, 32>>(2, 100);
  checkIndexQuery<HeadsConfig<1, 32, 16>>(2, 4);
}

/// The rows of the step at their slots; every other byte stays.
template <class C> void checkStoreKv(int sequences) {
  StepRows rows = stepOf(sequences);
  rows.stride = C::RingRows * C::RowBytes + 64;
  Randoms random;
  Halves raw = random.bf16(rows.tokens() * C::Width);
  Halves norm = random.bf16(C::Width, 1);
  for (int i = 64; i < 128; ++i) // a block below the floor of scales
    raw[size_t(i)] &= 0x8000;
  Floats freqs = frequencies(C::RopeDims / 2), tab = ropeRows(rows, freqs);
  Bytes want(size_t(3 * rows.stride), 0xa5);
  Bytes window = onAllSchedules<u8>([&](Emulator &emu) {
    auto state = emu.buffer("window", want);
    StoreKvParams p{rows.upload(emu), emu.input("raw", raw),
                    emu.input("norm", norm), emu.input("tab", tab), state};
    emu.launch("store", {2}, {64}, 0, DSV4_PHASE(p, storeKv, C));
    return std::pair(state, want.size());
  });
  num::FlushDenormals flush;
  Floats weight = floatsOf(norm.data(), C::Width);
  for (i64 t = 0; t < rows.tokens(); ++t) {
    Floats x = floatsOf(raw.data() + t * C::Width, C::Width);
    num::rmsNorm(x.data(), weight.data(), x.data(), C::Width, Eps);
    i32 position = rows.position[size_t(t)];
    num::rope(x.data(), C::Width, freqs.data(), C::RopeDims / 2, position,
              false);
    test::Bytes row = packedKv(x, C::Width, C::RopeDims, C::RowBytes);
    std::copy(row.begin(), row.end(),
              want.begin() + rows.sequence[size_t(t)] * rows.stride +
                  position % C::RingRows * C::RowBytes);
  }
  ASSERT_SAME(window, want);
}

TEST(CudaQueryRows, StoreKv) {
  checkStoreKv<StoreConfig<512, 64, 584, 16>>(1);
  checkStoreKv<StoreConfig<512, 64, 584, 16>>(3);
  checkStoreKv<StoreConfig<192, 64, 264, 5>>(2);
}

TEST(CudaQueryRows, RopeTable) {
  StepRows rows = stepOf(3);
  rows.position.back() = 1048575;
  Floats freqs = frequencies(7), want = ropeRows(rows, freqs);
  Floats tab = onAllSchedules<float>([&](Emulator &emu) {
    auto to = emu.scratch<float>("tab", want.size());
    RopeTableParams p{rows.upload(emu), to, byValue(freqs)};
    emu.launch("rope", {2}, {32}, 0, DSV4_PHASE(p, ropeTable, FreqsConfig));
    return std::pair(to, want.size());
  });
  ASSERT_SAME(tab, want);
}

} // namespace
