// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.linear under emulation: against R1 within the bound, the same bits under
// every schedule, and the same bits for a token whatever step it comes in.

#include "test/unit/cuda-linear/LinearTools.h"

namespace dsv4::cuda::test {
namespace {

/// A phase of several jobs on one set of activations.
struct Products {
  std::vector<HostJob> jobs;
  Activations quantised, plain; // for FP8 and FP4, for BF16
};

struct Run {
  Result result;
  std::vector<std::vector<float>> y; // per job: [rows][n]
};

struct Ran {
  u64 seed;
  u32 tokens, first = 0; // of the activations
  u32 blocks = 3;
};

Activations part(const Activations &x, u32 first, u32 rows) {
  auto begin = x.bits.begin() + i64(first) * x.k;
  return {rows, x.k, std::vector<u16>(begin, begin + i64(rows) * x.k)};
}

template <class C> Run run(const Products &phase, Ran how) {
  Emulator emu({.seed = how.seed, .residentBlocks = 4});
  auto rows = emu.input<i64>("rows", {how.tokens});
  LinearParams params{};
  params.rows = rows;
  params.numJobs = u32(phase.jobs.size());
  DeviceX codes = uploadX(emu, part(phase.quantised, how.first, how.tokens),
                          true, rows, blockBytes<C>());
  DeviceX plain =
      uploadX(emu, part(phase.plain, how.first, how.tokens), false, rows, 0);
  for (u32 i = 0; i < params.numJobs; ++i) {
    const HostJob &host = phase.jobs[i];
    MatrixJob &job = params.jobs[i] = deviceJob(host, blockBytes<C>());
    job.w = emu.input("w", mustPack(host.matrix));
    job.x = readsBf16(job.format) ? plain.data : codes.data;
    size_t count = size_t(how.tokens) * job.rows;
    job.y = emu.scratch<u8>("y", count * (host.floatOut ? 4 : 2));
    job.partials = emu.scratch<float>("partials", count * host.split);
  }
  LaunchId id = emu.launch("linear", {how.blocks}, {MatrixPlan<C>::threads},
                           MatrixPlan<C>::sharedBytes,
                           DSV4_PHASE(params, linear, C), codes.edges);
  if (C::partials)
    emu.launch("reduce", {2}, {64}, 0,
               DSV4_PHASE(params, reduce, ReduceConfig<1>, LinearParams),
               {{id, Edge::Programmatic}});
  Run out{emu.run(), {}};
  for (u32 i = 0; i < params.numJobs; ++i)
    out.y.push_back(floatsOf(params.jobs[i].y,
                             size_t(how.tokens) * params.jobs[i].rows,
                             phase.jobs[i].floatOut));
  return out;
}

/// Every element within the bound of R1; BF16 results within half a unit more.
template <class C>
void expectR1(const Products &phase, const Run &run, u32 tokens) {
  for (size_t j = 0; j < phase.jobs.size(); ++j) {
    const HostJob &host = phase.jobs[j];
    bool bf16 = host.wide || host.matrix.layout.format() == TileFormat::Bf16;
    i64 n = host.matrix.layout.rows(), k = host.matrix.layout.k();
    Tally tally("job " + std::to_string(j));
    for (u32 t = 0; t < tokens; ++t) {
      std::vector<float> x = (bf16 ? phase.plain : phase.quantised).row(t);
      for (i64 row = 0; row < n; ++row) {
        const float *from = x.data() + row / (n / host.xGroups) * k;
        Expected want = expected(host.matrix, row, from, host.split, C::mma);
        double half = host.floatOut ? 0 : std::abs(want.value) * 0x1.01p-8;
        tally.add(run.y[j][t * n + row], want.value, want.bound + half,
                  want.dropped, [&] {
                    return "token " + std::to_string(t) + " row " +
                           std::to_string(row);
                  });
      }
    }
    ASSERT_TRUE(tally.within());
  }
}

Products fp8Phase(u32 tokens) {
  return {{{randomMatrix(TileFormat::Fp8, 200, 640, 100, 125, 1), 1, 2},
           {randomMatrix(TileFormat::Fp8, 70, 640, 100, 125, 2), 1, 1, false}},
          makeActivations(tokens, 640, true, 3),
          makeActivations(tokens, 640, false, 4)};
}

/// Formats side by side, parts, ragged rows, escapes, and a K of BF16 that is
/// no multiple of 128.
Products mixedPhase(u32 tokens) {
  Matrix fp4 = randomMatrix(TileFormat::Fp4, 130, 640, 112, 120, 5);
  for (int row = 0; row < 20; ++row)
    fp4.scales[row * 20 + 3] += 13; // beyond offsets: escapes
  return {{{fp4, 1, 3},
           {randomMatrix(TileFormat::Fp8, 65, 640, 100, 125, 6), 1, 2, false},
           {randomMatrix(TileFormat::Bf16, 90, 608, 0, 0, 7), 1, 2}},
          makeActivations(tokens, 640, true, 8),
          makeActivations(tokens, 608, false, 9)};
}

/// Random BF16 bits may be huge or NaN: weights of a model's size instead.
void tame(Products &phase) {
  for (HostJob &job : phase.jobs)
    if (job.matrix.layout.format() == TileFormat::Bf16)
      for (size_t i = 1; i < job.matrix.data.size(); i += 2)
        job.matrix.data[i] =
            u8((job.matrix.data[i] & 0x80) | 0x3a | (job.matrix.data[i] & 4));
}

template <class C> class CudaLinear : public testing::Test {};

using Wgmma8 = TestConfig<MmaKind::Wgmma, 8, true>;
using Wgmma16 = TestConfig<MmaKind::Wgmma, 16, false>;
using Wgmma32 = TestConfig<MmaKind::Wgmma, 32, false, true, 1>;
using Wgmma64 = TestConfig<MmaKind::Wgmma, 64, false>;
using E4m3Bulk = TestConfig<MmaKind::E4M3, 8, true>;
using E4m3Async = TestConfig<MmaKind::E4M3, 16, false, false>;
using F16Bulk = TestConfig<MmaKind::F16, 32, false>;
using F16Async = TestConfig<MmaKind::F16, 8, true, false>;
using F16Tile16 = TestConfig<MmaKind::F16, 16, false>;
using F16Tile64 = TestConfig<MmaKind::F16, 64, false, true, 1>;
using Configs =
    testing::Types<Wgmma8, WgmmaFours, WgmmaThrees, Wgmma16, Wgmma32, Wgmma64,
                   E4m3Bulk, E4m3Async, F16Bulk, F16Async>;
TYPED_TEST_SUITE(CudaLinear, Configs);

TYPED_TEST(CudaLinear, IsR1WithinTheBound) {
  for (u32 tokens : {1u, 2u, 7u, 21u}) {
    for (bool mixed : {false, true}) {
      Products phase = mixed ? mixedPhase(tokens) : fp8Phase(tokens);
      tame(phase);
      Run got = run<TypeParam>(phase, {tokens + 10, tokens});
      ASSERT_TRUE(got.result.ok()) << got.result.text();
      expectR1<TypeParam>(phase, got, tokens);
      if (testing::Test::HasFatalFailure())
        return;
    }
  }
}

TYPED_TEST(CudaLinear, TheSameUnderEverySchedule) {
  Products phase = mixedPhase(7);
  tame(phase);
  Run first = run<TypeParam>(phase, {1, 7});
  for (u64 seed = 2; seed <= schedules(20); ++seed) {
    Run again = run<TypeParam>(phase, {seed, 7, 0, u32(1 + seed % 5)});
    ASSERT_TRUE(again.result.ok()) << again.result.text();
    for (size_t j = 0; j < first.y.size(); ++j)
      ASSERT_SAME(again.y[j], first.y[j]) << "job " << j << " seed " << seed;
  }
}

/// wo_a: every group of rows has columns of its own.
TYPED_TEST(CudaLinear, Groups) {
  for (TileFormat format : {TileFormat::Fp8, TileFormat::Bf16}) {
    Products phase{{{randomMatrix(format, 256, 256, 110, 120, 11), 4, 1},
                    {randomMatrix(format, 384, 512, 110, 120, 12), 2, 2}},
                   makeActivations(3, 1024, true, 13),
                   makeActivations(3, 1024, false, 14)};
    tame(phase);
    Run got = run<TypeParam>(phase, {5, 3});
    ASSERT_TRUE(got.result.ok()) << got.result.text();
    expectR1<TypeParam>(phase, got, 3);
  }
}

/// wo_a again: rows that no block of E4M3 could hold, for decode and prefill.
TEST(CudaLinearWide, IsR1AndTheSameInEveryTile) {
  HostJob job{randomMatrix(TileFormat::Fp8, 256, 256, 110, 120, 21), 4, 2};
  job.wide = true;
  HostJob other{randomMatrix(TileFormat::Fp8, 130, 1024, 110, 120, 22), 1, 3};
  Products phase{{job, other},
                 makeActivations(21, 1024, true, 23),
                 makeActivations(21, 1024, false, 24)};
  using Decode = WideConfig<8, true>;
  auto whole = run<WideConfig<32, false>>(phase, {3, 21});
  auto eight = run<Decode>(phase, {4, 8, 9});
  auto one = run<Decode>(phase, {5, 1, 12});
  for (auto *r : {&whole, &eight, &one})
    ASSERT_TRUE(r->result.ok()) << r->result.text();
  expectR1<Decode>(phase, whole, 21);
  for (size_t j = 0; j < 2; ++j) {
    size_t n = one.y[j].size();
    auto row = [&](const auto &r, size_t at) {
      return std::vector<float>(r.y[j].begin() + i64(at * n),
                                r.y[j].begin() + i64((at + 1) * n));
    };
    EXPECT_SAME(row(whole, 12), one.y[j]) << "job " << j;
    EXPECT_SAME(row(eight, 3), one.y[j]) << "job " << j;
  }
}

/// More than 32 blocks of k, whose header bytes come 32 at a time, and parts
/// that begin anywhere in a stage.
TYPED_TEST(CudaLinear, LongK) {
  constexpr i64 k = 75 * 128;
  Products phase{{{randomMatrix(TileFormat::Fp4, 64, k, 112, 120, 15), 1, 1},
                  {randomMatrix(TileFormat::Fp8, 64, k, 110, 120, 16), 1, 2}},
                 makeActivations(2, k, true, 17),
                 makeActivations(2, k, false, 18)};
  Run got = run<TypeParam>(phase, {5, 2});
  ASSERT_TRUE(got.result.ok()) << got.result.text();
  expectR1<TypeParam>(phase, got, 2);
}

TYPED_TEST(CudaLinear, NoTokens) {
  Products phase = fp8Phase(1);
  Emulator emu;
  LinearParams params{};
  params.rows = emu.input<i64>("rows", {0});
  params.numJobs = 1;
  params.jobs[0] = deviceJob(phase.jobs[0], blockBytes<TypeParam>());
  using C = TypeParam;
  emu.launch("linear", {2}, {MatrixPlan<C>::threads},
             MatrixPlan<C>::sharedBytes, DSV4_PHASE(params, linear, C));
  Result result = emu.run();
  EXPECT_TRUE(result.ok()) << result.text();
}

/// A token's row is the same bits alone, among eight, and in a prefill tile, in
/// whatever column it comes: per kind of instruction, since kinds differ in how
/// they add.
template <class Decode, class... Prefill> void expectInvariant() {
  Products phase = mixedPhase(21);
  tame(phase);
  std::vector<Run> whole = {run<Prefill>(phase, {3, 21})...};
  whole.push_back(run<Decode>(phase, {4, 21}));
  Run eight = run<Decode>(phase, {5, 8, 9}),
      one = run<Decode>(phase, {6, 1, 12});
  auto rowOf = [](const std::vector<float> &y, size_t n, size_t row) {
    return std::vector<float>(y.begin() + i64(row * n),
                              y.begin() + i64((row + 1) * n));
  };
  for (size_t j = 0; j < phase.jobs.size(); ++j) {
    size_t n = size_t(phase.jobs[j].matrix.layout.rows());
    EXPECT_SAME(rowOf(eight.y[j], n, 3), one.y[j]) << "job " << j;
    for (size_t i = 0; i < whole.size(); ++i) {
      ASSERT_TRUE(whole[i].result.ok()) << whole[i].result.text();
      EXPECT_SAME(rowOf(whole[i].y[j], n, 12), one.y[j])
          << "job " << j << ", config " << i << " of the larger ones";
    }
  }
}

TEST(CudaLinearInvariance, OfWgmma) {
  expectInvariant<Wgmma8, Wgmma16, Wgmma32, Wgmma64>();
}
TEST(CudaLinearInvariance, OfE4m3) { expectInvariant<E4m3Bulk, E4m3Async>(); }
TEST(CudaLinearInvariance, OfF16) {
  expectInvariant<F16Async, F16Tile16, F16Bulk, F16Tile64>();
}

} // namespace
} // namespace dsv4::cuda::test
