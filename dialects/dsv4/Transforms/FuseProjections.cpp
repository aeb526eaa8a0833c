// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-fuse-projections: see Passes.td.

#include "dialects/dsv4/Transforms/Fusion.h"
#include "dialects/dsv4/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_FUSEPROJECTIONSPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

/// A linear of an input, possibly through a quantize of its own.
struct Projection {
  LinearOp Linear;
  QuantizeOp Quantize;
};

struct FuseProjectionsPass
    : impl::FuseProjectionsPassBase<FuseProjectionsPass> {
  void runOnOperation() override {
    llvm::MapVector<Value, SmallVector<Projection>> Groups;
    for (auto Linear : getOperation().getOps<LinearOp>()) {
      auto Quantize = soleProducer<QuantizeOp>(Linear.getX());
      Value X = Quantize ? Quantize.getX() : Value(Linear.getX());
      Groups[X].push_back({Linear, Quantize});
    }
    for (auto &[X, Group] : Groups)
      if (Group.size() > 1)
        stack(X, Group);
  }

  void stack(Value X, ArrayRef<Projection> Group) {
    LinearOp First = Group.front().Linear;
    SmallVector<Value> Weights, Old;
    SmallVector<Type> Types;
    SmallVector<bool> Quantized;
    SmallVector<Operation *> Parts;
    for (const Projection &P : Group) {
      LinearOp Linear = P.Linear;
      Weights.push_back(Linear.getWeight());
      Old.push_back(Linear.getResult());
      if (P.Quantize)
        Parts.push_back(P.Quantize);
      Parts.push_back(Linear);
      Types.push_back(Linear.getResult().getType());
      Quantized.push_back(bool(P.Quantize));
      // Weights have no operands, so they can always move up; never down,
      // where an earlier user would be left without.
      Operation *Weight = Linear.getWeight().getDefiningOp();
      if (First->isBeforeInBlock(Weight))
        Weight->moveBefore(First);
    }
    OpBuilder B(First);
    auto Fused =
        StackedLinearOp::create(B, fuseLocations(Parts), Types, X, Weights,
                                B.getDenseBoolArrayAttr(Quantized));
    takeTraceNames(Fused, Old);
    for (auto [From, To] : llvm::zip_equal(Old, Fused.getResults()))
      From.replaceAllUsesWith(To);
    for (Projection P : Group) {
      P.Linear.erase();
      if (P.Quantize)
        P.Quantize.erase();
    }
    ++numFused;
  }
};

} // namespace
} // namespace dsv4::graph
