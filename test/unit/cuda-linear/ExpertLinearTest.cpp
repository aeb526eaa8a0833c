// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.expert_linear under emulation: sorted lists of rows, two matrices in one
// phase, token rows and slot rows, experts apart from the others as on the
// host; against R1, over schedules, and the same bits for a token whoever
// shares its expert and wherever experts lie.

#include "test/unit/cuda-linear/LinearTools.h"

namespace dsv4::cuda::test {
namespace {

constexpr u32 experts = 6, perToken = 3, k = 384, n = 130;

/// Experts' matrices, one after another as in a weight buffer, with room for
/// the most escapes; those of `cold` in a buffer of their own.
struct Bank {
  std::vector<Matrix> matrices;
  Bytes packed, cold;
  i64 stride = 0;
};

Bank makeBank(TileFormat format, unsigned seed, std::vector<u32> cold) {
  Bank bank;
  std::vector<Bytes> all;
  for (u32 e = 0; e < experts; ++e) {
    Matrix m = randomMatrix(format, n, k, 112, 120, seed + e);
    if (e == 2 && format == TileFormat::Fp4)
      for (int row = 64; row < 70; ++row)
        m.scales[row * (k / 32)] += 14; // escapes in one expert alone
    Bytes bytes = mustPack(m);
    bank.stride = std::max(bank.stride, i64(bytes.size() + 127) / 128 * 128);
    bank.matrices.push_back(m);
    all.push_back(std::move(bytes));
  }
  for (u32 e = 0; e < experts; ++e) {
    bool isCold = std::find(cold.begin(), cold.end(), e) != cold.end();
    Bytes &to = isCold ? bank.cold : bank.packed;
    to.insert(to.end(), all[e].begin(), all[e].end());
    to.resize(to.size() + size_t(bank.stride) - all[e].size());
  }
  return bank;
}

/// Experts of a token, ascending; some never occur, one occurs twice in a token
/// (tables of tokens may say so).
std::vector<u32> expertsOf(u32 token) {
  if (token % 7 == 5)
    return {2, 2, 5};
  return token % 2 ? std::vector<u32>{0, 2, 4} : std::vector<u32>{2, 4, 5};
}

std::vector<i32> dispatch(u32 first, u32 tokens) {
  std::vector<std::vector<i32>> rows(experts);
  for (u32 t = 0; t < tokens; ++t)
    for (u32 slot = 0; slot < perToken; ++slot)
      rows[expertsOf(first + t)[slot]].push_back(i32(t * perToken + slot));
  std::vector<i32> lists(2 + 2 * experts + tokens * perToken);
  i32 active = 0, at = 0;
  for (u32 e = 0; e < experts; ++e)
    if (!rows[e].empty()) {
      lists[1 + active] = i32(e);
      lists[1 + experts + active++] = at;
      for (i32 row : rows[e])
        lists[2 + 2 * experts + at++] = row;
    }
  lists[1 + experts + active] = at;
  lists[0] = active;
  return lists;
}

struct Setup {
  TileFormat format;
  bool slotRows;
  u32 split;
  std::vector<u32> cold{};
};

struct Output {
  Result result;
  std::vector<float> y[2]; // [slot row][n]
};

struct Model {
  Bank banks[2];
  Activations x;
};

Model makeModel(const Setup &setup) {
  u32 rows = 30 * (setup.slotRows ? perToken : 1);
  return {{makeBank(setup.format, 10, setup.cold),
           makeBank(setup.format, 20, setup.cold)},
          makeActivations(rows, k, setup.format != TileFormat::Bf16, 5)};
}

template <class C>
Output run(const Setup &setup, const Model &model, u32 first, u32 tokens,
           u64 seed, u32 grid = 4) {
  Emulator emu({.seed = seed, .residentBlocks = 4});
  u32 per = setup.slotRows ? perToken : 1;
  auto from = model.x.bits.begin() + i64(first) * per * k;
  Activations x{tokens * per, k, {from, from + i64(tokens) * per * k}};
  ExpertLinearParams params{};
  params.rows = emu.input<i64>("rows", {tokens});
  std::vector<i32> lists = dispatch(first, tokens);
  auto dispatched = emu.scratch<i32>("lists", lists.size());
  params.lists = dispatched;
  CopyListsParams copied{emu.input("from", lists), dispatched,
                         u32(lists.size())};
  LaunchId copy =
      emu.launch("dispatch", {1}, {32}, 0, DSV4_PHASE(copied, copyLists));
  params.experts = experts;
  params.expertsPerToken = perToken;
  params.slotRows = setup.slotRows;
  params.numJobs = 2;
  DeviceX onDevice = uploadX(emu, x, setup.format != TileFormat::Bf16,
                             params.rows, blockBytes<C>(), per);
  onDevice.edges.push_back({copy, Edge::Programmatic});
  for (u32 e : setup.cold)
    params.coldExperts.bits[e / 32] |= 1u << e % 32;
  for (int j = 0; j < 2; ++j) {
    const Bank &bank = model.banks[j];
    MatrixJob &job = params.jobs[j] =
        deviceJob({bank.matrices[0], 1, setup.split, j == 0}, blockBytes<C>());
    job.w = emu.input("w", bank.packed);
    if (!setup.cold.empty())
      params.cold[j] = emu.input("cold w", bank.cold);
    params.stride[j] = bank.stride;
    job.x = onDevice.data;
    size_t count = size_t(tokens) * perToken * n;
    job.y = emu.scratch<u8>("y", count * (job.floatOut ? 4 : 2));
    job.partials = emu.scratch<float>("partials", count * setup.split);
  }
  LaunchId id = emu.launch("expert linear", {grid}, {MatrixPlan<C>::threads},
                           MatrixPlan<C>::sharedBytes,
                           DSV4_PHASE(params, expertLinear, C), onDevice.edges);
  if (C::partials)
    emu.launch(
        "reduce", {2}, {64}, 0,
        DSV4_PHASE(params, reduce, ReduceConfig<perToken>, ExpertLinearParams),
        {{id, Edge::Programmatic}});
  Output out{emu.run(), {}};
  for (int j = 0; j < 2; ++j)
    out.y[j] = floatsOf(params.jobs[j].y, size_t(tokens) * perToken * n,
                        params.jobs[j].floatOut);
  return out;
}

template <class C>
void expectR1(const Setup &setup, const Model &model, const Output &run,
              u32 first, u32 tokens) {
  for (int j = 0; j < 2; ++j) {
    Tally tally("job " + std::to_string(j));
    for (u32 slot = 0; slot < tokens * perToken; ++slot) {
      u32 token = first + slot / perToken;
      const Matrix &m =
          model.banks[j].matrices[expertsOf(token)[slot % perToken]];
      std::vector<float> x =
          model.x.row(setup.slotRows ? first * perToken + slot : token);
      for (u32 row = 0; row < n; ++row) {
        Expected want = expected(m, row, x.data(), setup.split, C::mma);
        double half = j == 0 ? 0 : std::abs(want.value) * 0x1.01p-8;
        tally.add(run.y[j][slot * n + row], want.value, want.bound + half,
                  want.dropped, [&] {
                    return "slot " + std::to_string(slot) + " row " +
                           std::to_string(row);
                  });
      }
    }
    ASSERT_TRUE(tally.within());
  }
}

template <class C> class CudaExpertLinear : public testing::Test {};
using Decode = TestConfig<MmaKind::Wgmma, 8, true>;
using Prefill = TestConfig<MmaKind::Wgmma, 16, false>;
using Async = TestConfig<MmaKind::F16, 8, false, false, 1>;
using E4m3 = TestConfig<MmaKind::E4M3, 16, true>;
using ExpertConfigs =
    testing::Types<Decode, WgmmaFours, WgmmaThrees, Prefill, Async, E4m3>;
TYPED_TEST_SUITE(CudaExpertLinear, ExpertConfigs);

// Of the cold ones 1 never occurs, but counts.
const Setup setups[] = {{TileFormat::Fp4, false, 1},
                        {TileFormat::Fp4, true, 2},
                        {TileFormat::Fp8, false, 3, {1, 2, 5}}};

TYPED_TEST(CudaExpertLinear, IsR1WithinTheBound) {
  for (const Setup &setup : setups) {
    Model model = makeModel(setup);
    for (u32 tokens : {1u, 2u, 7u, 19u}) {
      Output got = run<TypeParam>(setup, model, 4, tokens, 3 + tokens);
      ASSERT_TRUE(got.result.ok()) << got.result.text();
      expectR1<TypeParam>(setup, model, got, 4, tokens);
      if (testing::Test::HasFatalFailure())
        return;
    }
  }
}

TYPED_TEST(CudaExpertLinear, TheSameUnderEverySchedule) {
  Model model = makeModel(setups[1]);
  Output first = run<TypeParam>(setups[1], model, 0, 7, 1);
  for (u64 seed = 2; seed <= schedules(20); ++seed) {
    Output again =
        run<TypeParam>(setups[1], model, 0, 7, seed, u32(1 + seed % 7));
    ASSERT_TRUE(again.result.ok()) << again.result.text();
    for (int j = 0; j < 2; ++j)
      ASSERT_SAME(again.y[j], first.y[j]) << "seed " << seed;
  }
}

/// Alone, among seven, and in a tile of prefill behind other rows.
TEST(CudaExpertLinearInvariance, OfWgmma) {
  Model model = makeModel(setups[1]);
  Output whole = run<Prefill>(setups[1], model, 0, 19, 1),
         some = run<Decode>(setups[1], model, 6, 7, 2),
         one = run<Decode>(setups[1], model, 9, 1, 3);
  ASSERT_TRUE(whole.result.ok()) << whole.result.text();
  for (int j = 0; j < 2; ++j)
    for (size_t i = 0; i < perToken * n; ++i) {
      ASSERT_EQ(one.y[j][i], whole.y[j][9 * perToken * n + i]);
      ASSERT_EQ(one.y[j][i], some.y[j][3 * perToken * n + i]);
    }
}

/// The same bits from anywhere, the first, the last and all of them cold too.
TEST(CudaExpertLinearCold, BitsDoNotDependOnThePlace) {
  struct Setup setup = setups[1];
  Output here = run<Decode>(setup, makeModel(setup), 0, 7, 1);
  ASSERT_TRUE(here.result.ok()) << here.result.text();
  for (std::vector<u32> cold :
       {std::vector<u32>{2}, {0, 1, 3}, {4, 5}, {0, 1, 2, 3, 4, 5}}) {
    setup.cold = cold;
    Output there = run<Decode>(setup, makeModel(setup), 0, 7, 2);
    ASSERT_TRUE(there.result.ok()) << there.result.text();
    for (int j = 0; j < 2; ++j)
      ASSERT_SAME(there.y[j], here.y[j]) << cold.size() << " cold experts";
  }
}

TEST(CudaExpertLinearCold, CountsOverWords) {
  ColdExperts cold{};
  cold.bits[0] = 0x80000001u;
  cold.bits[1] = 0x00000010u;
  cold.before[1] = 2;
  cold.before[2] = 3;
  for (auto [expert, isCold, below] : {std::tuple{0u, true, 0u},
                                       {1u, false, 1u},
                                       {31u, true, 1u},
                                       {32u, false, 2u},
                                       {36u, true, 2u},
                                       {37u, false, 3u},
                                       {63u, false, 3u},
                                       {64u, false, 3u},
                                       {95u, false, 3u}}) {
    EXPECT_EQ(cold.has(expert), isCold) << expert;
    EXPECT_EQ(cold.below(expert), below) << expert;
  }
}

} // namespace
} // namespace dsv4::cuda::test
