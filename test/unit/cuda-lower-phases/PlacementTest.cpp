// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights of Flash and of the golden models for GPUs that are too small: what
// leaves the GPU, that the rest fits, and that every address a launch works out
// for an expert holds that expert's bytes.

#include "test/unit/cuda-lower-phases/LoweredModels.h"

#include "targets/cuda/device/phases/linear.cuh"
#include "targets/cuda/lower/AssignPacking.h"

#include <set>

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

constexpr int64_t mebi = 1 << 20;

kern::WeightOp weightNamed(const Model &model, llvm::StringRef name) {
  for (auto weight : model.program().getOps<kern::WeightOp>())
    if (weight.getTensor() == name)
      return weight;
  ADD_FAILURE() << "no weight " << name.str();
  return {};
}

/// Where byte `offset` of a part comes from in the packed weights, or -1.
int64_t sourceOf(const CudaProgram &program, int32_t part, int64_t offset) {
  for (const dsv4_cuda_segment &s : program.segments)
    if (s.part == part && s.offset <= offset && offset < s.offset + s.bytes)
      return s.source + offset - s.offset;
  return -1;
}

/// Every packed byte goes to one place or is mapped, and no place gets two.
void expectSegmentsCover(const CudaProgram &program) {
  std::map<int64_t, int64_t> sources;
  std::map<std::pair<int32_t, int64_t>, int64_t> places;
  std::vector<dsv4_cuda_segment> mapped;
  for (const dsv4_cuda_segment &s : program.segments) {
    ASSERT_GT(s.bytes, 0);
    if (program.parts[size_t(s.part)].tier == DSV4_CUDA_MAPPED) {
      EXPECT_EQ(s.offset, 0);
      EXPECT_EQ(s.bytes, program.parts[size_t(s.part)].bytes.fixed);
      mapped.push_back(s);
      continue;
    }
    EXPECT_TRUE(sources.emplace(s.source, s.bytes).second);
    EXPECT_TRUE(places.emplace(std::pair(s.part, s.offset), s.bytes).second);
    EXPECT_LE(s.offset + s.bytes, program.parts[size_t(s.part)].bytes.fixed);
  }
  auto isMapped = [&](int64_t begin, int64_t end) {
    return llvm::any_of(mapped, [&](const dsv4_cuda_segment &s) {
      return s.source <= begin && end <= s.source + s.bytes + WeightAlignment;
    });
  };
  int64_t at = 0;
  for (auto [source, bytes] : sources) {
    EXPECT_GE(source, at) << "an overlap of segments";
    EXPECT_TRUE(source == at || isMapped(at, source)) << "a gap at " << at;
    at = source + bytes;
  }
  EXPECT_TRUE(at == program.weightBytes || isMapped(at, program.weightBytes));
  std::map<int32_t, int64_t> ends;
  for (auto [place, bytes] : places) {
    EXPECT_EQ(place.second, ends[place.first]) << "part " << place.first;
    ends[place.first] = place.second + bytes;
  }
}

const OperandSpec *operandAt(const NodeSpec &node, size_t at) {
  for (const OperandSpec &operand : node.operands)
    if (operand.at == int32_t(at))
      return &operand;
  return nullptr;
}

/// The source that the kernel finds for expert `e` of job `j`.
int64_t sourceOfExpert(const CudaProgram &program, const NodeSpec &node,
                       const ExpertLinearParams &p, unsigned j, u32 e) {
  const OperandSpec *w =
      operandAt(node, offsetof(ExpertLinearParams, jobs) +
                          j * sizeof(MatrixJob) + offsetof(MatrixJob, w));
  const OperandSpec *cold =
      operandAt(node, offsetof(ExpertLinearParams, cold) + j * 8);
  EXPECT_TRUE(w);
  if (!cold || !p.coldExperts.has(e)) {
    u32 below = cold ? p.coldExperts.below(e) : 0;
    return sourceOf(program, w->part,
                    w->offset.fixed + i64(e - below) * p.stride[j]);
  }
  u32 number = p.coldInPlace ? e : p.coldExperts.below(e);
  return sourceOf(program, cold->part,
                  cold->offset.fixed + i64(number) * p.stride[j]);
}

