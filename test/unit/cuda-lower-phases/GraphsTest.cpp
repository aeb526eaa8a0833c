// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The graphs of a program: which sizes of steps have one, which tiles each
// takes, and that none of them sums in another order.

#include "test/unit/cuda-lower-phases/LoweredModels.h"

#include "targets/cuda/device/phases/linear.cuh"

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

std::vector<int64_t> sizes(const CudaProgram &program) {
  std::vector<int64_t> found;
  for (const GraphSpec &graph : program.graphs)
    found.push_back(graph.tokens);
  return found;
}

TEST(CudaGraphs, AreAFactorOfFourApart) {
  using Sizes = std::vector<int64_t>;
  for (const Sizes &want :
       {Sizes{1, 2}, Sizes{1, 8}, Sizes{1, 8, 9}, Sizes{1, 8, 63},
        Sizes{1, 8, 32, 64}, Sizes{1, 8, 32, 128, 512},
        Sizes{1, 8, 32, 128, 600}, Sizes{1, 8, 32, 128, 512, 2048},
        Sizes{1, 8, 32, 128, 512, 2048, 8192, 40000}}) {
    Model model = planModel("odd", configText("odd"), want.back());
    EXPECT_EQ(sizes(lowered(model, "sm_90a")), want);
  }
}

/// The parts of K of every job of a launch of products; none for others.
template <class Params> std::vector<u32> splitsOf(const NodeSpec &node) {
  Params params;
  EXPECT_EQ(node.params.size(), sizeof(params));
  std::memcpy(static_cast<void *>(&params), node.params.data(), sizeof(params));
  std::vector<u32> splits;
  for (u32 i = 0; i < params.numJobs; ++i)
    splits.push_back(params.jobs[i].split);
  return splits;
}

using Splits = std::vector<std::pair<std::string, std::vector<u32>>>;
Splits splitsOf(const GraphSpec &graph) {
  Splits splits;
  for (const NodeSpec &node : graph.nodes)
    if (node.kind == "linear")
      splits.emplace_back(node.name, splitsOf<LinearParams>(node));
    else if (node.kind == "expert_linear")
      splits.emplace_back(node.name, splitsOf<ExpertLinearParams>(node));
  return splits;
}

/// What fixes the order of a sum is the parts of K alone.
TEST(CudaGraphs, SumInOneOrder) {
  for (const char *name : modelNames) {
    CudaProgram program = lowered(name, "sm_90a");
    Splits first = splitsOf(program.graphs.front());
    ASSERT_FALSE(first.empty());
    for (const GraphSpec &graph : program.graphs)
      EXPECT_EQ(splitsOf(graph), first) << name << ", " << graph.name;
  }
}

/// Columns of the tiles of a phase in every graph, from its kernel's config.
std::vector<int> columnsOf(const CudaProgram &program,
                           const std::string &phase) {
  std::vector<int> columns;
  for (const GraphSpec &graph : program.graphs)
    for (const NodeSpec &node : graph.nodes) {
      if (node.name != phase || !llvm::StringRef(node.kind).ends_with("linear"))
        continue;
      llvm::StringRef text = program.kernels[size_t(node.kernel)].text;
      int value = 0;
      text.split("u32 columns = ").second.consumeInteger(10, value);
      columns.push_back(value);
    }
  return columns;
}

/// Tiles fit the rows that meet a matrix; equal configs are one kernel, so six
/// sizes of steps make few more than three did (46).
TEST(CudaGraphs, TilesOfFlash) {
  Model model = planModel("flash", configText("flash"), 2048);
  CudaProgram program = lowered(model, "sm_90a");
  EXPECT_EQ(columnsOf(program, "layers.42.ffn.experts.w13"),
            (std::vector<int>{8, 8, 16, 16, 16, 64}));
  EXPECT_EQ(columnsOf(program, "layers.42.attn.wo_b"),
            (std::vector<int>{8, 8, 32, 64, 64, 64}));
  EXPECT_EQ(columnsOf(program, "layers.42.ffn.gate_shared_w13"),
            (std::vector<int>{8, 8, 32, 32, 32, 32})); // with BF16
  EXPECT_LE(program.kernels.size(), 50u);
}

} // namespace
