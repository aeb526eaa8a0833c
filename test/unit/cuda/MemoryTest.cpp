// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Single accesses: bounds, alignment, unwritten memory, bytes of one word that
// belong to different threads, and what pointers can express.

#include "test/unit/cuda/EmulationTestSupport.h"

namespace dsv4::cuda::test {
namespace {

TEST(CudaMemory, Pointers) {
  Emulator emu;
  auto x = emu.input<float>("x", {1, 2, 3, 4, 5, 6, 7, 8});
  auto y = emu.scratch<float>("y", 8);
  emu.launch("kernel", {1}, {1}, 64, [=] {
    auto tile = dynamicShared().as<float>();
    tile[0] = x[1];
    tile[0] += 1.5f;
    *(tile + 1) = tile[0];
    tile[2] = tile[1];
    tile[3] = 0.25f;
    Vec<float, 4> v = tile.vec<4>(0);
    y.setVec<4>(0, v);
    auto words = x.as<const u32>();
    y.as<u32>()[4] = words[4];
    Shared<const float> constant = tile;
    y[5] = constant[3];
    y.setVec<2>(6, x.vec<2>(2));
  });
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  EXPECT_EQ(contents(y, 8),
            (std::vector<float>{3.5, 3.5, 3.5, 0.25, 5, 0.25, 3, 4}));
}

TEST(CudaMemory, HintedLoads) {
  Emulator emu;
  auto x = emu.input<u32>("x", {1, 2, 3, 4, 5, 6, 7, 8});
  auto y = emu.scratch<u32>("y", 8);
  emu.launch("kernel", {1}, {1}, 0, [=] {
    auto bytes = x.as<const u8>();
    y.setVec<4>(0, ldNc16(bytes));
    y.setVec<4>(4, ldStream16(bytes + 16));
    y[0] = ldNc4(bytes + 8);
  });
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  EXPECT_EQ(contents(y, 8), (std::vector<u32>{3, 2, 3, 4, 5, 6, 7, 8}));
}

template <class K> std::string textOf(K kernel, u32 threads = 1) {
  Emulator emu;
  auto x = emu.input<u32>("x", {1, 2, 3, 4});
  auto y = emu.scratch<u32>("y", 4);
  emu.launch("kernel", {1}, {threads}, 64, [=] { kernel(x, y); });
  return emu.run().text();
}
using In = Global<const u32>;
using Out = Global<u32>;

#define EXPECT_SAYS(text, part)                                                \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(CudaMemory, Bounds) {
  EXPECT_EQ(textOf([](In x, Out y) { y[3] = x[3]; }), "");
  EXPECT_SAYS(textOf([](In x, Out y) { y[3] = x[4]; }),
              "kernel block 0 thread 0: load of 4 bytes at x + 16, which has "
              "16 bytes");
  EXPECT_SAYS(textOf([](In x, Out y) { y[4] = 1; }), "store of 4 bytes at y");
  EXPECT_SAYS(textOf([](In x, Out y) {
                Shared<u32> s = dynamicShared().as<u32>();
                s[16] = 1;
              }),
              "store of 4 bytes at shared memory + 64, which has 64 bytes");
  EXPECT_SAYS(textOf([](In x, Out y) { st(const_cast<u32 *>(x.raw()), 5u); }),
              "which kernels may only read");
  EXPECT_SAYS(textOf([](In x, Out y) { y[0] = Global<u32>(nullptr)[0]; }),
              "below every buffer");
}

TEST(CudaMemory, AlignmentAndUnwritten) {
  EXPECT_SAYS(textOf([](In x, Out y) { (void)x.vec<2>(1); }),
              "load of 8 bytes at an address that is no multiple of 8");
  EXPECT_SAYS(textOf([](In x, Out y) { (void)u32(y[2]); }),
              "y + 8: nobody has written there");
  EXPECT_SAYS(
      textOf([](In x, Out y) { (void)u32(dynamicShared().as<u32>()[1]); }),
      "shared memory + 4: nobody has written there");
  // Half of the word is written.
  EXPECT_SAYS(textOf([](In x, Out y) {
                y.as<u16>()[2] = u16(1);
                (void)u32(y[1]);
              }),
              "y + 6: nobody has written there");
}

TEST(CudaMemory, BytesOfOneWord) {
  // Four threads write a byte each: no race, and then one reads the word.
  EXPECT_EQ(textOf(
                [](In x, Out y) {
                  if (threadIdX() < 4)
                    y.as<u8>()[threadIdX()] = u8(threadIdX());
                  syncWarp();
                  if (threadIdX() == 0 && y[0] != 0x03020100u)
                    trap();
                },
                32),
            "");
  EXPECT_SAYS(textOf(
                  [](In x, Out y) {
                    if (threadIdX() < 4)
                      y.as<u8>()[threadIdX() / 2] = u8(1);
                  },
                  32),
              "is not ordered behind another write by");
}

TEST(CudaMemory, WriteBehindManyReaders) {
  auto kernel = [](bool meet) {
    return [=](In x, Out y) {
      if (threadIdX() == 0)
        y[0] = 1;
      syncThreads();
      (void)u32(y[0]);
      if (meet)
        syncThreads();
      if (threadIdX() == 63)
        y[0] = 2;
    };
  };
  EXPECT_EQ(textOf(kernel(true), 64), "");
  EXPECT_SAYS(textOf(kernel(false), 64), "is not ordered behind a read by");
}

TEST(CudaMemory, LaterRunsSeeEarlierOnes) {
  Emulator emu;
  auto y = emu.scratch<u32>("y", 64);
  for (u32 run = 0; run < 3; ++run) {
    emu.launch("kernel", {2}, {32}, 0, [=] {
      u32 t = blockIdX() * 32 + threadIdX();
      y[(t + 17 * run) % 64] = run;
    });
    Result result = emu.run();
    EXPECT_TRUE(result.ok()) << result.text();
  }
}

TEST(CudaMemory, EqualFindingsAreCounted) {
  Emulator emu;
  auto y = emu.scratch<u32>("y", 4);
  emu.launch("kernel", {1}, {32}, 0, [=] { y[4 + threadIdX()] = 1; });
  Result result = emu.run();
  ASSERT_EQ(result.reports.size(), 1u) << result.text();
  EXPECT_EQ(result.reports[0].count, 32u);
}

} // namespace
} // namespace dsv4::cuda::test
