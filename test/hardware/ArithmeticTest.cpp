// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scalar arithmetic of runtime/numerics on a GPU, bit for bit, denormals
// included; and chains of dependent launches.

#include "test/hardware/Gpu.h"
#include "test/hardware/Probes.cuh"
#include "test/unit/cuda/Compare.h"

#include "runtime/numerics/denormals.h"

#include <random>

namespace dsv4::cuda::test {
namespace {

const char *const operationNames[numOperations] = {
    "fma",     "product",  "sum",         "quotient", "sqrt", "exp",
    "sigmoid", "softplus", "cos",         "sin",      "bf16", "e4m3",
    "swiglu",  "fmaF32",   "routerScore", "1 / rms"};

/// Numbers of all sizes: usual ones, any finite bits, denormals, some around
/// the smallest normal.
float someNumber(std::mt19937 &random) {
  u32 sign = random() & 0x80000000u, bits = random() & 0x7fffffu;
  switch (random() % 5) {
  case 0:
    return num::floatOfBits(sign | bits); // denormal
  case 1:
    return num::floatOfBits(sign | (1 + random() % 4) << 23 | bits);
  case 2:
    return num::floatOfBits(sign | (60 + random() % 8) << 23 | bits);
  case 3:
    return num::floatOfBits(sign | (1 + random() % 254) << 23 | bits);
  default:
    return num::floatOfBits(sign | (117 + random() % 17) << 23 | bits);
  }
}

struct Numbers {
  std::vector<float> x, y, z;
  void add(float a, float b, float c) {
    x.push_back(a);
    y.push_back(b);
    z.push_back(c);
  }
};

Numbers someNumbers(size_t count) {
  std::mt19937 random(3);
  Numbers n;
  for (float a : {0.0f, -0.0f, 1.0f, 0x1p-126f, -0x1p-126f, 0x1p-127f,
                  0x1.fffffcp-127f, 0x1.fffffep+127f, -87.0f, 88.0f, 500.0f})
    for (float b : {0.0f, -0.0f, 1.0f, 0.5f, 0x1.fffffep-1f, 0x1p-126f, -3.0f})
      n.add(a, b, a * b);
  while (n.x.size() < count)
    n.add(someNumber(random), someNumber(random), someNumber(random));
  return n;
}

/// Results between half the smallest normal number and it: flushed before or
/// after they round, which processors do not agree about.
bool isAtTheEdge(float got, float want) {
  auto size = [](float f) { return num::bitsOf(f) & 0x7fffffffu; };
  u32 a = size(got), b = size(want);
  return (a == 0 && b == 0x800000) || (b == 0 && a == 0x800000);
}

TEST(Arithmetic, IsThatOfRuntimeNumerics) {
  num::FlushDenormals flush;
  Numbers n = someNumbers(setting.gpu ? 1 << 18 : 1 << 12);
  u32 count = u32(n.x.size());
  Emulator emu;
  ArithmeticParams p{
      emu.input("x", n.x), emu.input("y", n.y), emu.input("z", n.z),
      emu.scratch<float>("out", size_t(count) * numOperations), count};
  emu.launch("arithmetic", {64}, {128}, 0, DSV4_PHASE(p, arithmetic));
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  std::vector<float> out = contents(p.out, size_t(count) * numOperations);
  for (u32 number = 0; number < numOperations; ++number) {
    u32 wrong = 0, edge = 0;
    std::string first;
    for (u32 i = 0; i < count; ++i) {
      float got = out[size_t(number) * count + i],
            want = operate(number, n.x[i], n.y[i], n.z[i]);
      if (num::bitsOf(got) == num::bitsOf(want) ||
          (std::isnan(got) && std::isnan(want)))
        continue;
      bool isEdge = isAtTheEdge(got, want);
      ++(isEdge ? edge : wrong);
      if ((isEdge ? edge : wrong) <= 4)
        first += "\n  (" + differenceText(n.x[i], n.y[i]) + ", z " +
                 std::to_string(n.z[i]) + "): " + differenceText(got, want) +
                 (isEdge ? " at the edge" : "");
    }
    if (wrong || edge)
      printf("[  numbers ] %s: %u of %u differ, %u more at the edge of "
             "denormals:%s\n",
             operationNames[number], wrong, count, edge, first.c_str());
    EXPECT_EQ(wrong, 0u) << operationNames[number];
  }
}

// ---- Dependent launches -----------------------------------------------------

constexpr u32 links = 64;

/// Runs a chain; every link must have seen all of the one before.
void runChain(u32 grid, u32 pause) {
  Emulator emu;
  LinkParams p{emu.scratch<u32>("values", size_t(links) * grid),
               emu.scratch<u64>("times", size_t(links) * grid * 3), 0, pause};
  std::vector<Edge> after;
  for (p.link = 0; p.link < links; ++p.link)
    after = {
        {emu.launch("link", {grid}, {64}, 0, DSV4_PHASE(p, chainLink), after),
         Edge::Programmatic}};
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  std::vector<u32> want;
  for (u32 i = 0; i < links * grid; ++i)
    want.push_back(i / grid + 1);
  EXPECT_SAME(contents(p.values, want.size()), want);
  if (!onHardware())
    return;
  std::vector<u64> times = contents(p.times, want.size() * 3);
  u32 early = 0;
  double gap = 0;
  for (u32 l = 1; l < links; ++l) {
    u64 ended = 0, began = ~0ull, waited = ~0ull;
    for (u32 b = 0; b < grid; ++b) {
      ended = std::max(ended, times[((l - 1) * grid + b) * 3 + 2]);
      began = std::min(began, times[(l * grid + b) * 3]);
      waited = std::min(waited, times[(l * grid + b) * 3 + 1]);
    }
    early += began < ended;
    gap += double(i64(waited - ended));
    EXPECT_GE(waited, ended - 2000) << "link " << l << " did not wait";
  }
  printf(
      "[   chain  ] %s edges, %u blocks, %u ns of work: %u of %u links began "
      "before the one before had ended; from its end to behind the wait "
      "%.0f ns (the clock's steps may be 32 ns or 1 us)\n",
      setting.programmatic ? "programmatic" : "full", grid, pause, early,
      links - 1, gap / (links - 1));
}

TEST(Chain, ProgrammaticEdgesWait) {
  runChain(4, 3000);
  if (onHardware()) {
    runChain(132, 3000);
    runChain(264, 20000);
  }
}

TEST(Chain, FullEdgesWait) {
  bool before = setting.programmatic;
  setting.programmatic = false;
  runChain(3, 3000);
  if (onHardware())
    runChain(132, 3000);
  setting.programmatic = before;
}

} // namespace
} // namespace dsv4::cuda::test
