// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-fuse-index-select: see Passes.td.

#include "dialects/dsv4/Transforms/Fusion.h"
#include "dialects/dsv4/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_FUSEINDEXSELECTPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

struct FuseIndexSelectPass
    : impl::FuseIndexSelectPassBase<FuseIndexSelectPass> {
  void runOnOperation() override {
    for (auto TopK : llvm::to_vector(getOperation().getOps<TopKOp>()))
      fuse(TopK);
  }

  void fuse(TopKOp TopK) {
    auto Score = soleProducer<IndexScoreOp>(TopK.getScores());
    auto Scale = Score ? soleProducer<ScaleWeightsOp>(Score.getWeights())
                       : ScaleWeightsOp();
    if (!Scale ||
        Score.getEntries().getType().getExtent() != int64_t(TopK.getRatio()) ||
        Score.getPositions() != TopK.getPositions())
      return;
    OpBuilder B(TopK);
    auto Fused = IndexSelectOp::create(
        B, fuseLocations({Scale, Score, TopK}), TopK.getIds().getType(),
        Score.getQ(), Scale.getX(), TopK.getPositions(), Score.getEntries(),
        TopK.getKAttr(), Scale.getFactorAttr());
    takeTraceNames(Fused, {TopK.getIds()});
    TopK.getIds().replaceAllUsesWith(Fused.getIds());
    TopK.erase();
    Score.erase();
    Scale.erase();
    ++numFused;
  }
};

} // namespace
} // namespace dsv4::graph
