// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prints what the emulator costs per switch, access and product, for
// docs/cuda-emulation.md. Asserts nothing about time.

#include "test/unit/cuda/EmulationTestSupport.h"

#include <chrono>

namespace dsv4::cuda::test {
namespace {

template <class K>
double nanoseconds(u32 threads, u32 shared, u64 *switches, K kernel) {
  Emulator emu;
  emu.launch("kernel", {1}, {threads}, shared, kernel);
  auto before = std::chrono::steady_clock::now();
  Result result = emu.run();
  auto after = std::chrono::steady_clock::now();
  EXPECT_TRUE(result.ok()) << result.text();
  *switches = result.switches;
  return std::chrono::duration<double, std::nano>(after - before).count();
}

TEST(CudaSpeed, Prints) {
  constexpr u32 rounds = 10000;
  u64 switches;
  double time = nanoseconds(32, 0, &switches, [] {
    for (u32 i = 0; i < rounds; ++i)
      shflXor(i, 1);
  });
  std::printf("shuffle of a warp: %.0f ns; %.1f ns per switch\n", time / rounds,
              time / double(switches));
  time = nanoseconds(1024, 0, &switches, [] {
    for (u32 i = 0; i < 1000; ++i)
      syncThreads();
  });
  std::printf("barrier of 1024 threads: %.1f us; %.1f ns per switch\n",
              time / 1000e3, time / double(switches));
  double plain = nanoseconds(32, 0, &switches, [] {
    for (u32 i = 0; i < rounds; ++i)
      laneBallot(true);
  });
  auto product = [&](const char *name, auto call) {
    time = nanoseconds(32, 0, &switches, [&] {
      float d[4] = {};
      u32 a[4] = {laneId(), 1, 2, 3}, b[2] = {4, laneId()};
      for (u32 i = 0; i < rounds; ++i)
        call(d, a, b);
    });
    std::printf("%s: %.2f us, of which meeting %.2f\n", name,
                time / rounds / 1000, plain / rounds / 1000);
  };
  product("mma m16n8k16 f16",
          [](auto &d, auto &a, auto &b) { mmaF16(d, a, b); });
  product("mma m16n8k16 bf16",
          [](auto &d, auto &a, auto &b) { mmaBF16(d, a, b); });
  product("mma m16n8k32 e4m3",
          [](auto &d, auto &a, auto &b) { mmaE4M3(d, a, b); });
  time = nanoseconds(32, 65536, &switches, [] {
    auto tile = dynamicShared().as<u32>();
    for (u32 i = 0; i < rounds; ++i)
      tile.setVec<4>(4 * (laneId() + 32 * (i % 64)), {i, i, i, i});
  });
  std::printf("store of 16 bytes: %.0f ns\n", time / rounds / 32);
}

TEST(CudaSpeed, Wgmma) {
  u64 switches;
  constexpr u32 rounds = 200;
  double time = nanoseconds(128, 65536, &switches, [] {
    auto tile = dynamicShared();
    for (u32 i = threadIdX(); i < 2048; i += 128)
      tile.as<u32>()[i] = i;
    fenceProxyAsync();
    syncThreads();
    float d[32] = {};
    u32 a[4] = {laneId(), 1, 2, 3};
    for (u32 i = 0; i < rounds; ++i) {
      wgmmaFence();
      for (u32 k = 0; k < 4; ++k)
        wgmmaE4M3(d, a, bDescriptor(tile.addr() + 32 * k, Swizzle::B128, 1024),
                  true);
      wgmmaCommit();
      wgmmaWait<0>();
    }
  });
  std::printf("wgmma m64n64k32 e4m3: %.1f us\n", time / rounds / 4000);
}

} // namespace
} // namespace dsv4::cuda::test
