// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each phase of a kern program became: every kind of op has its launches,
// over the op's operands in the order of its table, as the parameter structs
// have them; attention covers all tokens in turns.

#include "test/unit/cuda-lower-phases/LoweredModels.h"

#include "targets/cuda/device/phases/attend_rows.cuh"
#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"

#include <set>

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

using Where = std::pair<int32_t, kern::Affine>;

/// Read off the declarations, not through the builder.
Where placeOf(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  if (auto buffer = llvm::dyn_cast<kern::BufferOp>(op))
    return {BuffersPart, buffer.getOffset()->getValue()};
  if (auto state = llvm::dyn_cast<kern::StateOp>(op))
    return {StatePart, state.getOffset()->getValue()};
  auto weight = llvm::cast<kern::WeightOp>(op);
  return {WeightsPart, {int64_t(*weight.getOffset()), 0}};
}

bool isOfProducts(mlir::Operation *op) {
  return llvm::isa<kern::LinearOp, kern::ExpertLinearOp>(op);
}

/// Launches of each phase, in order; a phase's are neighbours.
using Launches = std::vector<const NodeSpec *>;

/// Calls body(phase, launches) for every phase of the graph, and expects
/// nothing else in it but the copies at its ends.
template <class Body>
void forPhases(kern::ProgramOp program, const GraphSpec &graph,
               const Body &body) {
  size_t at = 1;
  for (auto phase : program.getBody().getOps<kern::KernPhaseOpInterface>()) {
    Launches launches;
    for (; at < graph.nodes.size() && graph.nodes[at].kernel >= 0 &&
           graph.nodes[at].name == phase.getPhaseName();
         ++at)
      launches.push_back(&graph.nodes[at]);
    ASSERT_FALSE(launches.empty())
        << phase.getPhaseName().str() << " has no launch in " << graph.name;
    body(phase.getOperation(), launches);
  }
  EXPECT_EQ(at + 1, graph.nodes.size()) << graph.name;
}

/// What a launch that is no matrix product is about: the step first, the op's
/// operands in the order of its table, then workspace.
void expectOperands(mlir::Operation *op, const NodeSpec &node) {
  std::vector<OperandSpec> bound = node.operands;
  llvm::sort(bound, [](const OperandSpec &a, const OperandSpec &b) {
    return a.at < b.at;
  });
  ASSERT_GT(bound.size(), op->getNumOperands()) << node.name;
  EXPECT_EQ(bound[0].part, int32_t(StepPart)) << node.name;
  EXPECT_EQ(bound[0].offset, kern::Affine{}) << node.name;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    const OperandSpec &have = bound[i + 1];
    EXPECT_EQ(Where(have.part, have.offset), placeOf(op->getOperand(i)))
        << node.name << ", operand " << i << " of kern."
        << op->getName().stripDialect().str();
  }
  for (size_t i = op->getNumOperands() + 1; i < bound.size(); ++i)
    EXPECT_EQ(bound[i].part, int32_t(WorkspacePart)) << node.name;
}

class CudaLowerPhases : public testing::TestWithParam<const char *> {};

TEST_P(CudaLowerPhases, EveryKindOnEveryTarget) {
  kern::ProgramOp program = modelOf(GetParam()).program();
  for (const char *target : targetNames) {
    CudaProgram to = lowered(GetParam(), target);
    ASSERT_EQ(to.graphs.size(), 4u);
    std::set<std::string> kinds;
    for (const GraphSpec &graph : to.graphs)
      forPhases(program, graph, [&](mlir::Operation *op, const Launches &) {
        kinds.insert(op->getName().stripDialect().str());
      });
    for (const char *kind :
         {"embed", "norm_quant", "quantize", "hc_mix", "hc_pre", "hc_head",
          "route", "dispatch", "swiglu", "combine", "rope_table", "query_heads",
          "index_query", "store_kv", "compress", "carry", "index_score",
          "top_k", "attend"})
      EXPECT_TRUE(kinds.count(kind)) << GetParam() << " has no kern." << kind;
  }
}

