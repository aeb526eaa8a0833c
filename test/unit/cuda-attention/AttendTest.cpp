// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// attend under emulation: against R4 within the bound of docs/cuda-phases.md,
// and bit for bit against itself for other steps, tiles of heads and turns
// through the scratch. Not run on hardware.

#include "test/unit/cuda-attention/AttentionTestSupport.h"

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::attend_configs;

namespace {

/// Inputs of one step; all its sequences have the same state.
template <class C> struct Inputs {
  StepRows rows;
  Halves q;
  Floats freqs = frequencies(C::RopeDims / 2), tab, sink;
  Bytes state; // window, entries
  std::vector<i32> ids;
  i64 windowBytes = i64(C::RingRows) * C::RowBytes;

  Inputs(const StepRows &step, float spread) : rows(step) {
    Randoms random;
    std::normal_distribution<float> normal;
    auto row = [&](int n) {
      Floats x;
      for (int i = 0; i < n; ++i)
        x.push_back(num::roundBf16(normal(random.engine)));
      return x;
    };
    for (i64 i = 0; i < rows.tokens() * C::Heads * C::Width; ++i)
      q.push_back(num::floatToBf16(spread * normal(random.engine)));
    tab = ropeRows(rows, freqs);
    sink = random.floats(C::Heads, 3);
    int numEntries = (rows.most() + 1) / C::Ratio;
    for (int i = 0; i < C::RingRows + numEntries; ++i) {
      Bytes packed =
          packedKv(row(C::Width), C::Width, C::RopeDims, C::RowBytes);
      state.insert(state.end(), packed.begin(), packed.end());
    }
    rows.stride = 0;
    for (i32 position : rows.position) // ascending, then -1
      for (int i = 0, id = -1; i < C::NumIds; ++i) {
        int visible = (position + 1) / C::Ratio;
        id = visible <= C::NumIds
                 ? i
                 : id + 1 + int(random() % u32(visible / C::NumIds));
        ids.push_back(id < visible && i < visible ? id : -1);
      }
  }

  /// The stored rows of a token in the order of R4.
  std::vector<const u8 *> rowsOf(i64 t) const {
    int position = rows.position[size_t(t)];
    std::vector<const u8 *> out;
    for (int p = std::max(0, position - C::WindowSize + 1); p <= position; ++p)
      out.push_back(state.data() + p % C::RingRows * C::RowBytes);
    int visible = C::Entries == EntryRows::None ? 0 : (position + 1) / C::Ratio;
    bool selected = C::Entries == EntryRows::Selected;
    for (int i = 0; i < (selected ? std::min(visible, C::NumIds) : visible);
         ++i) {
      int id = selected ? ids[size_t(t * C::NumIds + i)] : i;
      out.push_back(state.data() + windowBytes + i64(id) * C::RowBytes);
    }
    return out;
  }
};

/// Whole tiles for the rows of a token at this position or before.
template <class C> i64 scoreRows(int position) {
  int entries = C::Entries == EntryRows::None       ? 0
                : C::Entries == EntryRows::Selected ? C::NumIds
                                                    : (position + 1) / C::Ratio;
  return (C::WindowSize + entries + 31) / 32 * 32;
}

/// The heads of all tokens; `turn` tokens at a time share the scratch.
template <class C>
Halves attend(const Inputs<C> &in, i64 turn, u64 count, u32 blocks = 3) {
  size_t size = in.q.size();
  return onAllSchedules<u16>(
      [&](Emulator &emu) {
        auto out = emu.scratch<u16>("out", size);
        auto state = emu.input("state", in.state);
        AttendParams p{};
        p.step = in.rows.upload(emu);
        p.q = emu.input("q", in.q);
        p.tab = emu.input("tab", in.tab);
        p.sink = emu.input("sink", in.sink);
        p.window = state;
        p.entries = state + in.windowBytes;
        p.ids = emu.input("ids", in.ids);
        p.headsOut = out;
        size_t heads = size_t(turn) * C::Heads;
        p.scoreRows = scoreRows<C>(in.rows.most());
        p.scores = emu.scratch<float>("scores", heads * size_t(p.scoreRows));
        p.largest = emu.scratch<float>("largest", heads * C::MaxSplits);
        std::vector<Edge> after;
        for (i64 at = 0; at < in.rows.tokens(); at += turn) {
          p.firstToken = at;
          p.numTokens = std::min(turn, in.rows.tokens() - at);
          auto first = emu.launch("scores", {blocks},
                                  {u32(AttendScoresPlan<C>::Threads)},
                                  AttendScoresPlan<C>::Bytes,
                                  DSV4_PHASE(p, attendScores, C), after);
          auto second = emu.launch(
              "values", {2 * blocks}, {u32(AttendPlan<C>::Threads)},
              AttendPlan<C>::Bytes, DSV4_PHASE(p, dsv4::cuda::attend, C),
              {{first, Edge::Programmatic}});
          after = {{second, Edge::Programmatic}};
        }
        return std::pair(out, size);
      },
      count);
}

/// One head by R4, and how far off another order of sums may be, before the
/// rotation: probabilities of both round to BF16 (2^-9 each), scores differ by
/// float32 sums, and so do the sums of values; both results round to BF16.
struct Reference {
  Floats out, bound;

