// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product at every level of this CPU against plain loops over
// std::fma in the order of numerics R1, bit for bit.

#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/MatrixUnit.h"
#include "targets/cpu/kernels/TileProduct.h"
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

/// Tiles of a case: a full run, and one of a group of two and one alone; or the
/// last of a matrix.
int64_t tilesOf(const Case &C) { return C.rows == TileRows ? 19 : 1; }

/// Runs the products with `Tokens` rows and compares every value.
void check(const Case &C, const TargetDesc &Target, dsv4_kernel Kernel,
           int64_t Tokens) {
  std::mt19937 Random(uint32_t(Tokens * 31 + C.k));
  int64_t Tiles = tilesOf(C), Size = tileBytes(C.format, C.k);
  std::vector<RandomMatrix> Matrices;
  Buffer Packed(Tiles * Size), X(Tokens * C.k * 2);
  int64_t Element = C.single ? 4 : 2;
  Buffer Y(Tokens * Tiles * C.rows * Element + 64);
  for (int64_t I = 0; I < Tiles; ++I)
    Matrices.emplace_back(C.format, C.rows, C.k, Random)
        .pack(Packed.data() + I * Size);
  fillBf16(X.as<uint16_t>(), Tokens * C.k, 10, Random);
  void *Operands[] = {X.data(), Packed.data(), Y.data()};
  StepRows Rows(Tokens);
  Buffer Scratch(productScratchBytes(C.k) + 64);
  FlushDenormals Flush;
  Kernel(&Rows.step, Operands, 0, Tiles, Scratch.data());
  for (int64_t T = 0; T < Tokens; ++T)
    for (int64_t R = 0; R < Tiles * C.rows; ++R) {
      float Want = Matrices[R / C.rows].dot(
          R % C.rows, X.as<uint16_t>() + T * C.k, Target.order);
      int64_t At = T * Tiles * C.rows + R;
      if (C.single)
        ASSERT_EQ(std::bit_cast<uint32_t>(Y.as<float>()[At]),
                  std::bit_cast<uint32_t>(Want))
            << levelName(Target.level).str() << " token " << T << " row " << R;
      else
        ASSERT_EQ(Y.as<uint16_t>()[At], toBf16(Want))
            << levelName(Target.level).str() << " token " << T << " row " << R;
    }
  for (int64_t I = Tokens * Tiles * C.rows * Element; I < int64_t(Y.size());
       ++I)
    ASSERT_EQ(Y.data()[I], 0xA5) << "wrote past the end";
  for (size_t I = productScratchBytes(C.k); I < Scratch.size(); ++I)
    ASSERT_EQ(Scratch.data()[I], 0xA5) << "wrote past the scratch";
}

void emitCase(KernelBuilder &K, const Case &C) {
  TileShape Shape{C.format, C.k, C.single, C.rows};
  needTileProduct(K, Shape);
  K.beginKernel("k", 3);
  int64_t RowBytes = tilesOf(C) * Shape.resultBytes();
  auto Address = [&](Val Row) {
    return std::pair(K.operand(0) + Row * (C.k * 2),
                     K.operand(2) + Row * RowBytes);
  };
  multiplyTiles(
      K, Shape,
      {K.operand(1), K.end() - K.begin(), K.c64(0), K.tokens(), Address});
  K.endFunction();
}

void checkAll(const Case &C, const TargetDesc &Target, const Tuning &Choice) {
  LoadedKernels Kernels(
      Target, [&](KernelBuilder &K) { emitCase(K, C); }, Choice);
  dsv4_kernel Kernel = Kernels.find("k");
  ASSERT_TRUE(Kernel);
  // None; one and two; a step of every size; more than totals are kept for.
  for (int64_t Tokens : {0, 1, 2, 3, 5, 12, 16, 24, 130, 259})
    check(C, Target, Kernel, Tokens);
}

TEST_P(TileTest, EqualsScalarOrder) {
  for (IsaLevel Level : levelsHere())
    checkAll(GetParam(), targetOf(Level), {});
}

