// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Timings.h. A figure is the time of a graph of many launches of one phase,
// divided by their number: what a launch costs in a model, once with
// programmatic edges, once with full ones. Launches of products walk through a
// pool of weights larger than the L2. Contents of weights are random bytes.

#include "test/hardware/Timings.h"
#include "runtime/abi/program.h"
#include "runtime/numerics/formats.h"
#include "targets/cuda/Packing.h"
#include "test/hardware/TimingConfigs.cuh"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>

namespace dsv4::cuda::test {

using namespace timing;

namespace {

constexpr u64 poolBytes = u64(5) << 29; // 2.5 GiB
constexpr u64 roomBytes = u64(1) << 30;

/// Launches of one phase; number `i` of a chain.
using Launches = std::function<std::vector<LaunchSpec>(u32 i)>;

/// Memory and reports.
class Bench {
public:
  explicit Bench(Gpu &gpu) : gpu(gpu) { fillPool(); }

  u32 sms() const { return gpu.multiprocessors(); }
  u32 grid(u32 items, u32 perSm = 1) const {
    return std::max(1u, std::min(items, sms() * perSm));
  }

  template <class T> Global<T> room(size_t count) {
    used = (used + 255) & ~u64(255);
    Address at = gpu.arena() + poolBytes + used;
    used += count * sizeof(T);
    if (used > roomBytes)
      abort();
    gpu.fill(at, 0, count * sizeof(T));
    return Global<T>(reinterpret_cast<T *>(at));
  }
  template <class T> Global<T> values(const std::vector<T> &from) {
    auto to = room<T>(from.size());
    gpu.upload(reinterpret_cast<Address>(to.raw()), from.data(),
               from.size() * sizeof(T));
    return to;
  }
  /// Random BF16 of usual sizes.
  Global<u16> numbers(size_t count) {
    std::vector<u16> bits(count);
    for (u16 &b : bits)
      b = u16((random() & 0x807f) | (120 + random() % 8) << 7);
    return values(bits);
  }
  Global<float> floats(size_t count, float value = 0.5f) {
    return values(std::vector<float>(count, value));
  }
  /// Bytes `bytes` of the pool for launch `i` of a chain, others for others.
  Global<const u8> weights(u64 bytes, u32 i) {
    u64 stride = (bytes + 4095) & ~u64(4095), places = poolBytes / stride;
    return Global<const u8>(reinterpret_cast<const u8 *>(
        gpu.arena() + i % std::max<u64>(1, places) * stride));
  }
  void clear() { used = 0; }

  /// Prints a line; `bytes` of memory that a launch reads, 0 where it is
  /// latency. `flops` for products of many columns.
  void report(const char *name, double bytes, const Launches &launches,
              double flops = 0);
  /// What later lines show rates against: the best of the lines so far.
  void takeBest() { best = fastest; }
  double bestRate() const { return best; }

private:
  void fillPool();