  Reference(const Floats &q, const std::vector<Floats> &rows, float scale,
            float sink) {
    size_t n = q.size();
    std::vector<const float *> at;
    for (const Floats &row : rows)
      at.push_back(row.data());
    Floats scores(rows.size());
    out.resize(n);
    num::attendHead(q.data(), at.data(), i64(at.size()), i64(n), scale, sink,
                    scores.data(), out.data());
    double total = 0, most = -1e30, scoreError = 0;
    std::vector<double> s, size(n);
    for (const Floats &row : rows) {
      double dot = 0, sizes = 0;
      for (size_t i = 0; i < n; ++i) {
        dot += double(q[i]) * double(row[i]);
        sizes += std::abs(double(q[i]) * double(row[i]));
      }
      s.push_back(dot * double(scale));
      most = std::max(most, s.back());
      // Two sums of n terms in float32, each below n 2^-24 of the sizes.
      scoreError =
          std::max(scoreError, 2 * double(n) * 0x1p-24 * sizes * double(scale));
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      double p = std::exp(s[r] - most);
      total += p;
      for (size_t i = 0; i < n; ++i)
        size[i] += p * std::abs(double(rows[r][i]));
    }
    total += std::exp(double(sink) - most);
    double sums = 2 * double(rows.size()) * 0x1p-24;
    for (size_t i = 0; i < n; ++i)
      bound.push_back(
          float((0x1p-8 + 2 * scoreError + 2 * sums) * size[i] / total +
                0x1p-8 * std::abs(double(out[i]))));
  }

