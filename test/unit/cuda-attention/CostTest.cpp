// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attention phases at the model's own sizes, compiled for every
// architecture: registers, shared memory, no spills, no local memory, and the
// instructions that they are about. Skipped by name without NVRTC. Not run on
// hardware.

#include "targets/cuda/DeviceSources.h"
#include "targets/cuda/device/phases/attend.cuh"
#include "targets/cuda/device/phases/attend_scores.cuh"
#include "targets/cuda/device/phases/index_score.cuh"
#include "targets/cuda/device/phases/top_k.cuh"
#include "targets/cuda/toolchain/CubinGates.h"
#include "test/unit/cuda-sources/ReadSource.h"

#include <gtest/gtest.h>

using namespace dsv4::cuda;

namespace {

template <int Tile> struct Attention {
  static constexpr int Heads = 64, Width = 512, HeadTile = Tile;
};
struct Index {
  static constexpr int Heads = 64, Width = 128;
};
struct Top {
  static constexpr int Threads = 512;
};

/// A kernel and what it may cost.
struct Budget {
  const char *kernel;
  uint32_t threads, registers, shared;
  std::vector<std::string> mustHave;
};

/// Heads of a block: 64 where shared memory holds their queries and a tile of
/// rows.
int headTile(const CudaTarget &target) {
  uint32_t bytes = AttendScoresPlan<Attention<64>>::Bytes;
  return bytes + target.reservedShared <= target.sharedPerBlock ? 64 : 32;
}

std::vector<Budget> budgets(int tile) {
  uint32_t threads = tile == 64 ? AttendScoresPlan<Attention<64>>::Threads
                                : AttendScoresPlan<Attention<32>>::Threads;
  uint32_t bytes = tile == 64 ? AttendScoresPlan<Attention<64>>::Bytes
                              : AttendScoresPlan<Attention<32>>::Bytes;
  uint32_t registers = registersPerSm / (tile == 64 ? threads : 384);
  AttendPlan<Attention<64>> values;
  std::vector<std::string> products = {"HMMA", "LDSM"};
  return {{"query_heads", 128, 128, 0, {}},
          {"index_query", 128, 64, 0, {}},
          {"store_kv", 128, 128, 0, {}},
          {"rope_table", 128, 64, 0, {"DFMA"}},
          {"compress_sparse", 512, 128, 512 * 4, {"DFMA"}},
          {"compress_index", 128, 128, 128 * 4, {"DFMA"}},
          {"compress_dense", 512, 128, 512 * 4, {"DFMA"}},
          {"carry_rows", 128, 64, 0, {}},
          {"index_score", 256, 168, IndexScorePlan<Index>::Bytes, {"HMMA"}},
          {"top_k", 512, 96, TopKPlan<Top>::Bytes, {}},
          {"scores_window", threads, registers, bytes, products},
          {"scores_dense", threads, registers, bytes, products},
          {"scores_sparse", threads, registers, bytes, products},
          {"attend_window", values.Threads, 128, values.Bytes, products},
          {"attend_dense", values.Threads, 128, values.Bytes, products},
          {"attend_sparse", values.Threads, 128, values.Bytes, products}};
}

class AttentionCostTest : public testing::TestWithParam<const char *> {};

TEST_P(AttentionCostTest, WithinTheTarget) {
  auto nvrtc = NvrtcCompiler::load();
  if (!nvrtc)
    GTEST_SKIP() << llvm::toString(nvrtc.takeError());
  const CudaTarget *target = llvm::cantFail(findCudaTarget(GetParam()));
  if (llvm::Error unsupported = nvrtc->supports(*target))
    GTEST_SKIP() << llvm::toString(std::move(unsupported));
  int tile = headTile(*target);
  CompileRequest request;
  request.name = "RealKernels.cu";
  request.source = readSource("test/unit/cuda-attention/RealKernels.cu");
  request.arch = target->name;
  request.options = {"--define-macro=HEAD_TILE=" + std::to_string(tile)};
  addDeviceHeaders(request);
  auto result = nvrtc->compile(request);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_EQ(result->log.find("warning"), std::string::npos) << result->log;
  auto cubin = readCubin(result->cubin);
  ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
  addLog(*cubin, result->resources);
  for (const Budget &budget : budgets(tile)) {
    const CubinFunction *function = cubin->find(budget.kernel);
    ASSERT_NE(function, nullptr) << budget.kernel;
    KernelLimits limits;
    limits.maxRegisters = budget.registers;
    limits.threads = budget.threads;
    limits.dynamicShared = budget.shared;
    limits.mustHave = budget.mustHave;
    for (const std::string &line : violations(*function, *target, limits))
      ADD_FAILURE() << budget.kernel << ": " << line;
    RecordProperty(std::string(budget.kernel) + "_registers",
                   int(function->registers));
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionCostTest,
                         testing::Values("sm_80", "sm_89", "sm_90a", "sm_100a",
                                         "sm_120a"),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

} // namespace
