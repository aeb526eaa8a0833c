// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-fuse-moe: see Passes.td.

#include "dialects/dsv4/Transforms/Fusion.h"
#include "dialects/dsv4/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_FUSEMOEPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

/// An expert's three products, matched from the last one back. LinearT is
/// expert_linear or linear.
template <class LinearT> struct Expert {
  LinearT W1, W3, W2;
  SwigluOp Swiglu;
  SmallVector<Operation *> Parts; // users before producers

  static std::optional<Expert> of(Value Y) {
    Expert E;
    E.W2 = soleProducer<LinearT>(Y);
    auto Q2 = E.W2 ? soleProducer<QuantizeOp>(E.W2.getX()) : QuantizeOp();
    E.Swiglu = Q2 ? soleProducer<SwigluOp>(Q2.getX()) : SwigluOp();
    if (!E.Swiglu)
      return std::nullopt;
    E.W1 = soleProducer<LinearT>(E.Swiglu.getGate());
    E.W3 = soleProducer<LinearT>(E.Swiglu.getUp());
    auto Q1 = E.W1 ? soleProducer<QuantizeOp>(E.W1.getX()) : QuantizeOp();
    auto Q3 = E.W3 ? soleProducer<QuantizeOp>(E.W3.getX()) : QuantizeOp();
    if (!Q1 || !Q3 || Q1.getX() != Q3.getX())
      return std::nullopt;
    E.Parts = {E.W2, Q2, E.Swiglu, E.W1, E.W3, Q1, Q3};
    return E;
  }

  Value input() {
    return W1.getX().template getDefiningOp<QuantizeOp>().getX();
  }
};

struct FuseMoePass : impl::FuseMoePassBase<FuseMoePass> {
  void runOnOperation() override {
    for (auto Add : llvm::to_vector(getOperation().getOps<AddSharedOp>()))
      fuse(Add);
  }

  void fuse(AddSharedOp Add) {
    auto Sum = soleProducer<ExpertSumOp>(Add.getRouted());
    auto Routed = Sum ? Expert<ExpertLinearOp>::of(Sum.getY()) : std::nullopt;
    auto Shared = Expert<LinearOp>::of(Add.getShared());
    if (!Routed || !Shared || Routed->input() != Shared->input() ||
        Routed->Swiglu.getLimit() != Shared->Swiglu.getLimit())
      return;
    Operation *Route = Sum.getIds().getDefiningOp();
    if (!Route || !isa<RouteTopKOp, RouteHashOp>(Route) ||
        Routed->Swiglu.getWeights() != Route->getResult(1))
      return;
    auto Scores = soleProducer<RouterScoresOp>(Route->getOperand(0));
    auto Gate =
        Scores ? soleProducer<LinearOp>(Scores.getLogits()) : LinearOp();
    // ids: three expert_linear and the sum; weights: swiglu.
    if (!Gate || Gate.getX() != Routed->input() ||
        !llvm::hasNItems(Route->getResult(0).getUsers(), 4) ||
        !Route->getResult(1).hasOneUse())
      return;
    replace(Add, Sum, *Routed, *Shared, Route, Scores, Gate);
  }

  void replace(AddSharedOp Add, ExpertSumOp Sum, Expert<ExpertLinearOp> &Routed,
               Expert<LinearOp> &Shared, Operation *Route,
               RouterScoresOp Scores, LinearOp Gate) {
    auto Hash = dyn_cast<RouteHashOp>(Route);
    OpBuilder B(Add);
    Value Tokens = Hash ? Value(Hash.getTokens())
                        : Value(getOperation().getBody().getArgument(0));
    Value Table = Hash ? Value(Hash.getTable())
                       : Value(cast<RouteTopKOp>(Route).getBias());
    SmallVector<Operation *> Dead = {Add, Sum};
    Dead.append(Routed.Parts);
    Dead.append(Shared.Parts);
    Dead.append({Route, Scores.getOperation(), Gate.getOperation()});
    auto Parts = llvm::to_vector(llvm::reverse(Dead));
    auto Fused = MoeOp::create(
        B, fuseLocations(Parts), Add.getResult().getType(), Gate.getX(), Tokens,
        Gate.getWeight(), Table, Routed.W1.getWeight(), Routed.W3.getWeight(),
        Routed.W2.getWeight(), Shared.W1.getWeight(), Shared.W3.getWeight(),
        Shared.W2.getWeight(),
        B.getI64IntegerAttr(
            cast<RankedTensorType>(Sum.getIds().getType()).getDimSize(1)),
        Route->getAttrOfType<FloatAttr>("scale"), Routed.Swiglu.getLimitAttr());
    takeTraceNames(Fused, {Add.getResult()});
    Add.getResult().replaceAllUsesWith(Fused.getResult());
    for (Operation *Op : Dead)
      Op->erase();
    ++numFused;
  }
};

} // namespace
} // namespace dsv4::graph
