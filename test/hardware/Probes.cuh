// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small kernels that ask a GPU what its description leaves open: how many bits
// products keep, where operands lie, whether a column's sum depends on the
// others, what arithmetic does near the smallest numbers, and when dependent
// launches start.

#ifndef DSV4_TEST_HARDWARE_PROBES_CUH
#define DSV4_TEST_HARDWARE_PROBES_CUH

#include "runtime/numerics/moe.h"
#include "targets/cuda/device/phases/products.cuh"

namespace dsv4::cuda::test {

// ---- One sum ----------------------------------------------------------------

enum class Unit { WgmmaE4m3, MmaE4m3, MmaF16, MmaBf16, WgmmaBf16 };

DSV4_LAYOUT bool isWgmma(Unit unit) {
  return unit == Unit::WgmmaE4m3 || unit == Unit::WgmmaBf16;
}
DSV4_LAYOUT bool isE4m3(Unit unit) {
  return unit == Unit::WgmmaE4m3 || unit == Unit::MmaE4m3;
}

struct OneSumParams {
  Global<const u8> a, b; // [case][32 bytes]: row 0 of A, column 0 of B
  Global<const float> c; // [case]
  Global<float> d;       // [case]: c + a b by one instruction
  u32 cases;
};

/// A lane's words of row 0 of A: those of lanes 0 to 3 in the first warp.
DSV4_DEVICE void rowOfA(u32 (&a)[4], Global<const u8> row, bool mine) {
  auto words = row.as<const u32>();
  a[0] = mine ? u32(words[laneId()]) : 0;
  a[2] = mine ? u32(words[4 + laneId()]) : 0;
  a[1] = a[3] = 0;
}

template <Unit U> struct OneSumConfig {
  static constexpr Unit unit = U;
};

/// 128 threads and 1024 bytes of shared memory; wgmma takes the whole block,
/// mma.sync its first warp.
template <class C> DSV4_DEVICE void oneSum(const OneSumParams &p) {
  gridDepLaunch();
  gridDepWait();
  bool mine = threadIdX() < 4;
  for (u32 i = blockIdX(); i < p.cases; i += gridDimX()) {
    u32 a[4];
    rowOfA(a, p.a + i * 32, mine);
    float d[4] = {p.c[i], 0, 0, 0};
    auto column = (p.b + i * 32).as<const u32>();
    if constexpr (isWgmma(C::unit)) {
#if DSV4_HAS_WGMMA
      auto words = dynamicShared().as<u32>();
      for (u32 at = threadIdX(); at < 256; at += 128)
        words[at] = at < 8 ? u32(column[at]) : 0;
      fenceProxyAsync();
      syncThreads();
      u64 b = bDescriptor(dynamicShared().addr(), Swizzle::B128, 1024);
      wgmmaFence();
      if constexpr (C::unit == Unit::WgmmaE4m3)
        wgmmaE4M3(d, a, b, true);
      else
        wgmmaBF16(d, a, b, true);
      wgmmaCommit();
      wgmmaWait<0>();
      syncThreads();
#endif
    } else if (threadIdX() < 32) {
      u32 b[2] = {mine ? u32(column[laneId()]) : 0,
                  mine ? u32(column[4 + laneId()]) : 0};
      if constexpr (C::unit == Unit::MmaF16)
        mmaF16(d, a, b);
      else if constexpr (C::unit == Unit::MmaBf16)
        mmaBF16(d, a, b);
#if DSV4_HAS_FP8_MMA
      else
        mmaE4M3(d, a, b);
#endif
    }
    if (threadIdX() == 0)
      p.d[i] = d[0];
  }
}

// ---- Columns ----------------------------------------------------------------

struct ColumnsParams {
  Global<const u8> a; // [64][128] E4M3
  Global<const u8> b; // [N][128] E4M3: columns of B
  Global<float> d;    // [64][N]
};

template <int N> struct ColumnsConfig {
  static constexpr int columns = N;
};

/// A of 64 x 128 in registers, as four instructions want it.
DSV4_DEVICE void loadA(u32 (&a)[4][4], Global<const u8> from) {
  auto words = from.as<const u32>();
  for (u32 i = 0; i < 4; ++i)
    for (u32 reg = 0; reg < 4; ++reg) {
      u32 row = threadIdX() / 32 * 16 + laneId() / 4 + reg % 2 * 8;
      a[i][reg] = words[row * 32 + i * 8 + reg / 2 * 4 + laneId() % 4];
    }
}

#if DSV4_HAS_WGMMA
template <int R>
DSV4_DEVICE void multiply128(float (&d)[R], const u32 (&a)[4][4], u32 panel) {
  wgmmaFence();
  DSV4_UNROLL
  for (int i = 0; i < 4; ++i)
    wgmmaE4M3(d, a[i], bDescriptor(panel + 32 * i, Swizzle::B128, 1024),
              i != 0);
  wgmmaCommit();
  wgmmaWait<0>();
}
#endif

/// d = A B over 128 k by wgmma with N columns. One block of 128 threads, 128 N
/// bytes of shared memory.
template <class C> DSV4_DEVICE void columnSums(const ColumnsParams &p) {
#if DSV4_HAS_WGMMA
  constexpr u32 N = C::columns;
  auto to = dynamicShared().as<u32>();
  auto from = p.b.as<const u32>();
  for (u32 at = threadIdX(); at < N * 32; at += 128)
    to[(at / 256 * 1024 + swizzled128(at / 32 % 8, at % 32 * 4)) / 4] =
        u32(from[at]);
  u32 a[4][4];
  loadA(a, p.a);
  fenceProxyAsync();
  syncThreads();
  float d[N / 2] = {};
  multiply128(d, a, dynamicShared().addr());
  for (u32 i = 0; i < N / 2; ++i) {
    u32 row = threadIdX() / 32 * 16 + laneId() / 4 + i / 2 % 2 * 8;
    p.d[row * N + i / 4 * 8 + laneId() % 4 * 2 + i % 2] = d[i];
  }
#endif
}

// ---- Where operands lie -----------------------------------------------------

struct PlacesParams {
  Global<float> ofA; // [2048][128 threads][4]: one byte of A is 1.0
  Global<float> ofB; // [1024][128 threads][4]: one byte of B is 1.0
};

/// E4M3 of 1 .. 16.
DSV4_DEVICE u32 codeOf(u32 value) {
  u32 exponent = value < 2    ? 0
                 : value < 4  ? 1
                 : value < 8  ? 2
                 : value < 16 ? 3
                              : 4;
  return (7 + exponent) << 3 | (value << 3 >> exponent & 7);
}

/// Raw accumulators of every thread. For A: byte i % 16 of the first
/// instruction's registers of thread i / 16, against columns that tell k:
/// column 0 is 1 + k % 8, column 1 is 1 + k / 8. For B: byte i of a tile of 8 x
/// 128, against rows that tell k: row 0 is 1 + k % 8, row 1 is 1 + k / 8.
DSV4_DEVICE void places(const PlacesParams &p) {
#if DSV4_HAS_WGMMA
  auto shared = dynamicShared();
  u32 thread = threadIdX(), panel = shared.addr();
  for (u32 item = blockIdX(); item < 3072; item += gridDimX()) {
    bool ofA = item < 2048;
    u32 i = ofA ? item : item - 2048, a[4][4] = {};
    for (u32 at = thread; at < 1024; at += 128) {
      u32 place = swizzled128(at / 128, at % 128), k = at % 128;
      u32 told = at / 128 == 0   ? codeOf(1 + k % 8)
                 : at / 128 == 1 ? codeOf(1 + k / 8)
                                 : 0;
      shared[place] = u8(ofA ? told : place == i ? 0x38 : 0);
    }
    DSV4_UNROLL
    for (u32 n = 0; n < 4; ++n)
      DSV4_UNROLL
    for (u32 reg = 0; reg < 4; ++reg)
      DSV4_UNROLL
    for (u32 byte = 0; byte < 4; ++byte) {
      u32 row = thread / 32 * 16 + laneId() / 4 + reg % 2 * 8;
      u32 k = 32 * n + reg / 2 * 16 + laneId() % 4 * 4 + byte, code = 0;
      if (ofA)
        code = n == 0 && i == thread * 16 + reg * 4 + byte ? 0x38 : 0;
      else if (row < 2)
        code = codeOf(1 + (row == 0 ? k % 8 : k / 8));
      a[n][reg] |= code << 8 * byte;
    }
    fenceProxyAsync();
    syncThreads();
    float d[4] = {};
    multiply128(d, a, panel);
    auto to = (ofA ? p.ofA : p.ofB) + (i64(i) * 128 + thread) * 4;
    for (u32 n = 0; n < 4; ++n)
      to[n] = d[n];
    syncThreads(); // before the tile is written again
  }
#endif
}

// ---- Arithmetic -------------------------------------------------------------

constexpr u32 numOperations = 16;

struct ArithmeticParams {
  Global<const float> x, y, z; // [count]
  Global<float> out;           // [operation][count]
  u32 count;
};

/// What phases are made of, by the number of the operation.
DSV4_DEVICE float operate(u32 number, float x, float y, float z) {
  float scaled = x < -400 ? -400.0f : x > 400 ? 400.0f : x; // not for NaN
  switch (number) {
  case 0:
    return num::fma(x, y, z);
  case 1:
    return x * y;
  case 2:
    return x + y;
  case 3:
    return x / y;
  case 4:
    return num::sqrt(num::absolute(x));
  case 5:
    return num::exp(x);
  case 6:
    return num::sigmoid(x);
  case 7:
    return num::softplus(x);
  case 8:
    return num::cosSin(scaled * 1024).cos;
  case 9:
    return num::cosSin(scaled * 1024).sin;
  case 10:
    return num::roundBf16(x);
  case 11:
    return num::roundE4M3(scaled);
  case 12:
    return num::swiglu(x, y, z, 10.0f);
  case 13:
    return fmaF32(x, y, z);
  case 14:
    return num::routerScore(x);
  default:
    return 1.0f / num::sqrt(num::absolute(x) + 1e-6f);
  }
}

DSV4_DEVICE void arithmetic(const ArithmeticParams &p) {
  gridDepLaunch();
  gridDepWait();
  for (u32 i = blockIdX() * blockDimX() + threadIdX(); i < p.count;
       i += gridDimX() * blockDimX())
    for (u32 number = 0; number < numOperations; ++number)
      p.out[i64(number) * p.count + i] =
          operate(number, p.x[i], p.y[i], p.z[i]);
}

// ---- Dependent launches -----------------------------------------------------

/// Nanoseconds of a clock that all multiprocessors share; none in emulation.
DSV4_DEVICE u64 globalTime() {
#ifdef DSV4_CPU_EMU
  return 0;
#else
  u64 time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
  return time;
#endif
}

struct LinkParams {
  Global<u32> values; // [link][block]
  Global<u64> times;  // [link][block][3]: begin, behind the wait, end
  u32 link;
  u32 pause; // nanoseconds of work
};

/// Every block reads what another block of the link before has written, after
/// some work, so that a wait that does not wait shows.
DSV4_DEVICE void chainLink(const LinkParams &p) {
  u64 begin = globalTime();
  gridDepLaunch();
  gridDepWait();
  if (threadIdX() != 0)
    return;
  u64 waited = globalTime();
  nanosleep(p.pause);
  u32 grid = gridDimX(), value = 0;
  if (p.link > 0)
    value = p.values[i64(p.link - 1) * grid + (blockIdX() + 1) % grid];
  i64 at = i64(p.link) * grid + blockIdX();
  p.values[at] = value + 1;
  p.times[3 * at] = begin;
  p.times[3 * at + 1] = waited;
  p.times[3 * at + 2] = globalTime();
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_HARDWARE_PROBES_CUH
