// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// compress and carry under emulation: a sequence that arrives in steps of
// varying size, beside another one, stores what a scalar loop over all tokens
// stores, bit for bit. Not run on hardware.

#include "test/unit/cuda-attention/AttentionTestSupport.h"

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::compress_configs;

namespace {

template <class C> class Check {
  static constexpr int W = CarryConfig<C>::Width, D = C::Width;
  /// Tiles are for index rows; coarse rows are wider.
  using Tile = IndexTile<C::Index ? D : 128>;
  static constexpr i64 CarryBytes = i64(C::CarrySlots) * W * 8;

public:
  Check(int length)
      : length(length), u(random.floats(length * W, 4)),
        g(random.floats(length * W, 6)), ape(random.floats(C::Ratio * W, 2)),
        norm(random.bf16(D, 1)), freqs(frequencies(C::RopeDims / 2)) {
    entries = length / C::Ratio;
    entryBytes = C::Index ? i64(entries + 15) / 16 * Tile::Bytes
                          : i64(entries) * C::RowBytes;
    entryBytes = (entryBytes + 15) / 16 * 16;
  }

  /// Sequence 1 in steps of these sizes; sequence 0 gets the same tokens one at
  /// a time in the same steps, as far as they go.
  void run(const std::vector<int> &steps, u64 count) {
    Bytes state = onAllSchedules<u8>(
        [&](Emulator &emu) { return launchAll(emu, steps); }, count);
    num::FlushDenormals flush;
    for (int e = 0; e < entries; ++e)
      expectEntry(state.data() + stride() + CarryBytes, e);
    for (int e = 0; e < i32(steps.size()) / C::Ratio; ++e)
      expectEntry(state.data() + CarryBytes, e);
  }

private:
  i64 stride() const { return CarryBytes + entryBytes; }

  std::pair<Global<u8>, size_t> launchAll(Emulator &emu,
                                          const std::vector<int> &steps) {
    auto state = emu.buffer("state", Bytes(size_t(2 * stride()), 0xa5));
    auto apes = emu.input("ape", ape);
    auto norms = emu.input("norm", norm);
    RopeFreqs turns = byValue(freqs);
    std::vector<Edge> after;
    int at = 0, turn = 0;
    for (int size : steps) {
      StepRows rows;
      rows.stride = stride();
      rows.add(0, turn, 1);
      rows.add(1, at, size);
      Floats stepU, stepG;
      for (int t : rows.position)
        for (int i = 0; i < W; ++i) {
          stepU.push_back(u[size_t(t * W + i)]);
          stepG.push_back(g[size_t(t * W + i)]);
        }
      const dsv4_step *step = rows.upload(emu);
      auto us = emu.input("u", stepU), gs = emu.input("g", stepG);
      CompressParams c{step, us, gs, apes, norms, state, state + CarryBytes,
                       turns};
      CarryParams k{step, us, gs, state};
      auto first = emu.launch("compress", {2}, {64}, D * 4,
                              DSV4_PHASE(c, compress, C), after);
      auto second = emu.launch("carry", {3}, {32}, 0,
                               DSV4_PHASE(k, carry, CarryConfig<C>),
                               {{first, Edge::Programmatic}});
      after = {{second, Edge::Programmatic}};
      at += size;
      ++turn;
    }
    return {state, size_t(2 * stride())};
  }

  /// R5, R12, R13 over the tokens of the entry, and of the one before.
  Floats pooled(int entry) const {
    Floats row(static_cast<size_t>(D));
    for (int i = 0; i < D; ++i) {
      int from = C::Overlap && entry > 0 ? entry - 1 : entry;
      auto at = [&](i64 t) {
        bool own = C::Overlap && t / C::Ratio == entry;
        return size_t(t * W + (own ? D : 0) + i);
      };
      auto apeAt = [&](i64 t) {
        bool own = C::Overlap && t / C::Ratio == entry;
        return size_t(t % C::Ratio * W + (own ? D : 0) + i);
      };
      row[size_t(i)] = num::roundBf16(num::poolChannel(
          i64(from) * C::Ratio, i64(entry + 1) * C::Ratio,
          [&](i64 t) { return g[at(t)] + ape[apeAt(t)]; },
          [&](i64 t) { return u[at(t)]; }));
    }
    Floats weight = floatsOf(norm.data(), D);
    num::rmsNorm(row.data(), weight.data(), row.data(), D, C::Eps);
    num::rope(row.data(), D, freqs.data(), C::RopeDims / 2, entry * C::Ratio,
              false);
    return row;
  }

  void expectEntry(const u8 *rows, int entry) const {
    Floats x = pooled(entry);
    if (C::Index)
      return expectIndexRow(rows, entry, x);
    Bytes want = packedKv(x, D, C::RopeDims, C::RowBytes);
    for (int i = 0; i < C::RowBytes; ++i)
      ASSERT_EQ(rows[entry * C::RowBytes + i], want[size_t(i)])
          << "entry " << entry << ", byte " << i;
  }

  void expectIndexRow(const u8 *rows, int entry, Floats x) const {
    num::hadamard(x.data(), D);
    const u8 *tile = rows + entry / 16 * Tile::Bytes;
    for (int k = 0; k < D; ++k) {
      int group = k / 32;
      u8 byte = num::scaleByte(x.data() + 32 * group, 32, 6 * 0x1p-126f,
                               float(1.0 / 6));
      ASSERT_EQ(tile[Tile::scale(entry % 16, group)], byte) << entry;
      const u8 *at = tile + 4 * Tile::word(entry % 16, group, k % 32 / 8);
      u32 word =
          u32(at[0]) | u32(at[1]) << 8 | u32(at[2]) << 16 | u32(at[3]) << 24;
      float q =
          num::roundE2M1(num::clamp(x[size_t(k)] * num::inverseScale(byte), 6));
      ASSERT_EQ(indexCode(word, u32(k % 8)), num::e2m1Code(q))
          << "entry " << entry << ", element " << k;
    }
  }

  Randoms random;
  int length, entries;
  i64 entryBytes;
  Floats u, g, ape;
  Halves norm;
  Floats freqs;
};

TEST(CudaCompress, OverlappingRows) {
  Check<Config<128, true, 4, 8, false>>(23).run({1, 2, 7, 1, 1, 1, 10}, seeds);
}

TEST(CudaCompress, IndexRows) {
  Check<Config<128, true, 4, 8, true>>(71).run({3, 1, 64, 1, 1, 1}, seeds);
}

TEST(CudaCompress, NarrowIndexRows) {
  Check<Config<64, true, 4, 8, true>>(71).run({3, 1, 64, 1, 1, 1}, 4);
}

TEST(CudaCompress, CoarseRows) {
  Check<Config<192, false, 16, 16, false>>(50).run({15, 1, 17, 2, 15}, seeds);
}

} // namespace
