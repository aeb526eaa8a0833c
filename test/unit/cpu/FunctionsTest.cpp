// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions and block formats of the kernel language against the
// scalar reference, bit for bit, at every level of this CPU.

#include "runtime/numerics/math.h"
#include "test/unit/cpu/KernelHarness.h"

#include <bit>
#include <cmath>

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

/// A function under test, in both worlds.
struct Function {
  const char *name;
  Val (*emit)(KernelBuilder &, Val);
  float (*reference)(float);
  float low, high;
};

float quantE4M3(float X) {
  return num::roundE4M3(std::fmin(std::fmax(X, -448.0f), 448.0f));
}
float quantE2M1(float X) {
  return num::roundE2M1(std::fmin(std::fmax(X, -6.0f), 6.0f));
}

const Function Functions[] = {
    {"exp", [](KernelBuilder &K, Val X) { return K.exp(X); },
     [](float X) { return num::exp(X); }, -100, 95},
    {"sigmoid", [](KernelBuilder &K, Val X) { return K.sigmoid(X); },
     [](float X) { return num::sigmoid(X); }, -95, 95},
    {"softplus", [](KernelBuilder &K, Val X) { return K.softplus(X); },
     [](float X) { return num::softplus(X); }, -95, 95},
    {"cos", [](KernelBuilder &K, Val X) { return K.cosSin(X).first; },
     [](float X) { return num::cosSin(X).cos; }, 0, 1.1e6f},
    {"sin", [](KernelBuilder &K, Val X) { return K.cosSin(X).second; },
     [](float X) { return num::cosSin(X).sin; }, 0, 40},
    {"bf16", [](KernelBuilder &K, Val X) { return K.roundBf16(X); },
     [](float X) { return num::roundBf16(X); }, -3, 3},
    {"e4m3", [](KernelBuilder &K, Val X) { return K.roundE4m3(X); }, quantE4M3,
     -500, 500},
    {"e4m3_small", [](KernelBuilder &K, Val X) { return K.roundE4m3(X); },
     quantE4M3, -0.04f, 0.04f},
    {"e2m1", [](KernelBuilder &K, Val X) { return K.roundE2m1(X); }, quantE2M1,
     -8, 8},
    {"e4m3_code",
     [](KernelBuilder &K, Val X) {
       return K.toFloat(K.encodeE4m3(K.roundE4m3(X)));
     },
     [](float X) { return float(num::e4m3Code(quantE4M3(X))); }, -20, 20},
    {"e2m1_code",
     [](KernelBuilder &K, Val X) {
       return K.toFloat(K.encodeE2m1(K.roundE2m1(X)));
     },
     [](float X) { return float(num::e2m1Code(quantE2M1(X))); }, -8, 8},
    {"e4m3_value",
     [](KernelBuilder &K, Val X) { return K.decodeE4m3(K.toInt(X, K.i32())); },
     [](float X) { return num::e4m3ToFloat(uint8_t(X)); }, 0, 255},
    {"e2m1_value",
     [](KernelBuilder &K, Val X) { return K.decodeE2m1(K.toInt(X, K.i32())); },
     [](float X) { return num::e2m1ToFloat(uint8_t(X)); }, 0, 15},
};

class FunctionTest : public testing::TestWithParam<Function> {};

TEST_P(FunctionTest, EqualsReference) {
  const Function &F = GetParam();
  constexpr int64_t N = 1 << 16;
  Buffer X(N * 4), Vectors(N * 4), Scalars(N * 4);
  std::mt19937 Random(5);
  std::uniform_real_distribution<float> Uniform(F.low, F.high);
  for (int64_t I = 0; I < N; ++I)
    X.as<float>()[I] = Uniform(Random);
  const float Special[] = {0.0f, -0.0f, F.low, F.high, 1e-30f, 0.25f};
  std::copy(std::begin(Special), std::end(Special), X.as<float>());
  if (F.low >= 0)
    X.as<float>()[1] = 0;
  for (IsaLevel Level : levelsHere()) {
    LoadedKernels Kernels(Level, [&](KernelBuilder &K) {
      K.beginKernel("k", 3);
      K.forItems([&](Val I) {
        K.store(F.emit(K, K.loadVF(K.operand(0) + I * 64)),
                K.operand(1) + I * 64);
        K.forRange(K.c64(0), K.c64(16), 1, [&](Val J) {
          Val At = I * 64 + J * 4;
          K.store(F.emit(K, K.loadF32(K.operand(0) + At)), K.operand(2) + At);
        });
      });
      K.endFunction();
    });
    dsv4_kernel Kernel = Kernels.find("k");
    ASSERT_TRUE(Kernel);
    void *Operands[] = {X.data(), Vectors.data(), Scalars.data()};
    StepRows Rows(1);
    FlushDenormals Flush;
    Kernel(&Rows.step, Operands, 0, N / 16, nullptr);
    for (int64_t I = 0; I < N; ++I) {
      uint32_t Want = num::bitsOf(F.reference(X.as<float>()[I]));
      ASSERT_EQ(Vectors.as<uint32_t>()[I], Want)
          << levelName(Level).str() << " x = " << X.as<float>()[I];
      ASSERT_EQ(Scalars.as<uint32_t>()[I], Want)
          << levelName(Level).str() << " x = " << X.as<float>()[I];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FunctionTest, testing::ValuesIn(Functions),
                         [](const auto &Info) {
                           return std::string(Info.param.name);
                         });

} // namespace