TEST_P(CudaLowerPhases, OperandsAreThoseOfTheOp) {
  CudaProgram to = lowered(GetParam(), "sm_90a");
  for (const GraphSpec &graph : to.graphs)
    forPhases(modelOf(GetParam()).program(), graph,
              [&](mlir::Operation *op, const Launches &launches) {
                if (isOfProducts(op))
                  return;
                if (!llvm::isa<kern::AttendOp>(op)) {
                  EXPECT_EQ(launches.size(), 1u) << launches[0]->name;
                }
                for (const NodeSpec *node : launches)
                  expectOperands(op, *node);
              });
}

AttendParams attendParams(const NodeSpec &node) {
  AttendParams p;
  EXPECT_EQ(node.params.size(), sizeof(p));
  std::memcpy(static_cast<void *>(&p), node.params.data(), sizeof(p));
  return p;
}

int64_t offsetIn(const NodeSpec &node, size_t at) {
  for (const OperandSpec &operand : node.operands)
    if (operand.at == int32_t(at) && operand.part == WorkspacePart)
      return operand.offset.fixed;
  ADD_FAILURE() << node.name << " has no workspace at " << at;
  return -1;
}

/// Scores and the largest ones of a turn of so many tokens, side by side in the
/// workspace.
void expectScratch(const NodeSpec &node, kern::AttendOp op, int64_t tokens,
                   const PartSpec &workspace) {
  int64_t heads = op.getHeads();
  int64_t scores = offsetIn(node, offsetof(AttendParams, scores));
  int64_t largest = offsetIn(node, offsetof(AttendParams, largest));
  int64_t rows = attendParams(node).scoreRows, wanted = op.getWindowSize();
  if (op.getIds())
    wanted += llvm::cast<kern::BufferType>(op.getIds().getType()).getFixed();
  else if (op.getEntries())
    wanted +=
        int64_t(op->getParentOfType<kern::ProgramOp>().getMaxContext()) /
        llvm::cast<kern::StateType>(op.getEntries().getType()).getExtent();
  EXPECT_GE(rows, wanted) << node.name;
  EXPECT_EQ(rows % 32, 0) << node.name;
  constexpr int64_t splits = 16;
  EXPECT_GE(largest - scores, tokens * heads * rows * 4) << node.name;
  EXPECT_LE(largest + tokens * splits * heads * 4, workspace.bytes.fixed);
}

/// The turns follow each other without gap or overlap, values behind scores.
void expectTurns(kern::AttendOp op, const Launches &launches,
                 const CudaProgram &to, int64_t tokens) {
  int64_t next = 0;
  ASSERT_EQ(launches.size() % 2, 0u);
  for (size_t i = 0; i < launches.size(); i += 2) {
    const NodeSpec &scores = *launches[i], &values = *launches[i + 1];
    EXPECT_EQ(scores.kind, "attend_scores");
    EXPECT_EQ(values.kind, "attend");
    AttendParams p = attendParams(scores), c = attendParams(values);
    EXPECT_EQ(p.firstToken, next);
    EXPECT_EQ(c.firstToken, next);
    EXPECT_EQ(p.numTokens, c.numTokens);
    EXPECT_GT(p.numTokens, 0);
    EXPECT_LE(p.numTokens, 64);
    for (const NodeSpec *node : {&scores, &values})
      expectScratch(*node, op, p.numTokens, to.parts[WorkspacePart]);
    next += p.numTokens;
  }
  EXPECT_EQ(next, tokens);
}

TEST_P(CudaLowerPhases, AttentionCoversTheStepInTurns) {
  CudaProgram to = lowered(GetParam(), "sm_90a");
  std::vector<size_t> counts;
  for (const GraphSpec &graph : to.graphs) {
    size_t most = 0;
    forPhases(modelOf(GetParam()).program(), graph,
              [&](mlir::Operation *op, const Launches &launches) {
                auto attend = llvm::dyn_cast<kern::AttendOp>(op);
                if (!attend)
                  return;
                expectTurns(attend, launches, to, graph.tokens);
                most = std::max(most, launches.size());
              });
    counts.push_back(most);
  }
  // 1, 8 and 32 tokens at once; 200 as 64, 64, 64 and 8.
  EXPECT_EQ(counts, (std::vector<size_t>{2, 2, 2, 8}));
}

