// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pass lists of the phases, and the registration that they need.

#include "compiler/pipeline/Pipelines.h"
#include "compiler/conversion/Dsv4ToKern/Passes.h"
#include "dialects/dsv4/IR/Dsv4.h"
#include "dialects/dsv4/Transforms/Passes.h"
#include "dialects/dsv4/Transforms/Pipelines.h"
#include "dialects/kern/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "targets/cuda/lower/AssignPacking.h"
#include "targets/cuda/lower/Fuse.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

using namespace mlir;

namespace dsv4 {

void registerPipelineDialects(DialectRegistry &Registry) {
  Registry.insert<graph::Dsv4Dialect, kern::KernDialect, qfmt::QFmtDialect>();
}

void registerPipelinePasses() {
  static std::once_flag Once;
  std::call_once(Once, [] {
    graph::registerDsv4Passes();
    registerDsv4ToKernPasses();
    kern::registerKernPasses();
    cuda::registerAssignPackingPass();
  });
}

static std::string getLowering(const PipelineOptions &O) {
  std::string Text;
  llvm::raw_string_ostream(Text)
      << "lower-dsv4-to-kern{max-context=" << O.context
      << " max-sequences=" << O.sequences << " max-step-tokens=" << O.stepTokens
      << " max-outputs=" << O.outputs << "}";
  return Text;
}

std::string getPassPipeline(Phase Phase, const PipelineOptions &Options) {
  switch (Phase) {
  case Phase::Verify:
    return graph::VerifyPipeline;
  case Phase::Fuse:
    return graph::FusePipeline;
  case Phase::Lower:
    return getLowering(Options);
  case Phase::Configure:
    return Options.forCuda ? "kern.program(cuda-assign-packing)"
                           : "kern.program(kern-assign-packing)";
  case Phase::Plan:
    return Options.forCuda
               ? "kern.program(kern-plan-state,kern-plan-buffers{linger=" +
                     std::to_string(cuda::FusedPhases) + "})"
               : "kern.program(kern-plan-state,kern-plan-buffers)";
  case Phase::Schedule:
    return "kern.program(kern-schedule-phases,kern-check-schedule)";
  default:
    return "";
  }
}

LogicalResult populatePhase(OpPassManager &Manager, Phase Phase,
                            const PipelineOptions &Options) {
  registerPipelinePasses();
  std::string Text = getPassPipeline(Phase, Options);
  return Text.empty() ? success() : parsePassPipeline(Text, Manager);
}

} // namespace dsv4
