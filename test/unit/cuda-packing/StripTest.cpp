// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed weights in a kernel under emulation: the emulator's own maps of wgmma
// and shared memory, random schedules, and a result that must be exact.

#include "test/unit/cuda-packing/Fp4Strip.cuh"
#include "test/unit/cuda-packing/PackTools.h"

#include "targets/cuda/emulation/Emulator.h"

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

struct Case {
  int64_t rows, k;
  bool escapes;
};

class StripTest : public testing::TestWithParam<Case> {};

/// A span of six exponents, so that sums fit a float; with escapes, some whole
/// rows of the first strip 2^12 above the others, which no base and offset can
/// say.
Matrix makeMatrix(const Case &C) {
  Matrix M = randomMatrix(TileFormat::Fp4, C.rows, C.k, 118, 123, 21);
  if (C.escapes)
    for (int64_t Row = 0; Row < TileRows; Row += 3)
      for (int64_t Group = 0; Group < C.k / 32; ++Group)
        M.scales[Row * (C.k / 32) + Group] += 12;
  return M;
}

/// Integers of -8 .. 8 as E4M3, columns of whole blocks; beyond K anything.
Bytes makeActivations(const Matrix &M) {
  std::mt19937 Random(22);
  Bytes X(M.layout.tilesPerStrip() * TileK * StripColumns);
  for (uint8_t &Code : X)
    Code = dsv4::num::e4m3Code(float(int(Random() % 17) - 8));
  return X;
}

std::vector<float> runKernel(const Matrix &M, const Bytes &X, uint64_t Seed) {
  Bytes Packed = mustPack(M);
  emu::Emulator Emu({.seed = Seed});
  size_t Values = M.layout.strips() * TileRows * StripColumns;
  auto Y = Emu.scratch<float>("y", Values);
  StripArgs Args{Emu.input("packed", Packed),
                 u32(M.layout.headerBytes()),
                 u32(M.layout.escapesBegin()),
                 u32(M.layout.tilesPerStrip()),
                 Emu.input("x", X),
                 Y};
  u32 Shared = Args.tiles * (StripActivationBytes + Fp4TileBytes);
  Emu.launch("strip", {u32(M.layout.strips())}, {128}, Shared,
             [=] { fp4Strip<true>(Args); });
  emu::Result Result = Emu.run();
  EXPECT_TRUE(Result.ok()) << Result.text();
  return std::vector<float>(Y.raw(), Y.raw() + Values);
}

TEST_P(StripTest, IsThePlainProduct) {
  Matrix M = makeMatrix(GetParam());
  ScalePlan Plan = llvm::cantFail(planScales(M.layout, M.scales));
  EXPECT_EQ(Plan.escapes > 0, GetParam().escapes);
  Bytes X = makeActivations(M);
  int64_t Column = M.layout.tilesPerStrip() * TileK;
  for (uint64_t Seed : {1, 2, 3}) {
    std::vector<float> Y = runKernel(M, X, Seed);
    for (size_t I = 0; I < Y.size(); ++I) {
      int64_t Row = I / StripColumns;
      double Sum = 0;
      for (int64_t K = 0; Row < M.layout.rows() && K < M.layout.k(); ++K)
        Sum += weight(M, Row, K) *
               dsv4::num::e4m3ToFloat(X[I % StripColumns * Column + K]);
      ASSERT_EQ(double(Y[I]), Sum) << Row << ", seed " << Seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, StripTest,
                         testing::Values(Case{64, 128, false},
                                         Case{128, 256, false},
                                         Case{77, 416, false},
                                         Case{128, 256, true},
                                         Case{70, 96, true}));

} // namespace
