// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches and their edges: what overlaps, what waits, what a seed decides.

#include "test/unit/cuda/EmulationTestSupport.h"

namespace dsv4::cuda::test {
namespace {

/// Two launches over the same values; notes the order of events.
struct Chain {
  Edge::Kind kind = Edge::Programmatic;
  bool edge = true, trigger = true, wait = true;
  Result run(u64 seed, std::vector<int> &events) const {
    Emulator emu({.seed = seed});
    auto x = emu.scratch<u32>("x", 128);
    auto y = emu.scratch<u32>("y", 128);
    Chain c = *this;
    auto a = emu.launch("first", {2}, {64}, 0, [=, &events] {
      if (c.trigger)
        gridDepLaunch();
      syncThreads();
      x[blockIdX() * 64 + threadIdX()] = threadIdX();
      if (threadIdX() == 0)
        events.push_back(1);
    });
    emu.launch(
        "second", {2}, {64}, 0,
        [=, &events] {
          if (threadIdX() == 0)
            events.push_back(2);
          if (c.wait)
            gridDepWait();
          y[blockIdX() * 64 + threadIdX()] =
              x[127 - blockIdX() * 64 - threadIdX()];
        },
        edge ? std::vector<Edge>{{a, kind}} : std::vector<Edge>{});
    Result result = emu.run();
    if (result.ok()) {
      for (u32 i = 0; i < 128; ++i)
        EXPECT_EQ(y.raw()[i], (127 - i) % 64);
    }
    return result;
  }
};

bool overlapped(const std::vector<int> &events) {
  return !events.empty() && !std::is_sorted(events.begin(), events.end());
}

TEST(CudaGraph, ProgrammaticLaunchesOverlap) {
  int early = 0;
  for (u64 seed = 1; seed <= seeds; ++seed) {
    std::vector<int> events;
    Result result = Chain{}.run(seed, events);
    EXPECT_TRUE(result.ok()) << result.text();
    early += overlapped(events);
    events.clear();
    // Without the trigger the end of the blocks is one.
    result = Chain{.trigger = false}.run(seed, events);
    EXPECT_TRUE(result.ok()) << result.text();
    events.clear();
    // A full edge orders everything, and needs no wait.
    result = Chain{.kind = Edge::Full, .wait = false}.run(seed, events);
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_FALSE(overlapped(events));
  }
  EXPECT_GT(early, 0);
  EXPECT_LT(early, int(seeds));
}

TEST(CudaGraph, MissingWaitOrEdgeIsFound) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    std::vector<int> events;
    for (const Chain &bad :
         {Chain{.wait = false}, Chain{.trigger = false, .wait = false},
          Chain{.edge = false}}) {
      Result result = bad.run(seed, events);
      EXPECT_FALSE(result.ok());
      EXPECT_NE(result.text().find("second block"), std::string::npos)
          << result.text();
    }
  }
}

/// Waiting for a launch that did not wait itself says nothing about the one
/// before it.
TEST(CudaGraph, WaitsAreNotTransitiveByThemselves) {
  for (bool middleWaits : {true, false}) {
    Emulator emu({.seed = 5});
    auto x = emu.scratch<u32>("x", 1);
    auto y = emu.scratch<u32>("y", 1);
    auto a = emu.launch("a", {1}, {1}, 0, [=] {
      gridDepLaunch();
      *x = 7;
    });
    auto b = emu.launch("b", {1}, {1}, 0,
                        [=] {
                          gridDepLaunch();
                          if (middleWaits)
                            gridDepWait();
                        },
                        {{a, Edge::Programmatic}});
    emu.launch("c", {1}, {1}, 0,
               [=] {
                 gridDepWait();
                 *y = u32(*x);
               },
               {{b, Edge::Programmatic}});
    Result result = emu.run();
    EXPECT_EQ(result.ok(), middleWaits) << result.text();
  }
}

/// The order in which blocks take numbers, as one word.
std::string order(u64 seed) {
  Emulator emu({.seed = seed, .residentBlocks = 3});
  auto next = emu.buffer<u32>("next", {0});
  auto taken = emu.scratch<u32>("taken", 12);
  emu.launch("kernel", {12}, {32}, 0, [=] {
    u32 mine = laneId() == 0 ? atomAddAcqRel(next.raw(), 1) : 0;
    mine = shfl(mine, 0);
    if (laneId() == 0)
      taken[mine] = blockIdX();
  });
  Result result = emu.run();
  EXPECT_TRUE(result.ok()) << result.text();
  std::string word;
  for (u32 i = 0; i < 12; ++i)
    word += char('a' + taken.raw()[i]);
  return word + std::to_string(result.switches);
}

