// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product at every level of this CPU against plain loops over
// std::fma in the order of numerics R1, bit for bit.

#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/TileHelper.h"
#include "test/unit/cpu/KernelHarness.h"
#include "test/unit/cpu/RandomMatrix.h"

#include <cmath>
#include <cstring>

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

struct Case {
  const char *name;
  TileFormat format;
  int64_t k, rows;
  bool single;
};

class TileTest : public testing::TestWithParam<Case> {};

/// Runs the tile kernel on `Tokens` rows and compares every value.
void check(const Case &C, IsaLevel Level, dsv4_kernel Kernel, int64_t Tokens) {
  std::mt19937 Random(uint32_t(Tokens * 31 + C.k));
  RandomMatrix Tile(C.format, C.rows, C.k, Random);
  Buffer Packed(tileBytes(C.format, C.k)), X(Tokens * C.k * 2);
  int64_t Element = C.single ? 4 : 2;
  Buffer Y(Tokens * C.rows * Element + 64);
  Tile.pack(Packed.data());
  fillBf16(X.as<uint16_t>(), Tokens * C.k, 10, Random);
  void *Operands[] = {X.data(), Packed.data(), Y.data()};
  StepRows Rows(Tokens);
  FlushDenormals Flush;
  Kernel(&Rows.step, Operands, 0, 1, nullptr);
  for (int64_t T = 0; T < Tokens; ++T)
    for (int64_t R = 0; R < C.rows; ++R) {
      float Want = Tile.dot(R, X.as<uint16_t>() + T * C.k);
      int64_t At = T * C.rows + R;
      if (C.single)
        ASSERT_EQ(std::bit_cast<uint32_t>(Y.as<float>()[At]),
                  std::bit_cast<uint32_t>(Want))
            << levelName(Level).str() << " token " << T << " row " << R;
      else
        ASSERT_EQ(Y.as<uint16_t>()[At], toBf16(Want))
            << levelName(Level).str() << " token " << T << " row " << R;
    }
  for (int64_t I = Tokens * C.rows * Element; I < int64_t(Y.size()); ++I)
    ASSERT_EQ(Y.data()[I], 0xA5) << "wrote past the end";
}

void emitCase(KernelBuilder &K, const Case &C) {
  TileShape Shape{C.format, C.k, C.single, C.rows};
  needTileHelpers(K, Shape);
  K.beginKernel("k", 3);
  tileRows(K, Shape, K.operand(1), K.c64(0), K.tokens(), [&](Val Row) {
    return std::pair(K.operand(0) + Row * (C.k * 2),
                     K.operand(2) + Row * (C.rows * (C.single ? 4 : 2)));
  });
  K.endFunction();
}

TEST_P(TileTest, EqualsScalarOrder) {
  Case C = GetParam();
  for (IsaLevel Level : levelsHere()) {
    LoadedKernels Kernels(Level, [&](KernelBuilder &K) { emitCase(K, C); });
    dsv4_kernel Kernel = Kernels.find("k");
    ASSERT_TRUE(Kernel);
    for (int64_t Tokens : {1, 2, 3, 5, 15, 24})
      check(C, Level, Kernel, Tokens);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats, TileTest,
    testing::Values(Case{"Fp4", TileFormat::Fp4, 256, 16, true},
                    Case{"Fp4Short", TileFormat::Fp4, 64, 16, true},
                    Case{"Fp4Bf16", TileFormat::Fp4, 384, 16, false},
                    Case{"Fp8", TileFormat::Fp8, 384, 16, true},
                    Case{"Fp8Rows", TileFormat::Fp8, 128, 5, true},
                    Case{"Bf16", TileFormat::Bf16, 160, 16, true},
                    Case{"Bf16Rows", TileFormat::Bf16, 32, 9, false}),
    [](const auto &Info) { return std::string(Info.param.name); });

/// What a profile chooses changes code, not results.
TEST(Tile, TuningKeepsResults) {
  Case C{"Fp4", TileFormat::Fp4, 256, 16, true};
  for (int64_t Block : {1, 4, 16}) {
    Tuning Choice;
    Choice.tokenBlock[int(TileFormat::Fp4)] = Block;
    Choice.prefetchBytes[int(TileFormat::Fp4)] = Block == 4 ? -1 : 64;
    IsaLevel Level = levelsHere().back();
    LoadedKernels Kernels(
        Level, [&](KernelBuilder &K) { emitCase(K, C); }, Choice);
    dsv4_kernel Kernel = Kernels.find("k");
    ASSERT_TRUE(Kernel);
    check(C, Level, Kernel, 23);
  }
}

/// The instruction and two fused multiply-adds, odd first, on random pairs with
/// wide exponents, so that denormal intermediate results occur.
TEST(Dot, InstructionEqualsTwoFusedMultiplyAdds) {
  if (nativeLevel() < IsaLevel::Avx512Bf16)
    GTEST_SKIP() << "this CPU has no avx512bf16 with vbmi";
  auto Emit = [](KernelBuilder &K) {
    K.beginKernel("k", 4);
    K.forItems([&](Val I) {
      Pair A = pairOfLanes(K, K.loadVI(K.operand(0) + I * 64));
      Pair B = pairOfLanes(K, K.loadVI(K.operand(1) + I * 64));
      Val Chain = K.loadVF(K.operand(2) + I * 64);
      K.store(dotPair(K, Chain, A, B), K.operand(3) + I * 64);
    });
    K.endFunction();
  };
  LoadedKernels Dot(IsaLevel::Avx512Bf16, Emit), Two(IsaLevel::Avx2, Emit);
  constexpr int64_t Items = 4096;
  std::mt19937 Random(3);
  FlushDenormals Flush;
  for (int Spread : {4, 30, 62, 120}) {
    Buffer A(Items * 64), B(Items * 64), C(Items * 64), Y1(Items * 64),
        Y2(Items * 64);
    fillBf16(A.as<uint16_t>(), Items * 32, Spread, Random);
    fillBf16(B.as<uint16_t>(), Items * 32, Spread, Random);
    fillBf16(C.as<uint16_t>(), Items * 32, Spread, Random);
    StepRows Rows(1);
    void *Operands1[] = {A.data(), B.data(), C.data(), Y1.data()};
    void *Operands2[] = {A.data(), B.data(), C.data(), Y2.data()};
    Dot.find("k")(&Rows.step, Operands1, 0, Items, nullptr);
    Two.find("k")(&Rows.step, Operands2, 0, Items, nullptr);
    ASSERT_EQ(std::memcmp(Y1.data(), Y2.data(), Items * 64), 0) << Spread;
  }
}

} // namespace
