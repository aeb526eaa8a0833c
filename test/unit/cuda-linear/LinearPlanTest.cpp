// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plan of matrix phases: sizes of jobs as the kernels' tests use them, the
// balance of the real model's phases on 132 SMs, and what is refused.

#include "targets/cuda/LinearPlan.h"
#include "test/unit/cuda-linear/LinearTools.h"

namespace dsv4::cuda::test {
namespace {

PhaseMatrix fp8(int64_t rows, int64_t k, int64_t split = 1,
                int64_t groups = 1) {
  return {layoutOf(TileFormat::Fp8, rows, k), 1, groups, split};
}
PhaseMatrix experts(int64_t rows, int64_t k, int64_t copies) {
  return {layoutOf(TileFormat::Fp4, rows, k), copies, 1, 1};
}

TEST(CudaLinearPlan, SizesAreThoseOfTheKernels) {
  for (TileFormat format :
       {TileFormat::Fp4, TileFormat::Fp8, TileFormat::Bf16}) {
    HostJob host{randomMatrix(format, 256, 384, 100, 105), 2, 3};
    MatrixJob want = deviceJob(host);
    JobSizes sizes = llvm::cantFail(planJob(host.matrix.layout, 2, 3));
    EXPECT_EQ(int(sizes.format), int(want.format));
    EXPECT_EQ(sizes.rows, want.rows);
    EXPECT_EQ(sizes.blocks, want.blocks);
    EXPECT_EQ(sizes.xGroups, want.xGroups);
    EXPECT_EQ(sizes.xRowBytes, want.xRowBytes);
    EXPECT_EQ(sizes.xBytes, want.xBytes);
    EXPECT_EQ(sizes.split, want.split);
    EXPECT_EQ(sizes.tilesBegin, want.tilesBegin);
    EXPECT_EQ(sizes.escapesBegin, want.escapesBegin);
  }
}

std::string refusal(TileFormat format, int64_t rows, int64_t k, int64_t groups,
                    int64_t split) {
  auto sizes = planJob(layoutOf(format, rows, k), groups, split);
  return sizes ? "accepted" : wordsOf(sizes.takeError());
}

TEST(CudaLinearPlan, Refuses) {
  EXPECT_EQ(refusal(TileFormat::Fp8, 128, 256, 3, 1),
            "expected groups that divide 128 rows, found 3");
  EXPECT_EQ(refusal(TileFormat::Fp8, 64, 256, 2, 1),
            "expected a multiple of 64 rows in each of 2 groups, found 32: "
            "pack every group as a matrix of its own");
  EXPECT_EQ(refusal(TileFormat::Bf16, 128, 96, 2, 1),
            "expected K of 2 groups to be a multiple of 128, found 96");
  EXPECT_EQ(refusal(TileFormat::Fp8, 64, 256, 1, 3),
            "expected 1 to 2 parts of K, found 3");
  EXPECT_EQ(refusal(TileFormat::Fp8, 64, 256, 1, 0),
            "expected 1 to 2 parts of K, found 0");
  EXPECT_NE(refusal(TileFormat::Bf16, 1, int64_t(1) << 30, 1, 1), "accepted");
  EXPECT_FALSE(bool(llvm::expectedToOptional(balanceOf({}, 132, 1))));
  EXPECT_FALSE(bool(llvm::expectedToOptional(balanceOf({fp8(64, 128)}, 0, 1))));
  EXPECT_FALSE(bool(llvm::expectedToOptional(
      balanceOf({experts(64, 128, int64_t(1) << 31)}, 132, 1))));
}

TEST(CudaLinearPlan, CountsByHand) {
  // 5 strips of 3 blocks in 2 parts (1 and 2 blocks) on 4 SMs: parts in turn,
  // so SMs 0 and 2 get single blocks and 1 and 3 double ones.
  PhaseBalance balance = llvm::cantFail(balanceOf({fp8(300, 384, 2)}, 4, 1));
  EXPECT_EQ(balance.items, 10);
  EXPECT_EQ(balance.bytes, 15 * Fp8TileBytes);
  EXPECT_EQ(balance.mostItems, 3);
  EXPECT_EQ(balance.mostBytes, 6 * Fp8TileBytes);
  EXPECT_DOUBLE_EQ(balance.efficiency, 15.0 / 24);
  // Two strips an item: runs of 2, 2 and 1.
  balance = llvm::cantFail(balanceOf({fp8(300, 384)}, 2, 2));
  EXPECT_EQ(balance.items, 3);
  EXPECT_EQ(balance.mostBytes, 9 * Fp8TileBytes);
  // No run over two groups.
  balance = llvm::cantFail(balanceOf({fp8(384, 384, 1, 2)}, 2, 2));
  EXPECT_EQ(balance.items, 4);
}

struct Row {
  const char *phase;
  std::vector<PhaseMatrix> matrices;
  int64_t split, items, most;
};

/// Phases of a layer of the real model at one token, on an H200. Every one
/// comes to the 97 % that strips of 64 rows allow.
TEST(CudaLinearPlan, TheRealModelOn132Sms) {
  const Row rows[] = {
      {"P3 wq_b, index wq_b", {fp8(32768, 1024), fp8(8192, 1024)}, 1, 640, 5},
      {"P7 wo_a", {fp8(8192, 4096, 1, 8)}, 1, 128, 1},
      {"P8 wo_b", {fp8(4096, 8192)}, 2, 128, 1},
      {"P11 w1, w3 of six", {experts(2048, 4096, 12)}, 1, 384, 3},
      {"P12 w2 of six, shared w2",
       {experts(4096, 2048, 6), fp8(4096, 2048, 2)},
       0,
       512,
       4},
  };
  for (const Row &row : rows) {
    std::vector<PhaseMatrix> matrices = row.matrices;
    if (row.split) {
      int64_t split = llvm::cantFail(chooseSplit(matrices, 132, 1, 16));
      EXPECT_EQ(split, row.split) << row.phase;
      for (PhaseMatrix &m : matrices)
        m.split = split;
    }
    PhaseBalance balance = llvm::cantFail(balanceOf(matrices, 132, 1));
    PhaseBalance two = llvm::cantFail(balanceOf(matrices, 132, 2));
    printf("%-26s %5.1f MB  %3d items, at most %d per SM, %4.1f %%; two strips "
           "an item %4.1f %%\n",
           row.phase, double(balance.bytes) / 1e6, int(balance.items),
           int(balance.mostItems), 100 * balance.efficiency,
           100 * two.efficiency);
    EXPECT_EQ(balance.items, row.items) << row.phase;
    EXPECT_EQ(balance.mostItems, row.most) << row.phase;
    EXPECT_GT(balance.efficiency, 0.95) << row.phase;
  }
}

} // namespace
} // namespace dsv4::cuda::test
