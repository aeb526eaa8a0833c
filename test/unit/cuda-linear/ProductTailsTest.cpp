// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products with tails against the launches that they replace, over schedules
// and bit for bit. Every fused launch runs twice, and counters are zero behind
// it. Not run on hardware.

#include "targets/cuda/device/phases/fused/product_tails.cuh"
#include "test/unit/cuda-linear/LinearTools.h"

#include <array>

namespace dsv4::cuda::test {
namespace {

using C = WgmmaFours; // decode: single strips, parts of K
constexpr u32 K = 640, Experts = 3, PerToken = 2, D = 384;
constexpr u32 WideBytes = WideActivationBytes; // of what tails encode

struct Columns {
  static constexpr u32 Width = 256; // four strips, one warp
};
struct Row {
  static constexpr u32 Width = 384; // 48 threads of 128
  static constexpr float Eps = 1e-6f;
  static constexpr bool Normed = true, Quantised = true;
};
struct Slots {
  static constexpr u32 Inner = D, PerToken = test::PerToken; // half a warp
  static constexpr bool Weighted = true;
  static constexpr float Limit = 10.0f;
};
struct Mix {
  static constexpr u32 Streams = 4, Hidden = D, Rows = 24;
  static constexpr bool Closes = true;
};
struct Pre {
  static constexpr u32 Streams = 4, Hidden = D, Iterations = 20;
  static constexpr float HcEps = 1e-6f, NormEps = 1e-5f;
  static constexpr bool Quantised = true;
};

HostJob fp8Job(u32 rows, u32 split, unsigned seed, bool floatOut = false) {
  return {randomMatrix(TileFormat::Fp8, rows, K, 112, 120, seed), 1, split,
          floatOut};
}

/// Rows of x, jobs and places for what the launches write.
class Products {
public:
  Products(Emulator &emu, u32 tokens) : emu(emu), tokens(tokens) {
    params.rows = emu.input<i64>("rows", {tokens});
    x = uploadX(emu, makeActivations(tokens, K, true, 7), true, params.rows,
                blockBytes<C>());
  }
  void add(const HostJob &host) {
    MatrixJob job = deviceJob(host, blockBytes<C>());
    job.w = emu.input("w", mustPack(host.matrix));
    job.x = x.data;
    params.jobs[params.numJobs++] = withResults(job);
  }
  /// The same products, with results of their own.
  LinearParams again() {
    LinearParams other = params;
    for (u32 i = 0; i < other.numJobs; ++i)
      other.jobs[i] = withResults(other.jobs[i]);
    return other;
  }
  LaunchId plain() {
    LinearParams p = params;
    LaunchId id = emu.launch("linear", {3}, {MatrixPlan<C>::threads},
                             MatrixPlan<C>::sharedBytes,
                             DSV4_PHASE(p, linear, C), x.edges);
    return emu.launch("reduce", {2}, {64}, 0,
                      DSV4_PHASE(p, reduce, ReduceConfig<1>, LinearParams),
                      {{id, Edge::Programmatic}});
  }
  size_t bytesOf(u32 job) const {
    return size_t(tokens) * params.jobs[job].rows *
           (params.jobs[job].floatOut ? 4 : 2);
  }

