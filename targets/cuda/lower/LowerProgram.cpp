// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks the phases once per graph. Graphs differ in the rows that they take,
// and with them in configs and grids, never in the order of a sum.

#include "targets/cuda/lower/LowerProgram.h"
#include "targets/cuda/lower/Fuse.h"

#include "targets/cuda/lower/Phases.h"

#include "llvm/ADT/TypeSwitch.h"

namespace dsv4::cuda {

static void lowerPhase(ProgramBuilder &b, kern::KernPhaseOpInterface phase) {
  b.beginPhase(phase.getPhaseName());
  llvm::TypeSwitch<mlir::Operation *>(phase)
      .Case<kern::EmbedOp, kern::NormQuantOp, kern::QuantizeOp, kern::HcMixOp,
            kern::HcPreOp, kern::HcHeadOp, kern::RouteOp, kern::DispatchOp,
            kern::SwigluOp, kern::CombineOp, kern::LinearOp,
            kern::ExpertLinearOp, kern::RopeTableOp, kern::QueryHeadsOp,
            kern::IndexQueryOp, kern::StoreKvOp, kern::CompressOp,
            kern::CarryOp, kern::IndexScoreOp, kern::TopKOp, kern::AttendOp>(
          [&](auto op) { lower(b, op); })
      .Default([&](mlir::Operation *op) {
        b.fail("kern." + op->getName().stripDialect() +
               " has no lowering for CUDA");
      });
}

/// Rows of the largest step that each graph takes, ascending.
static std::vector<int64_t> graphTokens(kern::ProgramOp program) {
  int64_t most = program.getMaxStepTokens();
  std::vector<int64_t> tokens;
  for (int64_t one : {int64_t(1), ProgramBuilder::DecodeTokens})
    if (one < most)
      tokens.push_back(one);
  tokens.push_back(most);
  return tokens;
}

llvm::Expected<CudaProgram> lowerProgram(kern::ProgramOp program,
                                         const CudaTarget &target,
                                         const LowerOptions &options) {
  if (!program.getWeightBytes() || !program.getBufferBytes() ||
      !program.getStateBytes() || !program.getReturn())
    return llvm::createStringError(
        "the program is not planned (kern-assign-packing, kern-plan-state, "
        "kern-plan-buffers)");
  ProgramBuilder b(program, target, options);
  for (int64_t tokens : graphTokens(program)) {
    int64_t outputs = std::min<int64_t>(tokens, program.getMaxOutputs());
    std::string kind =
        tokens <= ProgramBuilder::DecodeTokens ? "decode " : "prefill ";
    b.beginGraph(kind + std::to_string(tokens), tokens, outputs);
    for (auto phase : program.getBody().getOps<kern::KernPhaseOpInterface>())
      lowerPhase(b, phase);
    b.endGraph();
  }
  llvm::Expected<CudaProgram> lowered = b.finish();
  if (lowered && options.fuse)
    fuseLaunches(*lowered);
  return lowered;
}

} // namespace dsv4::cuda