/// Experts on the host, as "phase expert".
std::set<std::string> expectExperts(const Model &model,
                                    const CudaProgram &program) {
  std::set<std::string> cold;
  for (const GraphSpec &graph : program.graphs) {
    size_t at = 0;
    for (auto op : model.program().getOps<kern::ExpertLinearOp>()) {
      while (graph.nodes[at].kind != "expert_linear")
        ++at;
      const NodeSpec &node = graph.nodes[at++];
      ExpertLinearParams p;
      EXPECT_EQ(node.params.size(), sizeof(p));
      std::memcpy(static_cast<void *>(&p), node.params.data(), sizeof(p));
      for (unsigned j = 0; j < p.numJobs; ++j) {
        mlir::Value value = j ? op.getWOther() : op.getW();
        auto weight = value.getDefiningOp<kern::WeightOp>();
        for (u32 e = 0; e < p.experts; ++e) {
          EXPECT_EQ(sourceOfExpert(program, node, p, j, e),
                    int64_t(*weight.getOffset()) +
                        i64(e) * int64_t(*weight.getBytes()) / p.experts)
              << node.name << ", expert " << e;
          if (p.coldExperts.has(e))
            cold.insert(node.name + " " + std::to_string(e));
        }
      }
    }
  }
  return cold;
}

int64_t deviceBytes(const Model &model, const CudaProgram &program) {
  int64_t blocks = model.program().getMaxContext() / 128, all = 0;
  for (const PartSpec &part : program.parts)
    if (part.tier == DSV4_CUDA_DEVICE)
      all += (part.bytes.at(blocks) + 255) / 256 * 256 *
             (part.kind == DSV4_CUDA_STATE ? model.program().getMaxSequences()
                                           : 1);
  return all;
}

llvm::Expected<CudaProgram>
lowerWith(const std::string &model, int64_t bytes, ExpertUsage usage = {},
          int64_t hostMemory = LowerOptions().hostMemory) {
  LowerOptions options;
  options.hostMemory = hostMemory;
  options.deviceMemory = bytes;
  options.driverBytes = 16 * mebi;
  options.usage = std::move(usage);
  return lowerProgram(modelOf(model).program(),
                      *llvm::cantFail(findCudaTarget("sm_90a")), options);
}

class CudaPlacement : public testing::TestWithParam<const char *> {
protected:
  const Model &model = modelOf(GetParam());
  CudaProgram whole = lowered(GetParam(), "sm_90a");
  int64_t needed = deviceBytes(model, whole) + 16 * mebi;

  kern::WeightOp table() { return weightNamed(model, "embed.weight"); }
  int64_t tableBytes() { return int64_t(*table().getBytes()); }
  int64_t expertBytes() {
    int64_t all = 0;
    for (auto weight : model.program().getOps<kern::WeightOp>())
      if (weight.getTensor().contains("{e}"))
        all += int64_t(*weight.getBytes());
    return all;
  }
};

TEST_P(CudaPlacement, WhatFitsIsAsBefore) {
  auto same = lowerWith(GetParam(), needed);
  ASSERT_TRUE(bool(same)) << llvm::toString(same.takeError());
  ASSERT_EQ(same->parts.size(), size_t(NumProgramParts));
  ASSERT_EQ(same->segments.size(), 1u);
  EXPECT_EQ(same->segments[0].bytes, whole.weightBytes);
  EXPECT_EQ(same->source(), whole.source());
  EXPECT_EQ(expectExperts(model, *same).size(), 0u);
}

TEST_P(CudaPlacement, TheTableGoesFirst) {
  auto less = lowerWith(GetParam(), needed - 1);
  ASSERT_TRUE(bool(less)) << llvm::toString(less.takeError());
  ASSERT_EQ(less->parts.size(), size_t(NumProgramParts) + 1);
  const PartSpec &cold = less->parts[ColdWeightsPart];
  EXPECT_EQ(cold.tier, DSV4_CUDA_PINNED);
  EXPECT_EQ(cold.bytes.fixed, tableBytes());
  EXPECT_EQ(deviceBytes(model, *less) + 16 * mebi + tableBytes(), needed);
  expectSegmentsCover(*less);
  EXPECT_EQ(expectExperts(model, *less).size(), 0u);
  EXPECT_EQ(less->source(), whole.source()) << "other kernels";
  const NodeSpec &embed = less->graphs[0].nodes[1];
  ASSERT_EQ(embed.kind, "embed");
  EXPECT_TRUE(llvm::any_of(embed.operands, [&](const OperandSpec &o) {
    return o.part == ColdWeightsPart &&
           sourceOf(*less, o.part, o.offset.fixed) ==
               int64_t(*table().getOffset());
  }));
}

/// Every other operand that is a weight keeps its bytes, too.
TEST_P(CudaPlacement, OtherWeightsKeepTheirBytes) {
  auto less = lowerWith(GetParam(), needed - tableBytes() - expertBytes() / 3);
  ASSERT_TRUE(bool(less)) << llvm::toString(less.takeError());
  for (size_t g = 0; g < whole.graphs.size(); ++g)
    for (size_t n = 0; n < whole.graphs[g].nodes.size(); ++n) {
      const NodeSpec &before = whole.graphs[g].nodes[n],
                     &after = less->graphs[g].nodes[n];
      if (before.kind == "expert_linear" || before.kind == "reduce")
        continue;
      ASSERT_EQ(before.operands.size(), after.operands.size());
      for (size_t i = 0; i < before.operands.size(); ++i)
        if (before.operands[i].part == WeightsPart) {
          const OperandSpec &o = after.operands[i];
          EXPECT_EQ(sourceOf(*less, o.part, o.offset.fixed),
                    before.operands[i].offset.fixed)
              << before.name;
        }
    }
}

