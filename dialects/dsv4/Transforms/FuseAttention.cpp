// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-fuse-attention: see Passes.td.

#include "dialects/dsv4/Transforms/Fusion.h"
#include "dialects/dsv4/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_FUSEATTENTIONPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

struct FuseAttentionPass : impl::FuseAttentionPassBase<FuseAttentionPass> {
  void runOnOperation() override {
    for (auto Op : llvm::to_vector(getOperation().getOps<SparseAttentionOp>()))
      fuse(Op);
  }

  void fuse(SparseAttentionOp Op) {
    auto Rope = soleUser<RopeOp>(Op.getHeads());
    if (!Rope || !Rope.getInverse() || Rope.getPositions() != Op.getPositions())
      return;
    OpBuilder B(Rope);
    auto Fused = AttentionOp::create(
        B, fuseLocations({Op, Rope}), Rope.getResult().getType(), Op.getQ(),
        Op.getPositions(), Op.getSink(), Op.getWindow(), Op.getEntries(),
        Op.getIds(), Op.getScaleAttr(), Rope.getRopeAttr());
    takeTraceNames(Fused, {Rope.getResult()});
    Rope.getResult().replaceAllUsesWith(Fused.getHeads());
    Rope.erase();
    Op.erase();
    ++numFused;
  }
};

} // namespace
} // namespace dsv4::graph
