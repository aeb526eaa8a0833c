// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// lower-dsv4-to-kern: the entry pass. Makes the program from the model's
// configuration and options, and lets Lowering fill it.

#include "compiler/conversion/Dsv4ToKern/Lowering.h"
#include "compiler/conversion/Dsv4ToKern/Passes.h"

using namespace mlir;

namespace dsv4 {

#define GEN_PASS_DEF_LOWERDSV4TOKERNPASS
#include "compiler/conversion/Dsv4ToKern/Passes.h.inc"

namespace {

struct LowerDsv4ToKernPass
    : impl::LowerDsv4ToKernPassBase<LowerDsv4ToKernPass> {
  using Base::Base;

  void runOnOperation() override {
    auto Models = llvm::to_vector(getOperation().getOps<graph::ModelOp>());
    if (Models.size() != 1) {
      getOperation().emitError("expected one dsv4.model, got ")
          << Models.size();
      return signalPassFailure();
    }
    FailureOr<kern::ProgramOp> Program = makeProgram(Models[0]);
    if (failed(Program) || failed(Lowering(Models[0], *Program).run()))
      return signalPassFailure();
    for (auto Phase : Program->getOps<kern::KernPhaseOpInterface>()) {
      (void)Phase;
      ++numPhases;
    }
    Models[0].erase();
  }

  /// Tokens of context, from the option or the model's own maximum.
  FailureOr<int64_t> getContextTokens(graph::ModelOp Model) {
    int64_t Tokens = maxContext;
    if (Tokens == 0)
      if (auto Own =
              Model.getConfig().getAs<IntegerAttr>("max_position_embeddings"))
        Tokens = Own.getInt();
    if (Tokens <= 0)
      return Model.emitOpError("expected a positive context, got ") << Tokens;
    return kern::roundUp(Tokens, kern::ContextBlock);
  }

  /// Experts per token, the same in every layer.
  FailureOr<int64_t> getExpertsPerToken(graph::ModelOp Model) {
    int64_t Common = 0;
    for (auto Moe : Model.getOps<graph::MoeOp>()) {
      if (Common && Common != int64_t(Moe.getK()))
        return Moe.emitOpError("expected ")
               << Common << " experts per token as before, got " << Moe.getK();
      Common = Moe.getK();
    }
    return Common ? Common : 1;
  }

  FailureOr<kern::ProgramOp> makeProgram(graph::ModelOp Model) {
    FailureOr<int64_t> Context = getContextTokens(Model);
    FailureOr<int64_t> Experts = getExpertsPerToken(Model);
    if (failed(Context) || failed(Experts))
      return failure();
    OpBuilder B(Model);
    OperationState State(Model.getLoc(), kern::ProgramOp::getOperationName());
    auto Add = [&](StringRef Name, int64_t Value) {
      State.addAttribute(Name, B.getI64IntegerAttr(Value));
    };
    State.addAttribute("sym_name", Model.getSymNameAttr());
    Add("max_context", *Context);
    Add("max_sequences", maxSequences);
    Add("max_step_tokens", maxStepTokens);
    // Logits are the largest rows there are, and few of a prefill are wanted.
    int64_t Outputs = std::min<int64_t>(maxStepTokens, 128);
    Add("max_outputs", maxOutputs ? maxOutputs : Outputs);
    Add("experts_per_token", *Experts);
    State.addAttribute("model_config", Model.getConfigAttr());
    State.addAttribute("model_identity", Model.getIdentityAttr());
    State.addRegion()->emplaceBlock();
    return cast<kern::ProgramOp>(B.create(State));
  }
};

} // namespace
} // namespace dsv4
