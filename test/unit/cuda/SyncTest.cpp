// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exchanges inside a warp, barriers, mbarriers and counters: what they compute,
// what they order, and what a deadlock looks like.

#include "test/unit/cuda/EmulationTestSupport.h"

namespace dsv4::cuda::test {
namespace {

TEST(CudaSync, Exchanges) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Emulator emu({.seed = seed});
    auto out = emu.scratch<u32>("out", 64 * 8);
    emu.launch("kernel", {1}, {64}, 0, [=] {
      u32 lane = laneId(), t = threadIdX();
      auto mine = out + 8 * t;
      mine[0] = shfl(t, 5);
      mine[1] = shflXor(t, 16);
      mine[2] = shflDown(t, 3);
      mine[3] = shflUp(t, 3);
      mine[4] = laneBallot(lane % 3 == 0);
      mine[5] = anyLane(t == 40);
      mine[6] = elect();
      mine[7] = u32(shflXor(float(t), 1));
    });
    Result result = emu.run();
    ASSERT_TRUE(result.ok()) << result.text();
    for (u32 t = 0; t < 64; ++t) {
      const u32 *mine = out.raw() + 8 * t;
      u32 lane = t % 32, base = t - lane;
      EXPECT_EQ(mine[0], base + 5);
      EXPECT_EQ(mine[1], t ^ 16);
      EXPECT_EQ(mine[2], lane + 3 < 32 ? t + 3 : t);
      EXPECT_EQ(mine[3], lane >= 3 ? t - 3 : t);
      EXPECT_EQ(mine[4], 0x49249249u);
      EXPECT_EQ(mine[5], u32(base == 32));
      EXPECT_EQ(mine[6], u32(lane == 0));
      EXPECT_EQ(mine[7], t ^ 1);
    }
  }
}

/// Every thread writes, then reads its neighbour's element.
void neighbours(Shared<u32> tile, u32 count, u32 rounds, void (*meet)(u32)) {
  u32 t = threadIdX() % count;
  for (u32 round = 0; round < rounds; ++round) {
    tile[t] = 100 * round + t;
    meet(count);
    if (tile[(t + 1) % count] != 100 * round + (t + 1) % count)
      trap();
    meet(count);
  }
}

TEST(CudaSync, BarriersOrder) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Result result = runOne(seed, {2}, {96}, 1024, [] {
      neighbours(dynamicShared().as<u32>(), 96, 3, [](u32) { syncThreads(); });
    });
    EXPECT_TRUE(result.ok()) << result.text();
    result = runOne(seed, {1}, {32}, 1024, [] {
      neighbours(dynamicShared().as<u32>(), 32, 3, [](u32) { syncWarp(); });
    });
    EXPECT_TRUE(result.ok()) << result.text();
    // Two groups that never meet each other.
    result = runOne(seed, {1}, {128}, 1024, [] {
      u32 group = threadIdX() / 64;
      auto tile = dynamicShared().as<u32>() + 64 * group;
      if (group == 0)
        neighbours(tile, 64, 3, [](u32 n) { barSync(1, n); });
      else
        neighbours(tile, 64, 5, [](u32 n) { barSync(2, n); });
    });
    EXPECT_TRUE(result.ok()) << result.text();
  }
}

TEST(CudaSync, ExchangesDoNotOrder) {
  Result result = runOne(3, {1}, {32}, 1024, [] {
    auto tile = dynamicShared().as<u32>();
    tile[laneId()] = 1;
    shflXor(1u, 1);
    (void)u32(tile[laneId() ^ 1]);
  });
  EXPECT_TRUE(result.has(FaultKind::Race)) << result.text();
}

TEST(CudaSync, ArriveAndSync) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    // Warp 0 produces and goes on, warp 1 waits.
    Result result = runOne(seed, {1}, {64}, 1024, [] {
      auto tile = dynamicShared().as<u32>();
      u32 lane = laneId();
      if (warpId() == 0) {
        tile[lane] = lane;
        barArrive(3, 64);
      } else {
        barSync(3, 64);
        if (tile[31 - lane] != 31 - lane)
          trap();
      }
    });
    EXPECT_TRUE(result.ok()) << result.text();
  }
}

