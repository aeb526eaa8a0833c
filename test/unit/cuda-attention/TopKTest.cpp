// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// top_k under emulation against a sort: ties, both zeros, infinities,
// everything equal, lengths around a chunk. Not run on hardware.

#include "test/unit/cuda-attention/AttentionTestSupport.h"

#include <numeric>

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::top_k_configs;

namespace {

std::vector<i32> best(const u16 *scores, int visible, int k) {
  Floats s = floatsOf(scores, visible);
  std::vector<i32> ids(static_cast<size_t>(visible));
  std::iota(ids.begin(), ids.end(), 0);
  std::sort(ids.begin(), ids.end(), [&](i32 a, i32 b) {
    float x = s[size_t(a)], y = s[size_t(b)];
    return x > y || (x == y && a < b);
  });
  ids.resize(size_t(std::min(visible, k)));
  std::sort(ids.begin(), ids.end());
  ids.resize(size_t(k), -1);
  return ids;
}

template <class C>
void check(const StepRows &rows, const Halves &scores, u64 count,
           const char *what) {
  size_t size = size_t(rows.tokens() * C::K);
  std::vector<i32> ids = onAllSchedules<i32>(
      [&](Emulator &emu) {
        auto to = emu.scratch<i32>("ids", size);
        TopKParams p{rows.upload(emu), emu.input("scores", scores), to};
        emu.launch("top", {2}, {u32(C::Threads)}, TopKPlan<C>::Bytes,
                   DSV4_PHASE(p, topK, C));
        return std::pair(to, size);
      },
      count);
  for (i64 t = 0; t < rows.tokens(); ++t) {
    int visible = (rows.position[size_t(t)] + 1) / C::Ratio;
    auto want =
        best(scores.data() + t * (rows.context / C::Ratio), visible, C::K);
    for (int i = 0; i < C::K; ++i)
      ASSERT_EQ(ids[size_t(t * C::K + i)], want[size_t(i)])
          << what << ": token " << t << ", " << visible << " visible, " << i;
  }
}

StepRows stepOf(int first, int count, i64 context) {
  StepRows rows;
  rows.context = context;
  rows.add(0, first, count);
  return rows;
}

TEST(CudaTopK, FewAndMany) {
  using C = Config<16, 4, 64>;
  Randoms random;
  for (auto [first, count] :
       {std::pair(0, 7), {62, 2}, {63, 7}, {900, 7}, {4000, 1}}) {
    Halves scores = random.bf16(count * 1024, 1);
    for (size_t i = 0; i < scores.size(); i += 2) // many ties, both zeros
      scores[i] = i % 4 ? 0x8000 : 0;
    check<C>(stepOf(first, count, 4096), scores, seeds, "mixed");
  }
}

TEST(CudaTopK, Ties) {
  using C = Config<24, 4, 64>;
  Randoms random;
  for (int visible : {25, 31, 32, 33, 511, 512, 513, 1023, 1025, 1999}) {
    StepRows rows = stepOf(4 * visible - 1, 1, 8192);
    Halves scores = random.bf16(2048, 8);
    check<C>(rows, scores, 2, "random");
    for (u16 bits : {0x0000, 0x8000, 0xbf80, 0x3f80, 0xff7f, 0x7f7f}) {
      for (size_t i = 0; i < scores.size(); ++i)
        if (i % 97) // every score one number, but for some
          scores[i] = bits;
      check<C>(rows, scores, 1, "one number");
    }
    for (size_t i = 0; i < scores.size(); ++i)
      if (i % 97) // both zeros where the selection ends
        scores[i] = i % 3 ? 0 : 0x8000;
    check<C>(rows, scores, 1, "zeros");
    for (u16 &s : scores) // few numbers, infinities too
      s = u16((random() % 9 - 4) << 13 | 0x1f80);
    check<C>(rows, scores, 1, "few numbers");
  }
}

/// Rows that are not aligned: 1 entry per 128 tokens.
TEST(CudaTopK, CoarseEntries) {
  Randoms random;
  check<Config<3, 128, 32>>(stepOf(1021, 3, 1152), random.bf16(27, 3), seeds,
                            "coarse");
}

/// The model's: 512 of them, with its block of threads.
TEST(CudaTopK, RealSize) {
  Randoms random;
  check<Config<512, 4, 512>>(stepOf(40000, 1, 40064), random.bf16(10016, 3), 2,
                             "real");
}

} // namespace