TEST_P(CudaPlacement, TheLastExpertsOfEveryLayerFollow) {
  auto less = lowerWith(GetParam(), needed - tableBytes() - expertBytes() / 3);
  ASSERT_TRUE(bool(less)) << llvm::toString(less.takeError());
  EXPECT_LE(deviceBytes(model, *less) + 16 * mebi,
            needed - tableBytes() - expertBytes() / 3);
  expectSegmentsCover(*less);
  std::set<std::string> cold = expectExperts(model, *less);
  ASSERT_FALSE(cold.empty());
  // No expert more than necessary: one of a layer is at most so much.
  int64_t layers = 0, number = 0, fewest = 1 << 20, most = 0;
  for (auto op : model.program().getOps<kern::ExpertLinearOp>()) {
    int64_t experts =
        llvm::cast<qfmt::WeightType>(op.getW().getType()).getShape()[0];
    number = 0;
    while (number < experts && cold.count(op.getPhase().str() + " " +
                                          std::to_string(experts - 1 - number)))
      ++number;
    for (int64_t e = 0; e < experts - number; ++e)
      EXPECT_FALSE(cold.count(op.getPhase().str() + " " + std::to_string(e)));
    fewest = std::min(fewest, number);
    most = std::max(most, number);
    ++layers;
  }
  EXPECT_LE(most - fewest, 1);
  int64_t one = expertBytes() * 2 / layers /
                llvm::cast<qfmt::WeightType>(
                    (*model.program().getOps<kern::ExpertLinearOp>().begin())
                        .getW()
                        .getType())
                    .getShape()[0];
  EXPECT_GT(less->parts[ColdWeightsPart].bytes.fixed + one + 256,
            tableBytes() + expertBytes() / 3);
  EXPECT_LT(less->parts[ColdWeightsPart].bytes.fixed,
            tableBytes() + expertBytes() / 3 + one + 256);
}

TEST_P(CudaPlacement, TheLeastUsedExpertsGoFirst) {
  ExpertUsage usage;
  std::vector<std::string> unused;
  for (auto weight : model.program().getOps<kern::WeightOp>()) {
    llvm::StringRef prefix = weight.getTensor().split("{e}").first;
    if (!weight.getTensor().ends_with("{e}.w1.weight"))
      continue;
    int64_t experts = llvm::cast<qfmt::WeightType>(weight.getHandle().getType())
                          .getShape()[0];
    for (int64_t e = 0; e < experts; ++e)
      usage[(prefix + llvm::Twine(e)).str()] = 7;
    usage[(prefix + "1").str()] = 2; // of every layer
  }
  // Less than one expert of every layer.
  auto less = lowerWith(GetParam(), needed - tableBytes() - 1, usage);
  ASSERT_TRUE(bool(less)) << llvm::toString(less.takeError());
  expectSegmentsCover(*less);
  std::set<std::string> cold = expectExperts(model, *less);
  EXPECT_EQ(cold.size(), 2u) << "w13 and w2 of one expert";
  for (const std::string &name : cold)
    EXPECT_TRUE(llvm::StringRef(name).ends_with(" 1")) << name;
}

const PartSpec *partNamed(const CudaProgram &program, llvm::StringRef name) {
  for (const PartSpec &part : program.parts)
    if (part.name == name)
      return &part;
  return nullptr;
}

/// Names of the experts of an expert phase that are read in the file.
std::set<std::string> phasesInPlace(const CudaProgram &program) {
  std::set<std::string> names;
  for (const NodeSpec &node : program.graphs[0].nodes) {
    ExpertLinearParams p;
    if (node.kind != "expert_linear")
      continue;
    std::memcpy(static_cast<void *>(&p), node.params.data(), sizeof(p));
    if (p.coldInPlace)
      names.insert(node.name);
  }
  return names;
}