TEST(CudaSync, MbarrierPhases) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    // 32 producers and 32 consumers hand one tile to and fro, ten times.
    Result result = runOne(seed, {1}, {64}, 1024, [] {
      auto full = dynamicShared().as<u64>(), empty = full + 1;
      auto tile = (dynamicShared() + 128).as<u32>();
      if (threadIdX() == 0) {
        mbarInit(full, 32);
        mbarInit(empty, 32);
      }
      syncThreads();
      u32 lane = laneId();
      for (u32 i = 0; i < 10; ++i) {
        if (warpId() == 0) {
          mbarWait(empty, (i + 1) % 2);
          tile[lane] = i + lane;
          mbarArrive(full);
        } else {
          while (!mbarTryWait(full, i % 2)) {
          }
          if (tile[31 - lane] != i + 31 - lane)
            trap();
          mbarArrive(empty);
        }
      }
    });
    EXPECT_TRUE(result.ok()) << result.text();
  }
}

TEST(CudaSync, MbarrierMisuse) {
  Result result = runOne(1, {1}, {32}, 64, [] {
    if (laneId() == 0)
      mbarTryWait(dynamicShared().as<u64>(), 0);
  });
  EXPECT_TRUE(result.has(FaultKind::Misuse)) << result.text();
  EXPECT_NE(result.text().find("no mbarrier was initialised"),
            std::string::npos);

  // Three arrivals where one is expected, and bytes still outstanding.
  result = runOne(1, {1}, {32}, 64, [] {
    auto bar = dynamicShared().as<u64>();
    if (laneId() == 0) {
      mbarInit(bar, 1);
      mbarArriveExpectTx(bar, 16);
      mbarArrive(bar);
    }
  });
  EXPECT_NE(result.text().find("has all of its 1 arrivals"), std::string::npos)
      << result.text();

  // Used by a thread that nothing has told of the initialisation.
  result = runOne(1, {1}, {64}, 64, [] {
    auto bar = dynamicShared().as<u64>();
    if (threadIdX() == 0)
      mbarInit(bar, 1);
    shfl(0u, 0);
    if (threadIdX() == 1)
      mbarArrive(bar);
  });
  EXPECT_NE(result.text().find("not ordered behind the mbarrier's"),
            std::string::npos)
      << result.text();
}

/// Block 0 sums what the others have written; `Counted` is how it learns of it.
template <class Publish, class Await>
Result countedSum(u64 seed, Publish publish, Await await) {
  Emulator emu({.seed = seed});
  auto values = emu.scratch<u32>("values", 4 * 64);
  auto counter = emu.buffer<u32>("counter", {0});
  auto sum = emu.scratch<u32>("sum", 1);
  emu.launch("kernel", {4}, {64}, 0, [=] {
    values[blockIdX() * 64 + threadIdX()] = threadIdX();
    syncThreads();
    if (threadIdX() == 0)
      publish(counter.raw());
    if (blockIdX() == 0 && threadIdX() == 0) {
      await(counter.raw(), 4);
      u32 total = 0;
      for (u32 i = 0; i < 256; ++i)
        total += values[i];
      *sum = total;
    }
  });
  Result result = emu.run();
  if (result.ok()) {
    EXPECT_EQ(sum.raw()[0], 4u * 63 * 32);
  }
  return result;
}

TEST(CudaSync, Counters) {
  auto release = [](u32 *p) { redReleaseAdd(p, 1); };
  auto relaxed = [](u32 *p) { redRelaxedAdd(p, 1); };
  auto fenced = [](u32 *p) {
    fenceAcqRelGpu();
    redRelaxedAdd(p, 1);
  };
  auto wait = [](u32 *p, u32 n) { waitAtLeast(p, n); };
  auto poll = [](u32 *p, u32 n) {
    while (ldAcquire(p) < n)
      nanosleep(20);
  };
  auto relaxedPoll = [](u32 *p, u32 n) {
    while (ldRelaxed(p) < n)
      nanosleep(20);
  };
  auto fencedPoll = [&](u32 *p, u32 n) {
    relaxedPoll(p, n);
    fenceAcqRelGpu();
  };
  for (u64 seed = 1; seed <= seeds; ++seed) {
    for (const Result &good :
         {countedSum(seed, release, wait), countedSum(seed, release, poll),
          countedSum(seed, fenced, poll), countedSum(seed, fenced, fencedPoll)})
      EXPECT_TRUE(good.ok()) << good.text();
    for (const Result &bad : {countedSum(seed, relaxed, wait),
                              countedSum(seed, release, relaxedPoll),
                              countedSum(seed, fenced, relaxedPoll)})
      EXPECT_TRUE(bad.has(FaultKind::Race)) << bad.text();
  }
}

