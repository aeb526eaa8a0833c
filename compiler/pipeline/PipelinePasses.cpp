// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration of phase pipelines and of print-plan.

#include "compiler/pipeline/PipelinePasses.h"
#include "compiler/pipeline/Phases.h"
#include "compiler/pipeline/PlanReport.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/ErrorHandling.h"

using namespace mlir;

namespace dsv4 {
namespace {

struct PhasePipelineOptions : PassPipelineOptions<PhasePipelineOptions> {
  Option<int64_t> context{*this, "context", llvm::cl::init(0)};
  Option<int64_t> sequences{*this, "sequences", llvm::cl::init(1)};
  Option<int64_t> stepTokens{*this, "step-tokens", llvm::cl::init(512)};
  Option<int64_t> outputs{*this, "outputs", llvm::cl::init(0)};
};

struct PrintPlanPass
    : PassWrapper<PrintPlanPass, OperationPass<kern::ProgramOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PrintPlanPass)

  PrintPlanPass() = default;
  PrintPlanPass(const PrintPlanPass &Other) : PassWrapper(Other) {}

  StringRef getArgument() const override { return "print-plan"; }
  StringRef getDescription() const override {
    return "print the memory plan of a scheduled program";
  }

  void runOnOperation() override {
    FailureOr<PlanReport> Report =
        makePlanReport(getOperation(), Context, Sequences, Workers);
    if (failed(Report))
      return signalPassFailure();
    if (Json)
      llvm::outs() << llvm::formatv("{0:2}", Report->toJson()) << "\n";
    else
      Report->print(llvm::outs());
    markAllAnalysesPreserved();
  }

  Option<int64_t> Context{*this, "context", llvm::cl::init(0),
                          llvm::cl::desc("tokens; 0: the compiled maximum")};
  Option<int64_t> Sequences{*this, "sequences", llvm::cl::init(1),
                            llvm::cl::desc("sequences held at once")};
  Option<int64_t> Workers{*this, "workers", llvm::cl::init(1),
                          llvm::cl::desc("threads of the executable")};
  Option<bool> Json{*this, "json", llvm::cl::init(false),
                    llvm::cl::desc("print one JSON object")};
};

} // namespace

void registerPhasePipelines() {
  registerPipelinePasses();
  PassRegistration<PrintPlanPass>();
  for (const PhaseInfo &Info : getPhases()) {
    Phase Phase = Info.phase;
    if (getPassPipeline(Phase, {}).empty())
      continue;
    std::string Name = "dsv4-phase-" + Info.name.str();
    auto Build = [Phase](OpPassManager &Manager,
                         const PhasePipelineOptions &O) {
      if (failed(
              populatePhase(Manager, Phase,
                            {O.context, O.sequences, O.stepTokens, O.outputs})))
        llvm::report_fatal_error("a phase names a pass that is not there");
    };
    // The registry keeps the text, so the registration may go.
    PassPipelineRegistration<PhasePipelineOptions>(Name, Info.sentence, Build);
  }
}

} // namespace dsv4