  /// Inverse RoPE: errors of a pair mix, and both round once more.
  void turnBack(const Floats &freqs, int position) {
    int n = int(out.size()), count = int(freqs.size());
    num::rope(out.data(), n, freqs.data(), count, position, true);
    for (int i = n - 2 * count; i < n; i += 2) {
      float both = bound[size_t(i)] + bound[size_t(i + 1)];
      for (int k = i; k < i + 2; ++k)
        bound[size_t(k)] = both + 0x1p-8f * std::abs(out[size_t(k)]);
    }
  }
};

template <class C>
void expectNear(const Inputs<C> &in, const Halves &got, int everyHead) {
  num::FlushDenormals flush;
  Tally tally("attend");
  for (i64 t = 0; t < in.rows.tokens(); ++t) {
    std::vector<Floats> rows;
    for (const u8 *row : in.rowsOf(t))
      rows.push_back(unpackedKv(row, C::Width, C::RopeDims));
    for (int h = 0; h < C::Heads; h += everyHead) {
      i64 at = (t * C::Heads + h) * C::Width;
      Reference want(floatsOf(in.q.data() + at, C::Width), rows, C::Scale,
                     in.sink[size_t(h)]);
      want.turnBack(in.freqs, in.rows.position[size_t(t)]);
      for (int i = 0; i < C::Width; ++i) {
        tally.add(num::bf16ToFloat(got[size_t(at + i)]), want.out[size_t(i)],
                  want.bound[size_t(i)], 0, [&] {
                    return "token " + std::to_string(t) + ", head " +
                           std::to_string(h) + ", dim " + std::to_string(i);
                  });
      }
    }
  }
  testing::Test::RecordProperty("rms", std::to_string(tally.rms()));
  testing::Test::RecordProperty("worst_of_bound",
                                std::to_string(tally.worstOfBound()));
  ASSERT_TRUE(tally.within());
  // Nearly all values are R4's own. Probabilities that refer to another
  // maximum, which round elsewhere, make this about 2^-9.
  EXPECT_LT(tally.rms(), 0x1p-13);
}

StepRows stepOf(std::initializer_list<std::pair<int, int>> parts) {
  StepRows rows;
  for (auto [first, count] : parts)
    rows.add(i32(rows.position.size()), first, count);
  return rows;
}

template <class C> void check(const StepRows &rows, float spread, u64 count) {
  Inputs<C> in(rows, spread);
  expectNear(in, attend(in, rows.tokens(), count), 1);
}

TEST(CudaAttend, WindowAlone) {
  check<Small<EntryRows::None>>(stepOf({{0, 2}, {37, 4}, {1000, 1}}), 1, seeds);
}

/// Up to 290 rows: splits of 128, the last one with two rows more than a tile.
TEST(CudaAttend, AllEntries) {
  check<Small<EntryRows::All>>(stepOf({{999, 2}, {130, 1}}), 1, seeds);
  check<Small<EntryRows::All, 5>>(stepOf({{500, 1}}), 8, 4);
}

/// More ids than entries, and as many.
TEST(CudaAttend, SelectedEntries) {
  check<Small<EntryRows::Selected>>(stepOf({{18, 3}, {118, 3}, {900, 1}}), 1,
                                    seeds);
}

TEST(CudaAttend, RealSize) {
  Inputs<Real> in(stepOf({{5000, 1}}), 1);
  expectNear(in, attend(in, 1, 2, 7), 7);
}

/// A token's bits are its own: alone or among others, whatever tile of heads,
/// number of blocks and turns through the scratch.
TEST(CudaAttend, BatchInvariance) {
  using C = Small<EntryRows::All>;
  using Wide = Small<EntryRows::All, 20, 32>;
  StepRows rows = stepOf({{997, 4}, {36, 2}, {520, 1}});
  Inputs<C> in(rows, 1);
  Halves all = attend(in, rows.tokens(), 2, 5);
  EXPECT_SAME(attend(in, 3, 2, 1), all) << "three at a time";
  Inputs<Wide> wide(rows, 1);
  ASSERT_EQ(in.q, wide.q);
  EXPECT_SAME(attend(wide, 2, 2, 4), all) << "another tile of heads";
  i64 size = C::Heads * C::Width;
  for (i64 t = 0; t < rows.tokens(); ++t) {
    Inputs<C> one = in;
    one.rows = stepOf({{rows.position[size_t(t)], 1}});
    one.rows.stride = 0;
    one.q = Halves(in.q.begin() + t * size, in.q.begin() + (t + 1) * size);
    one.tab = Floats(in.tab.begin() + t * C::RopeDims,
                     in.tab.begin() + (t + 1) * C::RopeDims);
    one.ids = std::vector<i32>(in.ids.begin() + t * C::NumIds,
                               in.ids.begin() + (t + 1) * C::NumIds);
    EXPECT_SAME(attend(one, 1, 1, 2),
                Halves(all.begin() + t * size, all.begin() + (t + 1) * size))
        << "token " << t << " alone";
  }
}

} // namespace
