// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk copies and cp.async: they come late, in any order, and only who waited
// may look.

#include "test/unit/cuda/EmulationTestSupport.h"

namespace dsv4::cuda::test {
namespace {

std::vector<u32> numbers(u32 count) {
  std::vector<u32> v(count);
  for (u32 i = 0; i < count; ++i)
    v[i] = i * 2654435761u;
  return v;
}

TEST(CudaCopy, BulkCopiesOfOnePhase) {
  bool early = false, late = false;
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Emulator emu({.seed = seed});
    auto in = emu.input("in", numbers(256));
    auto out = emu.scratch<u32>("out", 256);
    bool done = false;
    emu.launch("kernel", {1}, {32}, 2048, [&] {
      auto bar = dynamicShared().as<u64>();
      auto tile = dynamicShared() + 1024;
      if (laneId() == 0) {
        mbarInit(bar, 1);
        fenceMbarInit();
        mbarArriveExpectTx(bar, 1024);
        for (u32 i = 0; i < 4; ++i)
          bulkG2S(tile + 256 * i, in.as<const u8>() + 256 * i, 256, bar);
        bulkPrefetchL2(in.as<const u8>(), 1024);
        done = mbarTryWait(bar, 0);
      }
      syncWarp();
      mbarWait(bar, 0);
      for (u32 i = laneId(); i < 256; i += 32)
        out[i] = tile.as<u32>()[i];
    });
    Result result = emu.run();
    ASSERT_TRUE(result.ok()) << result.text();
    EXPECT_EQ(contents(out, 256), numbers(256));
    (done ? early : late) = true;
  }
  EXPECT_TRUE(early && late) << "every seed finished copies at the same time";
}

Result oneBulk(u32 to, u32 from, u32 bytes, u32 expect) {
  Emulator emu;
  auto in = emu.input("in", numbers(64));
  emu.launch("kernel", {1}, {32}, 1024, [&] {
    auto bar = dynamicShared().as<u64>();
    if (laneId() == 0) {
      mbarInit(bar, 1);
      fenceMbarInit();
      mbarArriveExpectTx(bar, expect);
      bulkG2S(dynamicShared() + to, in.as<const u8>() + from, bytes, bar);
      mbarWait(bar, 0);
    }
    syncWarp();
  });
  return emu.run();
}

TEST(CudaCopy, BulkLimits) {
  EXPECT_TRUE(oneBulk(512, 0, 256, 256).ok());
  EXPECT_TRUE(oneBulk(512, 0, 24, 24).has(FaultKind::Misaligned));
  EXPECT_TRUE(oneBulk(520, 0, 16, 16).has(FaultKind::Misaligned));
  EXPECT_TRUE(oneBulk(512, 4, 16, 16).has(FaultKind::Misaligned));
  EXPECT_TRUE(oneBulk(512, 16, 256, 256).has(FaultKind::OutOfBounds));
  EXPECT_TRUE(oneBulk(896, 0, 256, 256).has(FaultKind::OutOfBounds));
  Result result = oneBulk(512, 0, 32, 16);
  EXPECT_NE(result.text().find("16 bytes more than its phase expects"),
            std::string::npos)
      << result.text();
}

TEST(CudaCopy, EndsWithCopiesInFlight) {
  bool reported = false;
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Emulator emu({.seed = seed});
    auto in = emu.input("in", numbers(64));
    emu.launch("kernel", {1}, {32}, 1024, [&] {
      auto bar = dynamicShared().as<u64>();
      if (laneId() == 0) {
        mbarInit(bar, 1);
        fenceMbarInit();
        mbarArriveExpectTx(bar, 256);
        bulkG2S(dynamicShared() + 512, in.as<const u8>(), 256, bar);
      }
    });
    reported |= emu.run().has(FaultKind::Misuse);
  }
  EXPECT_TRUE(reported);
}

/// Two groups of cp.async; reads the first when `Left` groups may be open.
template <u32 Left> Result twoGroups(u64 seed, bool barrier) {
  Emulator emu({.seed = seed});
  auto in = emu.input("in", numbers(512));
  auto out = emu.scratch<u32>("out", 256);
  emu.launch("kernel", {1}, {64}, 2048, [=] {
    u32 t = threadIdX();
    auto tile = dynamicShared();
    for (u32 group = 0; group < 2; ++group) {
      cpAsync16(tile + 1024 * group + 16 * t,
                in.as<const u8>() + 1024 * group + 16 * t);
      cpAsyncCommit();
    }
    cpAsyncWait<Left>();
    if (barrier)
      syncThreads();
    out.setVec<4>(4 * t, tile.as<u32>().vec<4>(4 * (63 - t)));
    cpAsyncWait<0>();
  });
  Result result = emu.run();
  if (result.ok()) {
    for (u32 i = 0; i < 256; ++i)
      EXPECT_EQ(out.raw()[i], numbers(512)[4 * (63 - i / 4) + i % 4]);
  }
  return result;
}

TEST(CudaCopy, GroupsOfSmallCopies) {
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Result good = twoGroups<1>(seed, true);
    EXPECT_TRUE(good.ok()) << good.text();
    EXPECT_TRUE(twoGroups<0>(seed, true).ok());
    EXPECT_FALSE(twoGroups<1>(seed, false).ok()) << "no barrier";
    EXPECT_FALSE(twoGroups<2>(seed, true).ok()) << "no wait";
  }
}

/// Not even its own thread may look before it has waited.
TEST(CudaCopy, OwnSmallCopyIsNotThereYet) {
  for (u64 seed = 1; seed <= seeds; ++seed)
    for (bool wait : {true, false}) {
      Emulator emu({.seed = seed});
      auto in = emu.input("in", numbers(4));
      emu.launch("kernel", {1}, {1}, 1024, [=] {
        cpAsync16(dynamicShared(), in.as<const u8>());
        cpAsyncCommit();
        for (u32 i = 0; i < 8; ++i)
          nanosleep(20); // enough for the copy to be done
        if (wait)
          cpAsyncWait<0>();
        (void)u32(dynamicShared().as<u32>()[0]);
        cpAsyncWait<0>();
      });
      Result result = emu.run();
      EXPECT_EQ(result.ok(), wait) << "seed " << seed << "\n" << result.text();
    }
}

TEST(CudaCopy, SmallCopiesFillWithZeros) {
  Emulator emu;
  auto in = emu.input("in", numbers(4));
  auto out = emu.scratch<u32>("out", 4);
  emu.launch("kernel", {1}, {1}, 1024, [=] {
    cpAsync16(dynamicShared(), in.as<const u8>(), 8);
    cpAsyncCommit();
    cpAsyncWait<0>();
    out.setVec<4>(0, dynamicShared().as<u32>().vec<4>(0));
  });
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  EXPECT_EQ(contents(out, 4), (std::vector<u32>{0, 2654435761u, 0, 0}));
}

} // namespace
} // namespace dsv4::cuda::test
