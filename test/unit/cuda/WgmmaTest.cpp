// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wgmma against a plain product, for every N, element and swizzle; and what
// must be found when a kernel does not wait, does not fence or touches
// registers.

#include "test/unit/cuda/EmulationTestSupport.h"

namespace dsv4::cuda::test {
namespace {

enum class Kind { E4M3, F16, BF16 };

u32 encode(Kind kind, int value) { // small integers are exact everywhere
  float f = float(value);
  u32 bits = __builtin_bit_cast(u32, f);
  if (kind == Kind::BF16)
    return bits >> 16;
  u32 mantissaBits = kind == Kind::F16 ? 10 : 3,
      bias = kind == Kind::F16 ? 15 : 7;
  if (value == 0)
    return 0;
  u32 exponent = (bits >> 23 & 0xff) - 127 + bias;
  u32 sign = bits >> 31 << (kind == Kind::F16 ? 15 : 7);
  return sign | exponent << mantissaBits |
         (bits & 0x7fffff) >> (23 - mantissaBits);
}

int aValue(u32 row, u32 k) { return int((row * 7 + k * 3) % 9) - 4; }
int bValue(u32 k, u32 n) { return int((n * 5 + k * 11) % 7) - 3; }

/// Where element k of row n of the B tile lies.
u32 placeOf(Swizzle swizzle, u32 n, u32 byte, u32 groupStride, u32 unitStride) {
  switch (swizzle) {
  case Swizzle::None:
    return n / 8 * groupStride + byte / 16 * unitStride + n % 8 * 16 +
           byte % 16;
  case Swizzle::B32: {
    u32 at = n / 8 * groupStride + n % 8 * 32 + byte;
    return at ^ (at / 128 % 2 * 16);
  }
  case Swizzle::B64: {
    u32 at = n / 8 * groupStride + n % 8 * 64 + byte;
    return at ^ (at / 128 % 4 * 16);
  }
  case Swizzle::B128:
    return n / 8 * groupStride + swizzled128(n % 8, byte);
  }
  return 0;
}

struct Tile {
  Kind kind;
  Swizzle swizzle;
  u32 groupStride, unitStride;
  u32 kOffset; ///< bytes into the swizzled row
  bool transposed = false;
};

/// Where 16-bit element (k, n) of a transposed tile lies: eight rows of k one
/// after another, each of `row` bytes of n, swizzled.
u32 placeTransposed(const Tile &tile, u32 k, u32 n) {
  u32 row = tile.swizzle == Swizzle::B128  ? 128
            : tile.swizzle == Swizzle::B64 ? 64
            : tile.swizzle == Swizzle::B32 ? 32
                                           : 16;
  if (row == 16)
    return n / 8 * tile.groupStride + k / 8 * tile.unitStride + k % 8 * 16 +
           n % 8 * 2;
  u32 at = n * 2 / row * tile.unitStride + k / 8 * tile.groupStride +
           k % 8 * row + n * 2 % row;
  return at ^ (at / 128 % (row / 16) * 16);
}

/// Writes B as the tile wants it.
void fillTile(const Tile &tile, u32 n) {
  const u32 size = tile.kind == Kind::E4M3 ? 1 : 2, depth = 32 / size;
  auto shared = dynamicShared();
  for (u32 i = threadIdX(); i < n * depth; i += 128) {
    u32 column = i / depth, k = i % depth;
    u32 at = placeOf(tile.swizzle, column, tile.kOffset + k * size,
                     tile.groupStride, tile.unitStride);
    if (tile.transposed)
      at = placeTransposed(tile, k, column);
    u32 code = encode(tile.kind, bValue(k, column));
    if (size == 1)
      shared[at] = u8(code);
    else
      shared.as<u16>()[at / 2] = u16(code);
  }
}

/// One product of N = 2R columns, twice over, upon what d held or not.
template <int R> void oneProduct(const Tile &tile, u64 seed) {
  const u32 n = 2 * R, size = tile.kind == Kind::E4M3 ? 1 : 2,
            depth = 32 / size;
  std::vector<float> got(64 * n);
  Result result = runOne(seed, {1}, {128}, 65536, [&] {
    u32 t = threadIdX(), lane = t % 32;
    auto shared = dynamicShared();
    fillTile(tile, n);
    fenceProxyAsync();
    syncThreads();
    u32 a[4] = {}, per = depth / 8;
    for (u32 reg = 0; reg < 4; ++reg)
      for (u32 i = 0; i < per; ++i) {
        u32 row = t / 32 * 16 + lane / 4 + reg % 2 * 8;
        u32 k = lane % 4 * per + i + reg / 2 * depth / 2;
        a[reg] |= encode(tile.kind, aValue(row, k)) << (8 * size * i);
      }
    float d[R];
    for (int i = 0; i < R; ++i)
      d[i] = float(i);
    u64 b = bDescriptor(shared.addr() + tile.kOffset, tile.swizzle,
                        tile.groupStride, tile.unitStride);
    wgmmaFence();
    const bool keep = seed % 2; // what d held
    for (bool add : {keep, true}) {
      if (tile.kind == Kind::E4M3)
        wgmmaE4M3(d, a, b, add);
      else if (tile.kind == Kind::F16)
        tile.transposed ? wgmmaF16Trans(d, a, b, add) : wgmmaF16(d, a, b, add);
      else
        tile.transposed ? wgmmaBF16Trans(d, a, b, add)
                        : wgmmaBF16(d, a, b, add);
    }
    wgmmaCommit();
    EXPECT_TRUE(std::isnan(d[0]));
    wgmmaWait<0>();
    for (int i = 0; i < R; ++i) {
      u32 row = t / 32 * 16 + lane / 4 + u32(i) / 2 % 2 * 8;
      u32 column = u32(i) / 4 * 8 + lane % 4 * 2 + u32(i) % 2;
      got[row * n + column] = d[i] - (keep ? float(i) : 0);
    }
  });
  ASSERT_TRUE(result.ok()) << result.text();
  for (u32 row = 0; row < 64; ++row)
    for (u32 column = 0; column < n; ++column) {
      int sum = 0;
      for (u32 k = 0; k < depth; ++k)
        sum += aValue(row, k) * bValue(k, column);
      ASSERT_EQ(got[row * n + column], float(2 * sum))
          << "row " << row << " column " << column << " N " << n;
    }
}

TEST(CudaWgmma, Products) {
  const Tile layouts[] = {
      {Kind::E4M3, Swizzle::None, 256, 128, 0},
      {Kind::E4M3, Swizzle::B32, 256, 16, 0},
      {Kind::E4M3, Swizzle::B64, 512, 16, 32},
      {Kind::E4M3, Swizzle::B128, 1024, 16, 96},
  };
  for (Tile tile : layouts)
    for (Kind kind : {Kind::E4M3, Kind::F16, Kind::BF16}) {
      tile.kind = kind;
      oneProduct<4>(tile, 1);
      oneProduct<8>(tile, 2);
      oneProduct<16>(tile, 3);
      oneProduct<32>(tile, 4);
      oneProduct<64>(tile, 5);
    }
}

TEST(CudaWgmma, TransposedProducts) {
  const Tile layouts[] = {
      {Kind::F16, Swizzle::None, 256, 128, 0, true},
      {Kind::F16, Swizzle::B32, 256, 512, 0, true},
      {Kind::F16, Swizzle::B64, 4096, 512, 0, true},
      {Kind::F16, Swizzle::B128, 1024, 2048, 0, true},
  };
  for (Tile tile : layouts)
    for (Kind kind : {Kind::F16, Kind::BF16}) {
      tile.kind = kind;
      oneProduct<4>(tile, 1);
      oneProduct<16>(tile, 3);
      oneProduct<64>(tile, 5);
    }
}

enum class Break {
  Nothing,
  NoWait,
  NoFence,
  NoProxyFence,
  FenceBehindBarrier, ///< no fault: who reads may fence what he knows of
  OldProxyFence,      ///< before the writes that it should show
  TouchA,
  TouchD,
  EarlyRelease,
};

/// Two steps through one B tile that a producer refills in between.
void refilled(Break fault, Global<float> out) {
  u32 t = threadIdX(), lane = t % 32;
  auto tile = dynamicShared();
  float d[4] = {};
  u32 a[4] = {lane, lane, lane, lane};
  for (u32 step = 0; step < 2; ++step) {
    if (fault == Break::OldProxyFence)
      fenceProxyAsync();
    for (u32 i = t; i < 256; i += 128)
      tile[i] = u8(encode(Kind::E4M3, int(i % 5)));
    bool late = fault == Break::FenceBehindBarrier;
    if (fault != Break::NoProxyFence && fault != Break::OldProxyFence && !late)
      fenceProxyAsync();
    barSync(1, 128);
    if (late)
      fenceProxyAsync();
    if (fault != Break::NoFence)
      wgmmaFence();
    wgmmaE4M3(d, a, bDescriptor(tile.addr(), Swizzle::None, 256, 128), true);
    wgmmaCommit();
    if (fault == Break::TouchA)
      a[1] += 1;
    if (fault == Break::TouchD)
      d[2] = 1;
    if (fault == Break::EarlyRelease)
      barSync(2, 128);
    if (fault != Break::NoWait)
      wgmmaWait<0>();
    if (fault != Break::EarlyRelease)
      barSync(2, 128);
  }
  out[t] = d[0];
}

TEST(CudaWgmma, Faults) {
  struct Case {
    Break fault;
    const char *says;
  };
  const Case cases[] = {
      {Break::Nothing, ""},
      {Break::FenceBehindBarrier, ""},
      {Break::OldProxyFence, "wgmma of 16 bytes at shared memory + "},
      {Break::NoWait, "no wait_group waited for"},
      {Break::NoFence, "wgmma without wgmma.fence"},
      {Break::NoProxyFence, "wgmma of 16 bytes at shared memory + "},
      {Break::TouchA, "A registers of wgmma changed"},
      {Break::TouchD, "accumulators of wgmma changed"},
      {Break::EarlyRelease, "is not ordered behind a read by"},
  };
  for (const Case &c : cases)
    for (u64 seed = 1; seed <= seeds; ++seed) {
      Emulator emu({.seed = seed});
      auto out = emu.scratch<float>("out", 128);
      emu.launch("refilled", {1}, {128}, 1024, [=] { refilled(c.fault, out); });
      Result result = emu.run();
      if (*c.says == 0)
        EXPECT_TRUE(result.ok()) << result.text();
      else
        EXPECT_NE(result.text().find(c.says), std::string::npos)
            << c.says << " not in:\n"
            << result.text();
    }
}

TEST(CudaWgmma, WarpsThatPart) {
  Result result = runOne(1, {1}, {128}, 1024, [] {
    if (warpId() == 2)
      return;
    auto tile = dynamicShared();
    float d[4] = {};
    u32 a[4] = {};
    wgmmaFence();
    wgmmaE4M3(d, a, bDescriptor(tile.addr(), Swizzle::None, 256, 128), true);
    wgmmaCommit();
    wgmmaWait<0>();
  });
  EXPECT_NE(result.text().find("has issued 0 wgmma"), std::string::npos)
      << result.text();
}

} // namespace
} // namespace dsv4::cuda::test