/// Without a pinned byte everything cold is read where it is in the file.
TEST_P(CudaPlacement, NothingPinnedMeansTheFile) {
  int64_t room = needed - tableBytes() - expertBytes() / 3;
  auto pinned = lowerWith(GetParam(), room);
  auto mapped = lowerWith(GetParam(), room, {}, 0);
  ASSERT_TRUE(pinned && mapped);
  EXPECT_EQ(partNamed(*mapped, "cold weights"), nullptr);
  const PartSpec *table_ = partNamed(*mapped, "mapped tables");
  ASSERT_TRUE(table_ && partNamed(*mapped, "mapped experts"));
  EXPECT_EQ(table_->tier, DSV4_CUDA_MAPPED);
  EXPECT_EQ(table_->bytes.fixed, tableBytes());
  EXPECT_EQ(deviceBytes(model, *mapped), deviceBytes(model, *pinned));
  expectSegmentsCover(*mapped);
  EXPECT_EQ(expectExperts(model, *mapped), expectExperts(model, *pinned));
  EXPECT_EQ(mapped->source(), pinned->source()) << "other kernels";
}

/// A byte too few takes the table out of pinned memory, one less than the
/// experts' a layer, the last.
TEST_P(CudaPlacement, TheTableAndTheLastLayersLeavePinnedMemory) {
  int64_t room = needed - tableBytes() - expertBytes() / 3;
  auto all = lowerWith(GetParam(), room);
  ASSERT_TRUE(bool(all));
  int64_t cold = partNamed(*all, "cold weights")->bytes.fixed;
  auto first = lowerWith(GetParam(), room, {}, cold - 1);
  ASSERT_TRUE(bool(first));
  EXPECT_EQ(partNamed(*first, "cold weights")->bytes.fixed,
            cold - tableBytes());
  EXPECT_EQ(partNamed(*first, "mapped experts"), nullptr);
  EXPECT_TRUE(phasesInPlace(*first).empty());
  expectSegmentsCover(*first);
  auto second = lowerWith(GetParam(), room, {}, cold - tableBytes() - 1);
  ASSERT_TRUE(bool(second));
  expectSegmentsCover(*second);
  EXPECT_EQ(expectExperts(model, *second), expectExperts(model, *all));
  std::set<std::string> inPlace = phasesInPlace(*second);
  ASSERT_EQ(inPlace.size(), 2u) << "w13 and w2 of the last layer";
  std::string last;
  for (auto op : model.program().getOps<kern::ExpertLinearOp>())
    last = op.getPhase().str();
  EXPECT_TRUE(inPlace.count(last)) << last;
}

TEST_P(CudaPlacement, TooLittleIsRefused) {
  auto none =
      lowerWith(GetParam(), needed - tableBytes() - expertBytes() - 256);
  ASSERT_FALSE(bool(none));
  std::string text = llvm::toString(none.takeError());
  EXPECT_NE(text.find("MiB of weights that stay on the GPU"), std::string::npos)
      << text;
  EXPECT_NE(text.find("use a smaller --context"), std::string::npos) << text;
  auto all = lowerWith(GetParam(), needed - tableBytes() - expertBytes());
  ASSERT_TRUE(bool(all)) << llvm::toString(all.takeError());
  expectSegmentsCover(*all);
  expectExperts(model, *all);
}

INSTANTIATE_TEST_SUITE_P(All, CudaPlacement, testing::ValuesIn(modelNames),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

TEST(CudaPlacementUsage, LinesAreRead) {
  auto usage = parseUsage("# tokens\n\nlayers.0.ffn.experts.3 12\n"
                          "  layers.1.ffn.experts.0   9 \r\n",
                          "usage.txt");
  ASSERT_TRUE(bool(usage)) << llvm::toString(usage.takeError());
  EXPECT_EQ(usage->size(), 2u);
  EXPECT_EQ(usage->lookup("layers.0.ffn.experts.3"), 12u);
  EXPECT_EQ(usage->lookup("layers.1.ffn.experts.0"), 9u);
}

TEST(CudaPlacementUsage, MistakesAreNamed) {
  auto problem = [](llvm::StringRef text) {
    auto usage = parseUsage(text, "usage.txt");
    return usage ? "" : llvm::toString(usage.takeError());
  };
  EXPECT_EQ(problem("a 1\nb\n"),
            "usage.txt:2: expected an expert and a number of tokens, as in "
            "'layers.3.ffn.experts.17 1234', found 'b'");
  EXPECT_EQ(problem("a -1"),
            "usage.txt:1: expected an expert and a number of tokens, as in "
            "'layers.3.ffn.experts.17 1234', found 'a -1'");
  EXPECT_EQ(problem("a 1\n# no\na 2\n"),
            "usage.txt:3: expected every expert once, found a again");
  auto wrong = lowerWith("mini", int64_t(1) << 40,
                         llvm::cantFail(parseUsage("layers.0.x.9 3", "f")));
  ASSERT_FALSE(bool(wrong));
  EXPECT_NE(llvm::toString(wrong.takeError())
                .find("usage of layers.0.x.9: the program has no such expert"),
            std::string::npos);
}

} // namespace
