// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-fuse-query-kv: see Passes.td.

#include "dialects/dsv4/Transforms/Fusion.h"
#include "dialects/dsv4/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_FUSEQUERYKVPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

struct FuseQueryKvPass : impl::FuseQueryKvPassBase<FuseQueryKvPass> {
  void runOnOperation() override {
    for (auto Op : llvm::to_vector(getOperation().getOps<HeadNormOp>()))
      fuseQuery(Op);
    for (auto Op : llvm::to_vector(getOperation().getOps<StoreWindowOp>()))
      fuseStore(Op);
    for (auto Op : llvm::to_vector(getOperation().getOps<QuantizeFp4Op>()))
      fuseIndexQuery(Op);
  }

  void fuseQuery(HeadNormOp Norm) {
    auto Rope = soleUser<RopeOp>(Norm.getResult());
    if (!Rope || Rope.getInverse())
      return;
    OpBuilder B(Rope);
    auto Fused = QueryHeadsOp::create(
        B, fuseLocations({Norm, Rope}), Rope.getResult().getType(), Norm.getX(),
        Rope.getPositions(), Rope.getRopeAttr(), Norm.getEpsAttr());
    finish(Fused, Rope.getResult(), {Rope, Norm});
  }

  void fuseStore(StoreWindowOp Store) {
    auto Quantize = soleProducer<QuantizeKvOp>(Store.getKv());
    auto Rope = Quantize ? soleProducer<RopeOp>(Quantize.getKv()) : RopeOp();
    auto Norm = Rope ? soleProducer<RmsNormOp>(Rope.getX()) : RmsNormOp();
    if (!Norm || Rope.getInverse() ||
        Rope.getPositions() != Store.getPositions() ||
        Rope.getRope().getDims() != int64_t(Quantize.getRopeDims()))
      return;
    OpBuilder B(Store);
    auto Fused = StoreKvOp::create(
        B, fuseLocations({Norm, Rope, Quantize, Store}),
        Store.getKv().getType(), Norm.getX(), Norm.getWeight(),
        Store.getPositions(), Store.getWindow(), Rope.getRopeAttr(),
        Norm.getEpsAttr());
    takeTraceNames(Fused, {Store.getKv()});
    for (Operation *Op : {Store.getOperation(), Quantize.getOperation(),
                          Rope.getOperation(), Norm.getOperation()})
      Op->erase();
    ++numFused;
  }

  void fuseIndexQuery(QuantizeFp4Op Quantize) {
    auto Mixed = soleProducer<HadamardOp>(Quantize.getX());
    auto Rope = Mixed ? soleProducer<RopeOp>(Mixed.getX()) : RopeOp();
    if (!Rope || Rope.getInverse())
      return;
    OpBuilder B(Quantize);
    auto Fused =
        IndexQueryOp::create(B, fuseLocations({Rope, Mixed, Quantize}),
                             Quantize.getResult().getType(), Rope.getX(),
                             Rope.getPositions(), Rope.getRopeAttr());
    finish(Fused, Quantize.getResult(), {Quantize, Mixed, Rope});
  }

  void finish(Operation *Fused, Value Old, ArrayRef<Operation *> Dead) {
    takeTraceNames(Fused, {Old});
    Old.replaceAllUsesWith(Fused->getResult(0));
    for (Operation *Op : Dead)
      Op->erase();
    ++numFused;
  }
};

} // namespace
} // namespace dsv4::graph
