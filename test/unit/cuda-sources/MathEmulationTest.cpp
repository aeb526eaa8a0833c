// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of runtime/numerics, called by a kernel on fibres, against the
// same calls on the host: denormals must count as zero on both.

#include "runtime/numerics/denormals.h"
#include "runtime/numerics/moe.h"
#include "test/unit/cuda/EmulationTestSupport.h"

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
namespace num = dsv4::num;

namespace {

constexpr u32 Functions = 9;

float apply(u32 Function, float X) {
  switch (Function) {
  case 0:
    return num::exp(X);
  case 1:
    return num::sigmoid(X);
  case 2:
    return num::softplus(X);
  case 3:
    return num::log1p(num::absolute(X) < 1 ? num::absolute(X) : 0.5f);
  case 4:
    return num::cosSin(X).cos;
  case 5:
    return num::cosSin(X).sin;
  case 6:
    return num::roundBf16(X);
  case 7:
    return num::roundE4M3(X > 448 ? 448 : X < -448 ? -448 : X);
  default:
    return num::roundE2M1(X > 6 ? 6 : X < -6 ? -6 : X);
  }
}

/// Every exponent, both signs, the ends of mantissas.
std::vector<float> inputs() {
  std::vector<float> Out;
  for (u32 Exponent = 0; Exponent < 255; ++Exponent)
    for (u32 Mantissa : {0u, 1u, 0x2aaaaau, 0x400000u, 0x7fffffu})
      for (u32 Sign : {0u, 0x80000000u})
        Out.push_back(num::floatOfBits(Sign | Exponent << 23 | Mantissa));
  for (int I = 0; I < 512; ++I)
    Out.push_back(float(I - 256) * 0.37f);
  return Out;
}

TEST(MathEmulation, EqualsTheHostBitForBit) {
  num::FlushDenormals Flush;
  std::vector<float> Values = inputs();
  u32 Count = u32(Values.size());
  Emulator Emu({.seed = 3});
  auto In = Emu.input("in", Values);
  auto Out = Emu.scratch<float>("out", Count * Functions);
  Emu.launch("math", {4}, {128}, 0, [=] {
    for (u32 I = blockIdX() * 128 + threadIdX(); I < Count; I += 512)
      for (u32 F = 0; F < Functions; ++F)
        Out[F * Count + I] = apply(F, In[I]);
  });
  Result Result = Emu.run();
  ASSERT_TRUE(Result.ok()) << Result.text();
  for (u32 F = 0; F < Functions; ++F)
    for (u32 I = 0; I < Count; ++I)
      ASSERT_EQ(num::bitsOf(Out.raw()[F * Count + I]),
                num::bitsOf(apply(F, Values[I])))
          << F << " of " << Values[I];
}

/// A kernel's sums and products flush as --ftz=true does, and so do its loads.
TEST(MathEmulation, KernelsFlushDenormals) {
  num::FlushDenormals Flush;
  Emulator Emu({.seed = 3});
  auto In = Emu.input("in", std::vector<float>{0x1p-126f, 0x1p-127f, 0.5f});
  auto Out = Emu.scratch<float>("out", 2);
  Emu.launch("flush", {1}, {1}, 0, [=] {
    Out[0] = In[0] * In[2]; // a subnormal result
    Out[1] = In[1] * 4.0f;  // a subnormal input
  });
  ASSERT_TRUE(Emu.run().ok());
  EXPECT_EQ(Out.raw()[0], 0.0f);
  EXPECT_EQ(Out.raw()[1], 0.0f);
}

} // namespace