  Emulator &emu;
  u32 tokens;
  LinearParams params{};
  DeviceX x;

private:
  MatrixJob withResults(MatrixJob job) {
    size_t count = size_t(tokens) * job.rows;
    job.y = emu.scratch<u8>("y", count * (job.floatOut ? 4 : 2));
    job.partials = emu.scratch<float>("partials", count * job.split);
    return job;
  }
};

/// Calls prepare(emulator), which launches and returns a check.
template <class Prepare> void forSchedules(const Prepare &prepare) {
  for (u64 seed = 1; seed <= schedules(8); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Emulator emu({.seed = seed, .residentBlocks = u32(1 + seed % 4)});
    auto check = prepare(emu);
    Result result = emu.run();
    ASSERT_TRUE(result.ok()) << result.text();
    check();
    if (testing::Test::HasFailure())
      return;
  }
}

/// Launches twice, one behind the other.
template <class Launch>
void twice(const Launch &launch, std::vector<Edge> edges) {
  LaunchId first = launch(edges);
  edges.push_back({first, Edge::Programmatic});
  launch(edges);
}

template <class T, class A>
void expectSame(Global<T> a, A b, size_t count, const char *what) {
  EXPECT_TRUE(contents(a, count) == contents(b, count)) << what;
}

dsv4_step *stepOf(Emulator &emu, u32 tokens) {
  dsv4_step step{};
  step.tokens = tokens;
  auto bytes = emu.input<dsv4_step>("step", {step});
  return const_cast<dsv4_step *>(bytes.raw());
}

Global<u32> counters(Emulator &emu, size_t count) {
  return emu.buffer("counters", std::vector<u32>(count));
}

void expectZeros(Global<u32> at, size_t count) {
  EXPECT_EQ(contents(at, count), std::vector<u32>(count));
}

class ProductTailsTest : public testing::TestWithParam<u32> {};
INSTANTIATE_TEST_SUITE_P(Tokens, ProductTailsTest, testing::Values(1, 2, 7));

TEST_P(ProductTailsTest, SumsAndColumns) {
  u32 tokens = GetParam();
  HostJob a = fp8Job(256, 3, 1), b = fp8Job(130, 2, 2, true),
          c = fp8Job(70, 1, 3);
  forSchedules([&](Emulator &emu) {
    Products products(emu, tokens);
    for (const HostJob *job : {&a, &b, &c})
      products.add(*job);
    const dsv4_step *step = stepOf(emu, tokens);
    size_t count = size_t(tokens) * 256, bytes = count / 128 * WideBytes;
    auto y = products.params.jobs[0].y.template as<const u16>();
    QuantizeEncodeParams p{{step, y, emu.scratch<u16>("xq", count)},
                           emu.scratch<u8>("blocks", bytes),
                           WideBytes};
    LaunchId plain = products.plain();
    emu.launch("quantize", {2}, {96}, 0, DSV4_PHASE(p, quantizeEncode, Columns),
               {{plain, Edge::Programmatic}});
    using Task = QuantizeEncodeTail<Columns>;
    ProductTailParams<LinearParams, Task> f{};
    f.product = products.again();
    f.plan.counters = counters(emu, 8);
    f.plan.units[0] = {0, 1, 4, 0, 0, 32};
    f.plan.units[1] = {1, 1, 1, 1, TailUnits::NoTask, 0};
    f.plan.units[2] = {2, 1, 1, 4, TailUnits::NoTask, 0};
    f.plan.unitsOf[1] = 1;
    f.plan.unitsOf[2] = 2;
    f.tasks.own = {{step, f.product.jobs[0].y.template as<const u16>(),
                    emu.scratch<u16>("fused xq", count)},
                   emu.scratch<u8>("fused blocks", bytes),
                   WideBytes};
    twice(
        [&](const std::vector<Edge> &edges) {
          return emu.launch("tails", {3}, {MatrixPlan<C>::threads},
                            MatrixPlan<C>::sharedBytes,
                            DSV4_PHASE(f, linearTails, C, Task), edges);
        },
        products.x.edges);
    return [=,
            sizes = std::array{products.bytesOf(0), products.bytesOf(1),
                               products.bytesOf(2)},
            wanted = products.params] {
      expectZeros(f.plan.counters, 8);
      for (u32 i = 0; i < 3; ++i)
        expectSame(f.product.jobs[i].y, wanted.jobs[i].y, sizes[i], "y");
      expectSame(f.tasks.own.phase.xq, p.phase.xq, count, "xq");
      expectSame(f.tasks.own.blocks, p.blocks, bytes, "blocks");
    };
  });
}

TEST_P(ProductTailsTest, RowsByABlock) {
  u32 tokens = GetParam();
  HostJob a = fp8Job(384, 2, 4);
  std::vector<u16> weight = makeActivations(1, 384, true, 5).bits;
  forSchedules([&](Emulator &emu) {
    Products products(emu, tokens);
    products.add(a);
    const dsv4_step *step = stepOf(emu, tokens);
    size_t count = size_t(tokens) * 384, bytes = count / 128 * WideBytes;
    auto place = [&](Global<u8> y) {
      return NormQuantEncodeParams{
          {step, y.template as<const u16>(), emu.input("weight", weight),
           emu.scratch<u16>("y", count), emu.scratch<u16>("yq", count)},
          emu.scratch<u8>("blocks", bytes),
          WideBytes};
    };
    NormQuantEncodeParams p = place(products.params.jobs[0].y);
    LaunchId plain = products.plain();
    emu.launch("norm", {2}, {NormQuantPlan<Row>::Threads},
               NormQuantPlan<Row>::SharedBytes,
               DSV4_PHASE(p, normQuantEncode, Row),
               {{plain, Edge::Programmatic}});
    using Task = NormQuantEncodeTail<Row>;
    ProductTailParams<LinearParams, Task> f{};
    f.product = products.again();
    f.plan.counters = counters(emu, 1);
    f.plan.units[0] = {0, 1, 6, 0, 0, 0};
    f.tasks.own = place(f.product.jobs[0].y);
    twice(
        [&](const std::vector<Edge> &edges) {
          return emu.launch("tails", {3}, {MatrixPlan<C>::threads},
                            MatrixPlan<C>::sharedBytes +
                                NormQuantPlan<Row>::SharedBytes,
                            DSV4_PHASE(f, linearTails, C, Task), edges);
        },
        products.x.edges);
    return [=] {
      expectZeros(f.plan.counters, 1);
      expectSame(f.tasks.own.phase.y, p.phase.y, count, "y");
      expectSame(f.tasks.own.phase.yq, p.phase.yq, count, "yq");
      expectSame(f.tasks.own.blocks, p.blocks, bytes, "blocks");
    };
  });
}

/// hc_mix by whoever has 128 columns, hc_pre by whoever mixes the last.
TEST_P(ProductTailsTest, ClosesASublayer) {
  u32 tokens = GetParam();
  HostJob a = fp8Job(D, 2, 6);
  Activations streams = makeActivations(tokens * 4, D, true, 8);
  std::mt19937 random(9);
  auto floats = [&](size_t count) {
    std::vector<float> out(count);
    for (float &v : out)
      v = std::normal_distribution<float>()(random) * 0.1f;
    return out;
  };
  auto post = floats(tokens * 4), comb = floats(tokens * 16),
       fn = floats(24 * 4 * D), scale = floats(3), base = floats(24);
  std::vector<u16> gains = makeActivations(1, D, true, 10).bits;
  forSchedules([&](Emulator &emu) {
    Products products(emu, tokens);
    products.add(a);
    const dsv4_step *step = stepOf(emu, tokens);
    size_t count = size_t(tokens) * D, bytes = count / 128 * WideBytes;
    size_t sums = size_t(tokens) * (D / 128) * mixStride(24);
    auto place = [&](Global<u8> y) {
      HcMixPreParams p{};
      p.mix = {step,
               emu.input("streams", streams.bits),
               y.template as<const u16>(),
               emu.input("post", post),
               emu.input("comb", comb),
               emu.input("fn", fn),
               emu.scratch<u16>("closed", count * 4),
               emu.scratch<float>("partials", sums)};
      p.pre = {{step, p.mix.partials, p.mix.streamsOut,
                emu.input("scale", scale), emu.input("base", base),
                emu.input("norm", gains), emu.scratch<u16>("x", count),
                emu.scratch<u16>("xq", count),
                emu.scratch<float>("post", tokens * 4),
                emu.scratch<float>("comb", tokens * 16)},
               emu.scratch<u8>("blocks", bytes),
               WideBytes};
      return p;
    };
    HcMixPreParams p = place(products.params.jobs[0].y);
    LaunchId plain = products.plain();
    HcMixParams mix = p.mix;
    LaunchId mixed = emu.launch(
        "hc_mix", {2}, {HcMixPlan<Mix>::Threads}, HcMixPlan<Mix>::SharedBytes,
        DSV4_PHASE(mix, hcMix, Mix), {{plain, Edge::Programmatic}});
    HcPreEncodeParams pre = p.pre;
    emu.launch("hc_pre", {2}, {HcPrePlan<Pre>::Threads},
               HcPrePlan<Pre>::SharedBytes, DSV4_PHASE(pre, hcPreEncode, Pre),
               {{mixed, Edge::Programmatic}});
    // The launch that hc_mix has of its own goes on with hc_pre too.
    HcMixPreParams own = place(products.params.jobs[0].y);
    own.counters = counters(emu, tokens);
    emu.launch("mix and pre", {2}, {MixPrePlan<Mix, Pre>::Threads},
               MixPrePlan<Mix, Pre>::SharedBytes,
               DSV4_PHASE(own, mixPre, Mix, Pre),
               {{plain, Edge::Programmatic}});
    using Task = MixPreTail<Mix, Pre>;
    ProductTailParams<LinearParams, Task> f{};
    f.product = products.again();
    f.plan.counters = counters(emu, 3);
    f.plan.units[0] = {0, 1, 2, 0, 0, 0};
    f.tasks.own = place(f.product.jobs[0].y);
    f.tasks.own.counters = counters(emu, tokens);
    twice(
        [&](const std::vector<Edge> &edges) {
          return emu.launch("tails", {3}, {MatrixPlan<C>::threads},
                            MatrixPlan<C>::sharedBytes + Task::SharedBytes,
                            DSV4_PHASE(f, linearTails, C, Task), edges);
        },
        products.x.edges);
    return [=] {
      expectZeros(f.plan.counters, 3);
      expectZeros(f.tasks.own.counters, tokens);
      expectZeros(own.counters, tokens);
      for (const HcMixPreParams *got : {&f.tasks.own, &own}) {
        expectSame(got->mix.streamsOut, p.mix.streamsOut, count * 4, "closed");
        expectSame(got->pre.phase.x, p.pre.phase.x, count, "x");
        expectSame(got->pre.phase.xq, p.pre.phase.xq, count, "xq");
        expectSame(got->pre.phase.post, p.pre.phase.post, tokens * 4, "post");
        expectSame(got->pre.phase.comb, p.pre.phase.comb, tokens * 16, "comb");
        expectSame(got->pre.blocks, p.pre.blocks, bytes, "blocks");
      }
    };
  });
}

/// Lists of dispatch: the first six tokens have expert 0 twice, so that seven
/// give it more rows than a tile; the others have 1 and 2.
std::vector<i32> lists(u32 tokens) {
  std::vector<std::vector<i32>> rows(Experts);
  for (u32 t = 0; t < tokens; ++t)
    for (u32 slot = 0; slot < PerToken; ++slot)
      rows[t < 6 ? 0 : 1 + slot].push_back(i32(t * PerToken + slot));
  std::vector<i32> out(2 + 2 * Experts + tokens * PerToken);
  i32 active = 0, at = 0;
  for (u32 e = 0; e < Experts; ++e)
    if (!rows[e].empty()) {
      out[1 + active] = i32(e);
      out[1 + Experts + active++] = at;
      for (i32 row : rows[e])
        out[2 + 2 * Experts + at++] = row;
    }
  out[1 + Experts + active] = at;
  out[0] = active;
  return out;
}

TEST_P(ProductTailsTest, SwigluOfExperts) {
  u32 tokens = GetParam(), slots = tokens * PerToken;
  std::vector<HostJob> hosts;
  std::vector<Bytes> packed(2);
  for (u32 j = 0; j < 2; ++j)
    for (u32 e = 0; e < Experts; ++e) {
      hosts.push_back(fp8Job(D, 2, 20 + 3 * j + e));
      Bytes one = mustPack(hosts.back().matrix);
      one.resize((one.size() + 127) / 128 * 128);
      packed[j].insert(packed[j].end(), one.begin(), one.end());
    }
  std::vector<float> weights(slots);
  for (u32 i = 0; i < slots; ++i)
    weights[i] = 0.25f + 0.125f * float(i);
  forSchedules([&](Emulator &emu) {
    ExpertLinearParams params{};
    params.rows = emu.input<i64>("rows", {tokens});
    DeviceX x = uploadX(emu, makeActivations(tokens, K, true, 7), true,
                        params.rows, blockBytes<C>());
    params.lists = emu.input("lists", lists(tokens));
    params.experts = Experts;
    params.expertsPerToken = PerToken;
    params.numJobs = 2;
    size_t count = size_t(slots) * D, bytes = count / 128 * WideBytes;
    for (u32 j = 0; j < 2; ++j) {
      params.jobs[j] = deviceJob(hosts[j * Experts], blockBytes<C>());
      params.jobs[j].w = emu.input("w", packed[j]);
      params.jobs[j].x = x.data;
      params.stride[j] = i64(packed[j].size() / Experts);
    }
    const dsv4_step *step = stepOf(emu, tokens);
    auto place = [&](ExpertLinearParams &p) {
      for (u32 j = 0; j < 2; ++j) {
        p.jobs[j].y = emu.scratch<u8>("y", count * 2);
        p.jobs[j].partials = emu.scratch<float>("partials", count * 2);
      }
      return SwigluEncodeParams{{step, p.jobs[0].y.template as<const u16>(),
                                 p.jobs[1].y.template as<const u16>(),
                                 emu.input("weights", weights),
                                 emu.scratch<u16>("h", count)},
                                emu.scratch<u8>("blocks", bytes),
                                WideBytes};
    };
    SwigluEncodeParams p = place(params);
    LaunchId id = emu.launch("experts", {4}, {MatrixPlan<C>::threads},
                             MatrixPlan<C>::sharedBytes,
                             DSV4_PHASE(params, expertLinear, C), x.edges);
    id = emu.launch(
        "reduce", {2}, {64}, 0,
        DSV4_PHASE(params, reduce, ReduceConfig<PerToken>, ExpertLinearParams),
        {{id, Edge::Programmatic}});
    emu.launch("swiglu", {2}, {64}, 0, DSV4_PHASE(p, swigluEncode, Slots),
               {{id, Edge::Programmatic}});
    using Task = SwigluEncodeTail<Slots>;
    ProductTailParams<ExpertLinearParams, Task> f{};
    f.product = params;
    f.tasks.own = place(f.product);
    f.plan.counters = counters(emu, slots * 3);
    f.plan.units[0] = {0, 2, 2, 0, 0, 16};
    twice(
        [&](const std::vector<Edge> &edges) {
          return emu.launch("tails", {4}, {MatrixPlan<C>::threads},
                            MatrixPlan<C>::sharedBytes,
                            DSV4_PHASE(f, expertTails, C, Task), edges);
        },
        x.edges);
    return [=] {
      expectZeros(f.plan.counters, slots * 3);
      expectSame(f.tasks.own.phase.h, p.phase.h, count, "h");
      expectSame(f.tasks.own.blocks, p.blocks, bytes, "blocks");
    };
  });
}

} // namespace
} // namespace dsv4::cuda::test
