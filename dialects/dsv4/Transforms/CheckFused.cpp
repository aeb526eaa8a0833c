// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-check-fused: see Passes.td.

#include "dialects/dsv4/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_CHECKFUSEDPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

struct CheckFusedPass : impl::CheckFusedPassBase<CheckFusedPass> {
  void runOnOperation() override {
    for (Operation &Op : getOperation().getBody().front())
      if (!isa<WeightOp, StateOp, EmbedOp, ExpandStreamsOp, RmsNormOp,
               QuantizeOp, LinearOp, GroupedLinearOp, CompressOp, HcEntryOp,
               HcBoundaryOp, HcExitOp, StackedLinearOp, QueryHeadsOp, StoreKvOp,
               IndexQueryOp, IndexSelectOp, AttentionOp, MoeOp, ReturnOp>(Op)) {
        Op.emitOpError("is outside the fused subset: expected a fusion pass to "
                       "have taken it up");
        return signalPassFailure();
      }
  }
};

} // namespace
} // namespace dsv4::graph