/// One block alone counts; other grids would write the lists twice.
TEST_P(CudaLowerPhases, DispatchIsOneBlock) {
  CudaProgram to = lowered(GetParam(), "sm_90a");
  int found = 0;
  for (const GraphSpec &graph : to.graphs)
    for (const NodeSpec &node : graph.nodes)
      if (node.kind == "dispatch") {
        ++found;
        EXPECT_EQ(node.gridX.fixed, 1);
        EXPECT_EQ(node.gridX.per_token + node.gridX.per_block, 0);
      }
  EXPECT_GT(found, 0);
}

/// Frequencies travel in the parameters, bit for bit, and fill what is used.
TEST_P(CudaLowerPhases, FrequenciesAreTheOps) {
  CudaProgram to = lowered(GetParam(), "sm_90a");
  int found = 0;
  forPhases(modelOf(GetParam()).program(), to.graphs[0],
            [&](mlir::Operation *op, const Launches &launches) {
              llvm::ArrayRef<float> freqs;
              size_t at = 0;
              if (auto table = llvm::dyn_cast<kern::RopeTableOp>(op)) {
                freqs = table.getFreqs();
                at = offsetof(RopeTableParams, freqs);
              } else if (auto pool = llvm::dyn_cast<kern::CompressOp>(op)) {
                freqs = pool.getFreqs();
                at = offsetof(CompressParams, freqs);
              } else {
                return;
              }
              ++found;
              ASSERT_FALSE(freqs.empty());
              const std::vector<uint8_t> &bytes = launches[0]->params;
              ASSERT_LE(at + freqs.size() * 4, bytes.size());
              EXPECT_EQ(std::memcmp(bytes.data() + at, freqs.data(),
                                    freqs.size() * 4),
                        0)
                  << launches[0]->name;
            });
  EXPECT_GT(found, 2);
}

INSTANTIATE_TEST_SUITE_P(All, CudaLowerPhases, testing::ValuesIn(modelNames),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

/// Floats of configs come back as the op's own bits.
TEST(CudaLowerConfig, RealsAreExact) {
  kern::ProgramOp program = modelOf("flash").program();
  CudaProgram to = lowered("flash", "sm_90a");
  int found = 0;
  forPhases(program, to.graphs[0],
            [&](mlir::Operation *op, const Launches &launches) {
              auto attend = llvm::dyn_cast<kern::AttendOp>(op);
              if (!attend)
                return;
              const std::string &text =
                  to.kernels[size_t(launches[0]->kernel)].text;
              size_t at = text.find("float Scale = 0x");
              ASSERT_NE(at, std::string::npos) << text;
              float back = std::strtof(text.c_str() + at + 14, nullptr);
              EXPECT_EQ(back, attend.getScale().convertToFloat());
              ++found;
            });
  EXPECT_EQ(found, 43);
}

/// What no body has is said with the phase and what was expected.
TEST(CudaLowerConfig, RefusesIndexRowsOfOtherWidths) {
  std::string text = configText("odd"), what = "\"index_head_dim\": 64";
  size_t at = text.find(what);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, what.size(), "\"index_head_dim\": 256");
  Model model = planModel("wide index", text);
  auto program =
      lowerProgram(model.program(), *llvm::cantFail(findCudaTarget("sm_90a")));
  ASSERT_FALSE(bool(program));
  std::string said = llvm::toString(program.takeError());
  EXPECT_NE(said.find("phase layers.1."), std::string::npos) << said;
  EXPECT_NE(said.find("has index rows of 256 values, expected 64 or 128"),
            std::string::npos)
      << said;
}

} // namespace
