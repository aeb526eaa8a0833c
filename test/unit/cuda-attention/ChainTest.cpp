// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All attention phases of a layer as a chain of dependent launches, over steps
// of 18, 1 and 2 tokens: each knows of the one before alone, and state begins
// unwritten, so that a phase which reads what nobody wrote, or does not wait,
// is found. The bits are those of every schedule, and of another way to cut the
// steps. Not run on hardware.

#include "test/unit/cuda-attention/AttentionTestSupport.h"

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::chain_configs;

namespace {

constexpr int Tokens = 21, W = 2 * Layer::Width;

/// Everything that comes from projections, for all tokens.
struct Projections {
  Randoms random;
  Halves heads = random.bf16(Tokens * Layer::Heads * Layer::Width, 2);
  Halves indexHeads = random.bf16(Tokens * Layer::Heads * Layer::Width, 2);
  Halves kv = random.bf16(Tokens * Layer::Width, 2);
  Halves weights = random.bf16(Tokens * Layer::Heads, 1);
  Halves norm = random.bf16(Layer::Width, 0);
  Floats u = random.floats(Tokens * W, 2), g = random.floats(Tokens * W, 2);
  Floats ape = random.floats(Layer::Ratio * W), sink = random.floats(3);
  Floats freqs = frequencies(Layer::Freqs);
};

template <class T>
std::vector<T> part(const std::vector<T> &of, int from, int count) {
  auto width = of.size() / Tokens;
  return {of.begin() + from * i64(width),
          of.begin() + (from + count) * i64(width)};
}

/// Launches the steps; each launch depends on the one before.
class Chain {
public:
  Chain(Emulator &emu, const Projections &in) : emu(emu), in(in) {
    out = emu.scratch<u16>("out", in.heads.size());
    window = emu.scratch<u8>("window", Layer::RingRows * Layer::RowBytes);
    entries = emu.scratch<u8>("entries", Tokens / 4 * Layer::RowBytes);
    tiles = emu.scratch<u8>("tiles", IndexTile<128>::Bytes);
    carries = emu.scratch<u8>("carry", Layer::CarrySlots * W * 8);
    indexCarries = emu.scratch<u8>("carry2", Layer::CarrySlots * W * 8);
    norm = emu.input("norm", in.norm);
    ape = emu.input("ape", in.ape);
    freqs = byValue(in.freqs);
    sink = emu.input("sink", in.sink);
  }

  void step(int first, int count) {
    StepRows rows;
    rows.context = 128;
    rows.add(0, first, count);
    at = rows.upload(emu);
    auto tab = emu.scratch<float>("tab", size_t(count * Layer::RopeDims));
    RopeTableParams turns{at, tab, freqs};
    add(0, DSV4_PHASE(turns, ropeTable, Layer));
    auto q = attentionRows(tab, first, count);
    compressor(first, count);
    auto ids = indexer(tab, first, count);
    attention(q, tab, ids, first, count);
  }

  Global<u16> out;

private:
  Global<u16> attentionRows(Global<float> tab, int first, int count) {
    auto heads = part(in.heads, first, count);
    auto q = emu.scratch<u16>("q", heads.size());
    QueryHeadsParams query{at, emu.input("heads", heads), tab, q};
    add(0, DSV4_PHASE(query, queryHeads, Layer));
    StoreKvParams store{at, emu.input("kv", part(in.kv, first, count)), norm,
                        tab, window};
    add(0, DSV4_PHASE(store, storeKv, Layer));
    return q;
  }

  void compressor(int first, int count) {
    auto u = emu.input("u", part(in.u, first, count));
    auto g = emu.input("g", part(in.g, first, count));
    CompressParams pool{at, u, g, ape, norm, carries, entries, freqs};
    add(Layer::Width * 4, DSV4_PHASE(pool, compress, Layer));
    CarryParams keep{at, u, g, carries};
    add(0, DSV4_PHASE(keep, carry, CarryLayer));
    CompressParams index{at, u, g, ape, norm, indexCarries, tiles, freqs};
    add(Layer::Width * 4, DSV4_PHASE(index, compress, IndexLayer));
    CarryParams keepIndex{at, u, g, indexCarries};
    add(0, DSV4_PHASE(keepIndex, carry, CarryLayer));
  }

  Global<i32> indexer(Global<float> tab, int first, int count) {
    auto raw = part(in.indexHeads, first, count);
    auto q = emu.scratch<u16>("iq", raw.size());
    auto scores = emu.scratch<u16>("scores", size_t(count * 32));
    auto ids = emu.scratch<i32>("ids", size_t(count * Layer::K));
    IndexQueryParams query{at, emu.input("iheads", raw), tab, q};
    add(0, DSV4_PHASE(query, indexQuery, Layer));
    IndexScoreParams score{
        at, q, emu.input("w", part(in.weights, first, count)), tiles, scores};
    add(IndexScorePlan<Layer>::Bytes, DSV4_PHASE(score, indexScore, Layer));
    TopKParams top{at, scores, ids};
    add(TopKPlan<Layer>::Bytes, DSV4_PHASE(top, topK, Layer));
    return ids;
  }

  void attention(Global<u16> q, Global<float> tab, Global<i32> ids, int first,
                 int count) {
    size_t heads = size_t(count) * Layer::Heads;
    constexpr i64 scoreRows = 512;
    AttendParams p{at,
                   q,
                   tab,
                   sink,
                   window,
                   entries,
                   ids,
                   out + first * Layer::Heads * Layer::Width,
                   emu.scratch<float>("scores", heads * scoreRows),
                   emu.scratch<float>("largest", heads * Layer::MaxSplits),
                   scoreRows,
                   0,
                   count};
    add(AttendScoresPlan<Layer>::Bytes, DSV4_PHASE(p, attendScores, Layer),
        128);
    add(AttendPlan<Layer>::Bytes, DSV4_PHASE(p, attend, Layer), 256);
  }

  void add(u32 shared, const Phase &body, u32 threads = 64) {
    std::vector<Edge> edges;
    if (launches > 0)
      edges = {{last, Edge::Programmatic}};
    last = emu.launch("phase", {2}, {threads}, shared, body, edges);
    ++launches;
  }

  Emulator &emu;
  const Projections &in;
  const dsv4_step *at = nullptr;
  Global<u8> window, entries, tiles, carries, indexCarries;
  Global<const u16> norm;
  Global<const float> ape, sink;
  RopeFreqs freqs;
  u32 last = 0, launches = 0;
};

Halves run(const Projections &in, const std::vector<int> &steps, u64 count) {
  return onAllSchedules<u16>(
      [&](Emulator &emu) {
        Chain chain(emu, in);
        int at = 0;
        for (int size : steps) {
          chain.step(at, size);
          at += size;
        }
        EXPECT_EQ(at, Tokens);
        return std::pair(chain.out, in.heads.size());
      },
      count);
}

TEST(CudaAttentionChain, EveryScheduleAndStep) {
  Projections in;
  Halves out = run(in, {18, 1, 2}, seeds);
  EXPECT_SAME(run(in, {1, 2, 3, 1, 7, 7}, 4), out) << "cut otherwise";
  for (u16 h : out)
    ASSERT_NE(h & 0x7f80, 0x7f80) << "no number";
}

} // namespace