/// A histogram in shared memory; `first` and `second` are its barriers.
Result histogram(u64 seed, bool first, bool second) {
  Emulator emu({.seed = seed});
  auto out = emu.scratch<u32>("out", 9);
  emu.launch("kernel", {1}, {64}, 64, [=] {
    auto bins = dynamicShared().as<u32>();
    if (threadIdX() < 9)
      bins[threadIdX()] = 0;
    if (first)
      syncThreads();
    atomAddShared(bins + threadIdX() % 8, 1);
    atomMaxShared(bins + 8, threadIdX());
    if (second)
      syncThreads();
    if (threadIdX() < 9)
      out[threadIdX()] = bins[threadIdX()];
  });
  Result result = emu.run();
  if (result.ok()) {
    EXPECT_EQ(contents(out, 9), (std::vector<u32>{8, 8, 8, 8, 8, 8, 8, 8, 63}));
  }
  return result;
}

TEST(CudaSync, SharedAtomics) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Result good = histogram(seed, true, true);
    EXPECT_TRUE(good.ok()) << good.text();
    EXPECT_FALSE(histogram(seed, false, true).ok()) << "zeros too late";
    EXPECT_TRUE(histogram(seed, true, false).has(FaultKind::Race))
        << "read too early";
  }
}

TEST(CudaSync, AtomicsBehindAPlainWrite) {
  for (bool meet : {true, false}) {
    Result result = runOne(1, {1}, {32}, 64, [=] {
      auto bins = dynamicShared().as<u32>();
      if (laneId() == 0)
        bins[0] = 0;
      meet ? syncWarp() : void(shfl(0u, 0));
      if (laneId() == 1)
        atomAddShared(bins, 1);
    });
    EXPECT_EQ(result.ok(), meet) << result.text();
    EXPECT_EQ(result.has(FaultKind::Race), !meet);
  }
}

TEST(CudaSync, LastBlockReduces) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Emulator emu({.seed = seed});
    auto values = emu.scratch<u32>("values", 8);
    auto counter = emu.buffer<u32>("counter", {0});
    auto sum = emu.scratch<u32>("sum", 1);
    for (int twice = 0; twice < 2; ++twice) {
      emu.launch("kernel", {8}, {32}, 0, [=] {
        if (threadIdX() != 0)
          return;
        values[blockIdX()] = blockIdX();
        if (atomAddAcqRel(counter.raw(), 1) != 7)
          return;
        u32 total = 0;
        for (u32 i = 0; i < 8; ++i)
          total += values[i];
        *sum = total;
        *counter = 0; // for the next launch
      });
      Result result = emu.run();
      EXPECT_TRUE(result.ok()) << result.text();
      EXPECT_EQ(sum.raw()[0], 28u);
      EXPECT_EQ(counter.raw()[0], 0u);
    }
  }
}

TEST(CudaSync, DeadlockIsAWaitGraph) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Emulator emu({.seed = seed, .residentBlocks = 1});
    auto counter = emu.buffer<u32>("arrivals", {0});
    // Two blocks that need each other, and one place: never together.
    emu.launch("pair", {2}, {32}, 0, [=] {
      if (laneId() == 0) {
        redReleaseAdd(counter.raw(), 1);
        waitAtLeast(counter.raw(), 2);
      }
      syncWarp();
    });
    Result result = emu.run();
    ASSERT_TRUE(result.has(FaultKind::Deadlock)) << result.text();
    for (const char *part :
         {"pair block 0 threads 0-0: counter arrivals + 0: wants 2, sees 1",
          "pair block 0 threads 1-31: bar.warp: without lanes 0",
          "pair: 1 of 2 blocks have not started: all 1 places"})
      EXPECT_NE(result.text().find(part), std::string::npos) << result.text();
  }
}

TEST(CudaSync, PollingForeverIsFound) {
  Emulator emu;
  auto counter = emu.buffer<u32>("counter", {0});
  emu.launch("poller", {1}, {32}, 0, [=] {
    while (ldAcquire(counter.raw()) < 1)
      nanosleep(20);
  });
  Result result = emu.run();
  EXPECT_TRUE(result.has(FaultKind::Livelock)) << result.text();
}

TEST(CudaSync, LanesThatPart) {
  Result result = runOne(1, {1}, {32}, 0, [] {
    if (laneId() < 16)
      shfl(1u, 0);
    else
      laneBallot(true);
  });
  EXPECT_TRUE(result.has(FaultKind::Misuse)) << result.text();
}

} // namespace
} // namespace dsv4::cuda::test