/// The order of AMX at the levels without it; that of all others on CPUs that
/// have it.
TEST_P(TileTest, OtherOrderEqualsScalar) {
  for (IsaLevel Level : levelsHere()) {
    TargetDesc Target = targetOf(Level);
    setDotOrder(Target, Target.order == num::DotOrder::Split
                            ? num::DotOrder::Chain
                            : num::DotOrder::Split);
    checkAll(GetParam(), Target, {});
  }
}

/// What a profile chooses changes code, not results.
TEST_P(TileTest, TuningKeepsResults) {
  for (int64_t Rows : {1, 4, 8}) {
    Tuning Choice;
    Choice.dot = Rows == 4 ? DotForm::Bf16 : DotForm::F32;
    Choice.microRows = Rows;
    Choice.streamTiles = Rows == 1 ? 4 : Rows == 4 ? 2 : 1;
    std::fill_n(Choice.prefetchBytes, 4, Rows == 4 ? -1 : 64);
    checkAll(GetParam(), targetOf(levelsHere().back()), Choice);
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

/// The instruction and two fused multiply-adds, odd first, on random pairs with
/// wide exponents, so that denormal intermediate results occur.
TEST(Dot, InstructionEqualsTwoFusedMultiplyAdds) {
  if (nativeLevel() < IsaLevel::Avx512Bf16)
    GTEST_SKIP() << "this CPU has no avx512bf16 with vbmi and vnni";
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

/// TDPBF16PS and the order Split, on random pairs with wide exponents, so that
/// denormal intermediate results occur.
TEST(Dot, MatrixUnitEqualsSplitOrder) {
  if (nativeLevel() < IsaLevel::Amx)
    GTEST_SKIP() << "this CPU or its kernel gives no AMX";
  LoadedKernels Kernels(IsaLevel::Amx, [](KernelBuilder &K) {
    K.beginKernel("k", 4);
    beginUnit(K);
    auto Reg = [&](int64_t N) { return K.constant(K.i8(), N); };
    auto Load = [&](int64_t N, Val Ptr) {
      K.perform("llvm.x86.tileloadd64", {Reg(N), Ptr, K.c64(64)});
    };
    K.forItems([&](Val I) {
      Load(0, K.operand(2) + I * 1024);
      Load(1, K.operand(0) + I * 1024);
      Load(2, K.operand(1) + I * 1024);
      K.perform("llvm.x86.tdpbf16ps", {Reg(0), Reg(1), Reg(2)});
      K.perform("llvm.x86.tilestored64",
                {Reg(0), K.operand(3) + I * 1024, K.c64(64)});
    });
    endUnit(K);
    K.endFunction();
  });
  constexpr int64_t Items = 64;
  std::mt19937 Random(3);
  FlushDenormals Flush;
  for (int Spread : {4, 30, 62, 120}) {
    Buffer X(Items * 1024), W(Items * 1024), C(Items * 1024), Y(Items * 1024);
    for (Buffer *B : {&X, &W, &C})
      fillBf16(B->as<uint16_t>(), Items * 512, Spread, Random);
    StepRows Rows(1);
    void *Operands[] = {X.data(), W.data(), C.data(), Y.data()};
    Kernels.find("k")(&Rows.step, Operands, 0, Items, nullptr);
    for (int64_t At = 0; At < Items * 256; ++At) {
      int64_t Item = At / 256, M = At / 16 % 16, N = At % 16;
      float A[32], B[32];
      for (int64_t I = 0; I < 32; ++I) {
        A[I] = fromBf16(X.as<uint16_t>()[Item * 512 + M * 32 + I]);
        B[I] =
            fromBf16(W.as<uint16_t>()[Item * 512 + I / 2 * 32 + N * 2 + I % 2]);
      }
      float Want =
          C.as<float>()[At] + num::dotGroup(A, B, num::DotOrder::Split);
      ASSERT_EQ(std::bit_cast<uint32_t>(Y.as<float>()[At]),
                std::bit_cast<uint32_t>(Want))
          << Spread << ' ' << At;
    }
  }
}

} // namespace