TEST(CudaGraph, ASeedIsASchedule) {
  std::vector<std::string> words;
  for (u64 seed = 1; seed <= seeds; ++seed) {
    words.push_back(order(seed));
    EXPECT_EQ(words.back(), order(seed));
  }
  std::sort(words.begin(), words.end());
  auto different = std::unique(words.begin(), words.end()) - words.begin();
  EXPECT_GT(different, 10) << "seeds give nearly the same schedules";
}

TEST(CudaGraph, IndicesOfGridAndBlock) {
  Emulator emu({.residentBlocks = 2});
  auto seen = emu.scratch<u32>("seen", 3 * 4 * 96);
  emu.launch("kernel", {3, 4}, {96}, 0, [=] {
    u32 block = blockIdY() * gridDimX() + blockIdX();
    seen[block * blockDimX() + threadIdX()] =
        1000 * block + 100 * gridDimY() + 32 * warpId() + laneId();
  });
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  for (u32 i = 0; i < 3 * 4 * 96; ++i)
    EXPECT_EQ(seen.raw()[i], 1000 * (i / 96) + 400 + i % 96);
}

/// 70 threads are allowed as long as nothing counts warps.
TEST(CudaGraph, WarpsThatAreNotFull) {
  Emulator emu;
  auto seen = emu.scratch<u32>("seen", 70);
  emu.launch("kernel", {1}, {70}, 0, [=] { seen[threadIdX()] = threadIdX(); });
  EXPECT_TRUE(emu.run().ok());
  emu.launch("kernel", {1}, {70}, 0, [] { shfl(1u, 0); });
  EXPECT_TRUE(emu.run().has(FaultKind::Misuse));
  emu.launch("kernel", {1}, {70}, 0, [] { syncThreads(); });
  EXPECT_TRUE(emu.run().has(FaultKind::Misuse));
}

/// As docs/cuda-emulation.md shows it.
void rowSums(Global<const float> in, Global<float> out, u32 n) {
  auto bar = dynamicShared().as<u64>();
  auto row = (dynamicShared() + 128).as<float>();
  if (threadIdX() == 0) {
    mbarInit(bar, 1);
    fenceMbarInit();
    mbarArriveExpectTx(bar, n * 4);
    bulkG2S(row.as<u8>(), (in + i64(blockIdX()) * n).as<const u8>(), n * 4,
            bar);
  }
  syncThreads(); // shows the barrier to all
  gridDepWait(); // `out` is read by the launch before
  mbarWait(bar, 0);
  float sum = 0;
  for (u32 i = laneId(); i < n; i += 32)
    sum += row[i];
  for (u32 step = 16; step > 0; step /= 2)
    sum += shflXor(sum, step);
  if (threadIdX() == 0)
    out[blockIdX()] = sum;
}

TEST(CudaGraph, ExampleOfTheDocs) {
  constexpr u32 rows = 6, n = 64;
  std::vector<float> values;
  for (u32 i = 0; i < rows * n; ++i)
    values.push_back(float(i % 13));
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Emulator emu({.seed = seed, .residentBlocks = 4});
    auto in = emu.input("in", values);
    auto out = emu.scratch<float>("out", rows);
    auto total = emu.scratch<float>("total", 1);
    auto a = emu.launch("a", {rows}, {32}, 128 + 4 * n,
                        [=] { rowSums(in, out, n); });
    emu.launch("b", {1}, {32}, 0,
               [=] {
                 gridDepWait();
                 float sum = laneId() < rows ? float(out[laneId()]) : 0;
                 for (u32 step = 16; step > 0; step /= 2)
                   sum += shflXor(sum, step);
                 if (laneId() == 0)
                   *total = sum;
               },
               {{a, Edge::Programmatic}});
    Result result = emu.run();
    ASSERT_TRUE(result.ok()) << result.text();
    float want = 0;
    for (float value : values)
      want += value;
    EXPECT_EQ(total.raw()[0], want);
  }
}

TEST(CudaGraph, MistakesOfTheHost) {
  Emulator emu;
  emu.launch("wide", {1}, {2048}, 0, [] {});
  EXPECT_TRUE(emu.run().has(FaultKind::Limit));
  emu.launch("early", {1}, {32}, 0, [] {}, {{0, Edge::Full}});
  EXPECT_TRUE(emu.run().has(FaultKind::Limit));
  emu.launch("fine", {1}, {32}, 0, [] {});
  EXPECT_TRUE(emu.run().ok());
}

} // namespace
} // namespace dsv4::cuda::test