  Gpu &gpu;
  u64 used = 0;
  double best = 0, fastest = 0; // GB/s
  std::mt19937 random{1};
};

void Bench::fillPool() {
  std::vector<u32> part(u64(16) << 18); // 16 MiB
  for (u32 &word : part)
    word = random();
  u64 have = part.size() * 4;
  gpu.upload(gpu.arena(), part.data(), have);
  for (; have < poolBytes; have *= 2)
    gpu.copy(gpu.arena() + have, gpu.arena(), std::min(have, poolBytes - have));
}

double medianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Bench::report(const char *name, double bytes, const Launches &launches,
                   double flops) {
  u32 count = bytes > 0 ? std::clamp(u32(1.0e9 / bytes), 4u, 48u) : 48;
  std::vector<LaunchSpec> chain;
  for (u32 i = 0; i < count; ++i)
    for (LaunchSpec &spec : launches(i))
      chain.push_back(spec);
  double us[2], least[2];
  for (int edges = 0; edges < 2; ++edges) {
    std::vector<double> times = gpu.time(chain, edges == 0, 9);
    us[edges] = medianOf(times) / count;
    least[edges] = *std::min_element(times.begin(), times.end()) / count;
  }
  if (gpu.isListing())
    return;
  double rate = bytes / us[0] / 1000;
  fastest = std::max({fastest, rate, bytes / us[1] / 1000});
  printf("[ time ] %-44s programmatic %8.2f us (least %8.2f), full %8.2f us",
         name, us[0], least[0], us[1]);
  if (bytes > 0)
    printf(", %7.2f MB, %6.0f GB/s programmatic, %6.0f full", bytes / 1e6, rate,
           bytes / us[1] / 1000);
  if (bytes > 0 && best > 0)
    printf(" (%.0f %%, %.0f %% of reading alone)", 100 * rate / best,
           100 * bytes / us[1] / 1000 / best);
  if (flops > 0)
    printf(", %.0f TFLOP/s", flops / us[0] / 1e6);
  printf("; %s\n", gpu.resources(chain[0].phase).c_str());
  fflush(stdout);
}

// ---- Reading ----------------------------------------------------------------

template <class C> void ring(Bench &b, u32 perSm, u64 bytes) {
  Global<u32> sink = b.room<u32>(1);
  char name[80];
  snprintf(name, sizeof name, "read %4.0f MB, bulk %u KiB x %u x %u/SM",
           double(bytes) / 1e6, C::chunk / 1024, C::stages, perSm);
  b.report(name, double(bytes), [&](u32 i) -> std::vector<LaunchSpec> {
    StreamParams p{b.weights(bytes, i), i64(bytes), sink};
    return {{"ring",
             {b.sms() * perSm},
             {32},
             1024 + C::chunk * C::stages,
             DSV4_PHASE(p, streamRing, C)}};
  });
}

void loads(Bench &b, u32 perSm, u64 bytes) {
  Global<u32> sink = b.room<u32>(1);
  char name[80];
  snprintf(name, sizeof name, "read %4.0f MB, loads, %u blocks of 512/SM",
           double(bytes) / 1e6, perSm);
  b.report(name, double(bytes), [&](u32 i) -> std::vector<LaunchSpec> {
    StreamParams p{b.weights(bytes, i), i64(bytes), sink};
    return {{"loads",
             {b.sms() * perSm},
             {512},
             0,
             DSV4_PHASE(p, streamLoads, Loads)}};
  });
}

void reading(Bench &b) {
  constexpr u64 large = u64(1) << 30, phase = 32768 * 1024;
  for (u64 bytes : {large, phase}) {
    loads(b, 2, bytes);
    loads(b, 4, bytes);
    ring<Ring<8192, 8>>(b, 1, bytes);
    ring<Ring<8192, 16>>(b, 1, bytes);
    ring<Ring<8192, 24>>(b, 1, bytes);
    ring<Ring<16384, 12>>(b, 1, bytes);
    ring<Ring<32768, 6>>(b, 1, bytes);
    ring<Ring<8192, 6>>(b, 2, bytes);
    ring<Ring<8192, 12>>(b, 2, bytes);
    ring<Ring<16384, 6>>(b, 2, bytes);
  }
  for (u32 grid : {1u, b.sms(), 2 * b.sms()}) {
    char name[60];
    snprintf(name, sizeof name, "nothing, %u blocks of 128", grid);
    b.report(name, 0, [&](u32) -> std::vector<LaunchSpec> {
      NothingParams p{0};
      return {{"nothing", {grid}, {128}, 0, DSV4_PHASE(p, nothing)}};
    });
  }
}

/// Launches of one edge and of 1,001: a thousandth of the difference is an
/// edge.
template <u32 Lines> void counters(Bench &b) {
  using C = Counters<Lines>;
  constexpr u32 words = Lines * 32;
  Global<u32> places = b.room<u32>(words);
  for (u32 rounds : {1u, 1001u}) {
    char name[60];
    snprintf(name, sizeof name, "%u edges by counters on %u lines", rounds,
             Lines);
    b.report(name, 0, [&](u32) -> std::vector<LaunchSpec> {
      CounterParams clear{places, words}, p{places, rounds};
      return {{"clear", {1}, {128}, 0, DSV4_PHASE(clear, clearCounters)},
              {"edges", {b.sms()}, {128}, 0, DSV4_PHASE(p, counterEdges, C)}};
    });
  }
}

// ---- Products ---------------------------------------------------------------

struct Job {
  WeightFormat format;
  i64 rows, k;
  u32 groups = 1, split = 1;
};

MatrixLayout layoutOf(const Job &job) {
  TileFormat format = job.format == WeightFormat::Fp4    ? TileFormat::Fp4
                      : job.format == WeightFormat::Bf16 ? TileFormat::Bf16
                                                         : TileFormat::Fp8;
  return llvm::cantFail(MatrixLayout::get(format, job.rows, job.k));
}

MatrixJob deviceJob(Bench &b, const Job &job, const MatrixLayout &layout,
                    bool wide, i64 xRows, i64 yRows) {
  MatrixJob to{};
  to.format = job.format;
  to.rows = u32(job.rows);
  to.blocks = u32(layout.tilesPerStrip());
  to.xGroups = job.groups;
  to.xBytes = readsBf16(job.format) ? u32(job.k) * 2
              : wide                ? to.blocks * WideActivationBytes
                                    : to.blocks * ActivationBytes;
  to.xRowBytes = to.xBytes * job.groups;
  to.split = job.split;
  to.tilesBegin = u32(layout.headerBytes());
  to.escapesBegin = layout.escapesBegin();
  to.x = b.room<u8>(size_t(xRows) * to.xRowBytes);
  to.y = b.room<u8>(size_t(yRows * job.rows) * 4);
  to.partials = b.room<float>(size_t(yRows * job.rows) * job.split);
  return to;
}

/// One phase of kern.linear, its sum over parts included.
template <class C>
void product(Bench &b, const char *name, const std::vector<Job> &jobs,
             u32 tokens, u32 perSm) {
  b.clear();
  LinearParams p{};
  p.rows = b.values<i64>({i64(tokens)});
  std::vector<u64> sizes;
  u64 bytes = 0, elements = 0;
  double flops = 0;
  u32 items = 0;
  for (const Job &job : jobs) {
    MatrixLayout layout = layoutOf(job);
    p.jobs[p.numJobs++] =
        deviceJob(b, job, layout, MatrixPlan<C>::wideBlocks, tokens, tokens);
    sizes.push_back(u64(layout.packedBytes(0)));
    bytes += sizes.back();
    flops += 2.0 * tokens * double(job.rows) * double(job.k);
    elements = std::max<u64>(elements, u64(job.rows) * tokens);
    items += u32((layout.strips() + C::groups - 1) / C::groups) *
             (C::partials ? job.split : 1) *
             ((tokens + C::columns - 1) / C::columns);
  }
  bool splits = C::partials && jobs[0].split > 1;
  b.report(
      name, double(bytes),
      [&](u32 i) {
        u64 at = 0;
        for (u32 j = 0; j < p.numJobs; ++j) {
          p.jobs[j].w = b.weights(bytes, i) + i64(at);
          at += sizes[j] & ~u64(127);
        }
        std::vector<LaunchSpec> launches = {{"linear",
                                             {b.grid(items, perSm)},
                                             {MatrixPlan<C>::threads},
                                             MatrixPlan<C>::sharedBytes,
                                             DSV4_PHASE(p, linear, C)}};
        if (splits)
          launches.push_back({"reduce",
                              {b.grid(u32(elements + 255) / 256, 4)},
                              {256},
                              0,
                              DSV4_PHASE(p, reduce, One, LinearParams)});
        return launches;
      },
      tokens > 8 ? flops : 0);
}

/// One phase of kern.expert_linear: six experts with a row each.
template <class C>
void experts(Bench &b, const char *name, const std::vector<Job> &jobs,
             bool slotRows, u32 perSm) {
  constexpr u32 active = 6, all = 256;
  b.clear();
  ExpertLinearParams p{};
  p.rows = b.values<i64>({1});
  std::vector<i32> lists(2 + 2 * all + active);
  lists[0] = i32(active);
  for (u32 i = 0; i < active; ++i) {
    lists[1 + i] = i32(i);
    lists[1 + all + i] = lists[2 + 2 * all + i] = i32(i);
  }
  lists[1 + all + active] = i32(active);
  p.lists = b.values(lists);
  p.experts = all;
  p.expertsPerToken = active;
  p.slotRows = slotRows;
  u64 bytes = 0;
  u32 items = 0;
  for (const Job &job : jobs) {
    MatrixLayout layout = layoutOf(job);
    p.stride[p.numJobs] = i64(layout.packedBytes(0) + 127) / 128 * 128;
    bytes += active * u64(p.stride[p.numJobs]);
    items += active * u32(layout.strips()) * job.split;
    p.jobs[p.numJobs++] =
        deviceJob(b, job, layout, MatrixPlan<C>::wideBlocks, active, active);
  }
  b.report(name, double(bytes), [&](u32 i) {
    i64 at = 0;
    for (u32 j = 0; j < p.numJobs; ++j) {
      p.jobs[j].w = b.weights(bytes, i) + at;
      at += active * p.stride[j];
    }
    std::vector<LaunchSpec> launches = {{"expert linear",
                                         {b.grid(items, perSm)},
                                         {MatrixPlan<C>::threads},
                                         MatrixPlan<C>::sharedBytes,
                                         DSV4_PHASE(p, expertLinear, C)}};
    if (jobs[0].split > 1)
      launches.push_back({"reduce",
                          {b.grid(u32(active * jobs[0].rows + 255) / 256, 4)},
                          {256},
                          0,
                          DSV4_PHASE(p, reduce, Slots, ExpertLinearParams)});
    return launches;
  });
}

constexpr WeightFormat E4 = WeightFormat::Fp8, Q4 = WeightFormat::Fp4,
                       B16 = WeightFormat::Bf16, Wide = WeightFormat::Fp8Wide;
constexpr MmaKind F16 = MmaKind::F16, W = MmaKind::Wgmma;

std::vector<Job> one(WeightFormat format, i64 rows, i64 k, u32 groups = 1,
                     u32 split = 1) {
  return {{format, rows, k, groups, split}};
}

/// A phase by FP16 and by FP8 products, and with other rings.
template <MmaKind Kind> void fp8Products(Bench &b, const char *kind) {
  using Usual = Matrix<Kind, fp8, 8, 8448, 6, 3>;
  using Twos = Matrix<Kind, fp8, 8, 16384, 4, 3>;
  using Deep = Matrix<Kind, fp8, 8, 16384, 10, 3>; // one block on an SM
  using Small = Matrix<Kind, fp8, 8, 8448, 3, 3>;  // four blocks
  printf("[ time ] FP8 weights by %s products\n", kind);
  product<Usual>(b, "wq_b FP8 32768x1024", one(E4, 32768, 1024), 1, 2);
  product<Usual>(b, "wq_b, one block an SM", one(E4, 32768, 1024), 1, 1);
  product<Twos>(b, "wq_b, two tiles a stage", one(E4, 32768, 1024), 1, 2);
  product<Deep>(b, "wq_b, 160 KiB rings, one block an SM", one(E4, 32768, 1024),
                1, 1);
  product<Small>(b, "wq_b, 24 KiB rings, four blocks an SM",
                 one(E4, 32768, 1024), 1, 4);
  product<Usual>(b, "wq_b and index wq_b",
                 {{E4, 32768, 1024}, {E4, 8192, 1024}}, 1, 2);
  product<Usual>(b, "wq_b, 8 tokens", one(E4, 32768, 1024), 8, 2);
  product<Usual>(b, "wo_a FP8 8192x4096, 8 groups", one(E4, 8192, 4096, 8), 1,
                 2);
  product<Usual>(b, "wo_b FP8 4096x8192, 2 parts", one(E4, 4096, 8192, 1, 2), 1,
                 2);
  product<Twos>(b, "wo_b, two tiles a stage", one(E4, 4096, 8192, 1, 2), 1, 2);
  product<Usual>(b, "wo_b, 4 parts", one(E4, 4096, 8192, 1, 4), 1, 2);
  product<Usual>(b, "wq_a, wkv FP8 1024, 512 x 4096, 8 parts",
                 {{E4, 1024, 4096, 1, 8}, {E4, 512, 4096, 1, 8}}, 1, 2);
  experts<Usual>(b, "as experts w1, w3, in FP8",
                 {{E4, 2048, 4096}, {E4, 2048, 4096}}, false, 2);
  product<Matrix<Kind, fp8, 64, 8448, 6, 4>>(b, "wq_b, 512 tokens",
                                             one(E4, 32768, 1024), 512, 1);
}

template <MmaKind Kind> void fp4Products(Bench &b, const char *kind) {
  using Usual = Matrix<Kind, fp4, 8, 16896, 2, 3>; // three blocks on an SM fit
  using Two = Matrix<Kind, fp4, 8, 16896, 4, 3>;   // two blocks
  using Deep = Matrix<Kind, fp4, 8, 16896, 10, 3>; // one block
  using Pairs = Matrix<Kind, fp4, 8, 8448, 3, 3>;  // four blocks
  std::vector<Job> up = {{Q4, 2048, 4096}, {Q4, 2048, 4096}};
  printf("[ time ] FP4 weights by %s products\n", kind);
  experts<Usual>(b, "experts w1, w3 FP4 6 x 2 x 2048x4096", up, false, 4);
  experts<Usual>(b, "experts w1, w3, three blocks an SM", up, false, 3);
  experts<Two>(b, "experts w1, w3, 68 KiB rings, two blocks", up, false, 2);
  experts<Two>(b, "experts w1, w3, 68 KiB rings, one block", up, false, 1);
  experts<Pairs>(b, "experts w1, w3, 25 KiB rings by pairs, four", up, false,
                 4);
  experts<Deep>(b, "experts w1, w3, 169 KiB rings, one block", up, false, 1);
  experts<Usual>(b, "experts w2 FP4 6 x 4096x2048", one(Q4, 4096, 2048), true,
                 4);
  experts<Usual>(b, "experts w2, 2 parts", one(Q4, 4096, 2048, 1, 2), true, 4);
  product<Usual>(b, "FP4 32768x1024, weights early", one(Q4, 32768, 1024), 1,
                 4);
  product<Matrix<Kind, fp4, 64, 8448, 6, 4>>(b, "FP4 32768x1024, 512 tokens",
                                             one(Q4, 32768, 1024), 512, 1);
}

void products(Bench &b) {
  fp8Products<F16>(b, "FP16");
  fp8Products<W>(b, "FP8");
  fp4Products<F16>(b, "FP16");
  fp4Products<W>(b, "FP8");
  product<Matrix<F16, wide, 8, 16384, 3, 3>>(b, "wo_a FP8 by rows of BF16",
                                             one(Wide, 8192, 4096, 8), 1, 2);
  product<Matrix<F16, bf16, 8, 16384, 3, 3>>(b, "head BF16 129280x4096",
                                             one(B16, 129280, 4096), 1, 2);
  product<Matrix<F16, bf16, 8, 16384, 9, 3>>(b, "head, 144 KiB rings",
                                             one(B16, 129280, 4096), 1, 1);
  product<Matrix<F16, bf16, 32, 16384, 3, 3>>(b, "BF16 8192x4096, 512 tokens",
                                              one(B16, 8192, 4096), 512, 1);
}

// ---- Attention --------------------------------------------------------------

/// A step of tokens at one position each, sequence 0.
const dsv4_step *stepOf(Bench &b, i64 tokens, i32 first, i64 context) {
  auto count = static_cast<size_t>(tokens);
  std::vector<i32> position, rows, zeros(count), ends(count, i32(tokens));
  for (i64 t = 0; t < tokens; ++t) {
    position.push_back(first + i32(t));
    rows.push_back(i32(t));
  }
  dsv4_step step = {};
  step.tokens = step.outputs = tokens;
  step.context = context;
  step.state_stride = 0;
  step.max_position = position.back();
  step.token = b.values(zeros).raw();
  step.position = b.values(position).raw();
  step.sequence = b.values(zeros).raw();
  step.first_row = b.values(zeros).raw();
  step.end_row = b.values(ends).raw();
  step.output_row = b.values(rows).raw();
  return b.values(std::vector<dsv4_step>{step}).raw();
}

template <int Tile> void attention(Bench &b, i64 tokens) {
  using C = Sparse<Tile>;
  b.clear();
  AttendParams p{};
  p.step = stepOf(b, tokens, 5000, 65536);
  p.q = b.numbers(size_t(tokens) * 64 * 512);
  p.tab = b.floats(size_t(tokens) * 64);
  p.sink = b.floats(64);
  p.window = b.room<u8>(640 * 584);
  p.entries = b.room<u8>(2048 * 584);
  std::vector<i32> ids;
  for (i64 t = 0; t < tokens; ++t)
    for (i32 i = 0; i < 512; ++i)
      ids.push_back(2 * i);
  p.ids = b.values(ids);
  p.headsOut = b.room<u16>(size_t(tokens) * 64 * 512);
  p.scoreRows = 640;
  p.scores = b.room<float>(size_t(tokens) * 64 * 640);
  p.largest = b.room<float>(size_t(tokens) * 64 * 16);
  p.numTokens = tokens;
  LaunchSpec scores{
      "scores",
      {b.grid(u32(tokens) * AttendScoresPlan<C>::HeadGroups * 16)},
      {u32(AttendScoresPlan<C>::Threads)},
      AttendScoresPlan<C>::Bytes,
      DSV4_PHASE(p, attendScores, C)},
      values{"values",
             {b.grid(u32(tokens) * 4 * 8, 4)},
             {u32(AttendPlan<C>::Threads)},
             AttendPlan<C>::Bytes,
             DSV4_PHASE(p, attend, C)};
  char name[80];
  snprintf(name, sizeof name,
           "scores of 640 rows, %d heads a block, %lld tokens", Tile, tokens);
  b.report(name, 0, [&](u32) -> std::vector<LaunchSpec> { return {scores}; });
  b.report("  its values", 0,
           [&](u32) -> std::vector<LaunchSpec> { return {values}; });
  b.report("  both", 0,
           [&](u32) -> std::vector<LaunchSpec> { return {scores, values}; });
}

void index(Bench &b, i64 tokens) {
  constexpr i64 entries = 65536, context = 4 * entries;
  b.clear();
  const dsv4_step *step = stepOf(b, tokens, i32(context - tokens), context);
  std::mt19937 random(1);
  std::vector<u16> q(size_t(tokens) * 64 * 128);
  for (u16 &v : q)
    v = num::floatToBf16((random() % 2 ? 1.0f : -1.0f) *
                         std::array{0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f,
                                    6.0f}[random() % 8]);
  std::vector<u8> tiles(entries / 16 * IndexTile<128>::Bytes);
  for (size_t i = 0; i < tiles.size(); ++i)
    tiles[i] = i % IndexTile<128>::Bytes < IndexTile<128>::CodeBytes
                   ? u8(random())
                   : u8(124 + random() % 6);
  IndexScoreParams p{step, b.values(q), b.numbers(size_t(tokens) * 64),
                     b.values(tiles), b.room<u16>(size_t(tokens) * entries)};
  char name[80];
  snprintf(name, sizeof name, "index_score 64 Ki entries, %lld tokens", tokens);
  b.report(name, 0, [&](u32) -> std::vector<LaunchSpec> {
    return {{"index_score",
             {b.grid(u32(tokens * entries / ScoreBlock), 2)},
             {256},
             IndexScorePlan<Index>::Bytes,
             DSV4_PHASE(p, indexScore, Index)}};
  });
  TopKParams t{step, b.numbers(size_t(tokens) * entries),
               b.room<i32>(size_t(tokens) * 512)};
  b.report("  top_k of them", 0, [&](u32) -> std::vector<LaunchSpec> {
    return {{"top_k",
             {b.grid(u32(tokens))},
             {512},
             TopKPlan<Top>::Bytes,
             DSV4_PHASE(t, topK, Top)}};
  });
}

// ---- Rows -------------------------------------------------------------------

template <class Params>
void row(Bench &b, const char *name, u32 grid, u32 threads, u32 shared,
         const Params &, const Phase &phase) {
  b.report(name, 0, [&](u32) -> std::vector<LaunchSpec> {
    return {{name, {grid}, {threads}, shared, phase}};
  });
}

void boundary(Bench &b, const dsv4_step *step, u32 tokens) {
  HcMixParams m{step,
                b.numbers(tokens * 4 * 4096),
                b.numbers(tokens * 4096),
                b.floats(tokens * 4),
                b.floats(tokens * 16),
                b.floats(24 * 4 * 4096, 0.01f),
                b.room<u16>(tokens * 4 * 4096),
                b.room<float>(tokens * 32 * mixStride(24))};
  row(b, "hc_mix", b.grid(tokens * 32, 4), HcMixPlan<Mix>::Threads,
      HcMixPlan<Mix>::SharedBytes, m, DSV4_PHASE(m, hcMix, Mix));
  HcPreParams p{step,
                m.partials,
                m.streamsOut,
                b.floats(3),
                b.floats(24),
                b.numbers(4096),
                b.room<u16>(tokens * 4096),
                b.room<u16>(tokens * 4096),
                b.room<float>(tokens * 4),
                b.room<float>(tokens * 16)};
  row(b, "hc_pre", b.grid(tokens), HcPrePlan<Pre>::Threads,
      HcPrePlan<Pre>::SharedBytes, p, DSV4_PHASE(p, hcPre, Pre));
  EncodeParams e{b.values<i64>({i64(tokens)}), 1, 4096, p.xq,
                 b.room<u8>(tokens * 32 * ActivationBytes)};
  row(b, "encode 4096", b.grid(tokens * 4, 4), 256, 0, e,
      DSV4_PHASE(e, encodeActivations));
  NormQuantParams n{step, b.numbers(tokens * 1024), b.numbers(1024),
                    b.room<u16>(tokens * 1024), b.room<u16>(tokens * 1024)};
  row(b, "norm_quant 1024", b.grid(tokens), NormQuantPlan<Norm>::Threads,
      NormQuantPlan<Norm>::SharedBytes, n, DSV4_PHASE(n, normQuant, Norm));
}

void moe(Bench &b, const dsv4_step *step, u32 tokens) {
  std::mt19937 random(5);
  std::vector<float> logits(tokens * 256);
  for (float &l : logits)
    l = float(int(random() % 2000) - 1000) / 250;
  RouteParams r{step, b.values(logits),        b.floats(256, 0),
                {},   b.room<i32>(tokens * 6), b.room<float>(tokens * 6)};
  row(b, "route", b.grid((tokens + 3) / 4), 128, 0, r,
      DSV4_PHASE(r, route, Router));
  DispatchParams d{step, r.ids, b.room<i32>(2 + 512 + tokens * 6)};
  row(b, "dispatch", 1, DispatchPlan<Router>::Threads,
      DispatchPlan<Router>::SharedBytes, d, DSV4_PHASE(d, dispatch, Router));
  SwigluParams s{step, b.numbers(tokens * 6 * 2048),
                 b.numbers(tokens * 6 * 2048), b.floats(tokens * 6),
                 b.room<u16>(tokens * 6 * 2048)};
  row(b, "swiglu of 6 slots", b.grid(tokens * 12, 4), 128, 0, s,
      DSV4_PHASE(s, swiglu, Expert));
  CombineParams c{step, b.numbers(tokens * 6 * 4096), b.numbers(tokens * 4096),
                  b.room<u16>(tokens * 4096)};
  row(b, "combine", b.grid(tokens * 4, 4), 128, 0, c,
      DSV4_PHASE(c, combine, Expert));
}

void attentionRows(Bench &b, const dsv4_step *step, u32 tokens) {
  auto tab = b.floats(tokens * 64);
  QueryHeadsParams q{step, b.numbers(tokens * 64 * 512), tab,
                     b.room<u16>(tokens * 64 * 512)};
  row(b, "query_heads", b.grid(tokens * 8, 4), 128, 0, q,
      DSV4_PHASE(q, queryHeads, Query));
  IndexQueryParams i{step, b.numbers(tokens * 64 * 128), tab,
                     b.room<u16>(tokens * 64 * 128)};
  row(b, "index_query", b.grid(tokens * 8, 4), 128, 0, i,
      DSV4_PHASE(i, indexQuery, Index));
  StoreKvParams s{step, b.numbers(tokens * 512), b.numbers(512), tab,
                  b.room<u8>(640 * 584)};
  row(b, "store_kv", b.grid((tokens + 7) / 8, 4), 128, 0, s,
      DSV4_PHASE(s, storeKv, Store));
  CompressParams c{step,
                   b.floats(tokens * 1024),
                   b.floats(tokens * 1024),
                   b.floats(4 * 1024),
                   b.numbers(512),
                   b.room<u8>(8 * 1024 * 8),
                   b.room<u8>(2048 * 584),
                   {}};
  row(b, "compress", b.grid(tokens), 512, 4 * 512, c,
      DSV4_PHASE(c, compress, Pool));
}

} // namespace

void runTimings(Gpu &gpu) {
  Bench b(gpu);
  reading(b);
  // Of the reads above, the fastest: what rates are shown against.
  b.takeBest();
  if (!gpu.isListing())
    printf("[ time ] reading alone gives %.0f GB/s at best\n", b.bestRate());
  counters<1>(b);
  counters<8>(b);
  counters<132>(b);
  products(b);
  for (i64 tokens : {1, 8}) {
    attention<64>(b, tokens);
    attention<32>(b, tokens);
    attention<16>(b, tokens);
    index(b, tokens);
  }
  for (u32 tokens : {1u, 8u}) {
    b.clear();
    const dsv4_step *step = stepOf(b, tokens, 4999, 65536);
    if (!gpu.isListing())
      printf("[ time ] rows, %u tokens\n", tokens);
    boundary(b, step, tokens);
    moe(b, step, tokens);
    attentionRows(b, step, tokens);
  }
}

} // namespace dsv4::cuda::test
