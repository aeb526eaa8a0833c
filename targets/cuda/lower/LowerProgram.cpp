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
  b.beginPhase(phase);
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

/// Rows of the largest step that each graph takes, ascending. A step runs the
/// tiles, grids and turns of the smallest graph that takes it, so sizes are a
/// factor of four apart, the largest at least two from the one before.
static std::vector<int64_t> graphTokens(kern::ProgramOp program) {
  int64_t most = program.getMaxStepTokens();
  std::vector<int64_t> tokens;
  if (most > 1)
    tokens.push_back(1);
  for (int64_t one = ProgramBuilder::DecodeTokens;
       one < most && tokens.size() + 1 < DSV4_CUDA_MAX_GRAPHS; one *= 4)
    if (one == ProgramBuilder::DecodeTokens || one * 2 <= most)
      tokens.push_back(one);
  tokens.push_back(most);
  return tokens;
}

static llvm::Expected<CudaProgram> lowerGraphs(kern::ProgramOp program,
                                               const CudaTarget &target,
                                               const LowerOptions &options,
                                               const Placement &placement) {
  ProgramBuilder b(program, target, options, placement);
  for (int64_t tokens : graphTokens(program)) {
    int64_t outputs = std::min<int64_t>(tokens, program.getMaxOutputs());
    std::string kind =
        tokens <= ProgramBuilder::DecodeTokens ? "decode " : "prefill ";
    b.beginGraph(kind + std::to_string(tokens), tokens, outputs);
    for (auto phase : program.getBody().getOps<kern::KernPhaseOpInterface>())
      lowerPhase(b, phase);
    b.endGraph();
  }
  return b.finish();
}

/// What the runtime takes on the GPU beside weights, at the largest context
/// (runtime/device/device_plan.h).
static int64_t bytesBesideWeights(kern::ProgramOp program,
                                  const CudaProgram &lowered) {
  int64_t blocks =
      kern::ceilDiv(int64_t(program.getMaxContext()), kern::ContextBlock);
  int64_t all = 0;
  for (const PartSpec &part : lowered.parts) {
    if (part.tier != DSV4_CUDA_DEVICE || part.kind == DSV4_CUDA_WEIGHTS)
      continue;
    int64_t bytes = kern::roundUp(part.bytes.at(blocks), DSV4_CUDA_PART_ALIGN);
    all +=
        bytes *
        (part.kind == DSV4_CUDA_STATE ? int64_t(program.getMaxSequences()) : 1);
  }
  return all;
}

static long long mib(int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

/// Makes `placement` fit the GPU.
static llvm::Error placeWeights(kern::ProgramOp program,
                                const CudaProgram &lowered,
                                const LowerOptions &options,
                                Placement &placement) {
  int64_t beside = bytesBesideWeights(program, lowered);
  int64_t left = options.deviceMemory - options.driverBytes - beside;
  left -= left % DSV4_CUDA_PART_ALIGN; // what a part takes
  llvm::Error error = placement.fit({left, options.hostMemory}, options.usage);
  if (!error)
    return error;
  return llvm::createStringError(
      "a GPU with %lld MiB free: %s; the driver takes %lld MiB, state of %lld "
      "sequences of %lld tokens, buffers and workspace %lld MiB; use a smaller "
      "--context, --sequences or --step-tokens",
      (long long)(options.deviceMemory >> 20),
      llvm::toString(std::move(error)).c_str(), mib(options.driverBytes),
      (long long)program.getMaxSequences(), (long long)program.getMaxContext(),
      mib(beside));
}

llvm::Expected<CudaProgram> lowerProgram(kern::ProgramOp program,
                                         const CudaTarget &target,
                                         const LowerOptions &options) {
  if (!program.getWeightBytes() || !program.getBufferBytes() ||
      !program.getStateBytes() || !program.getReturn())
    return llvm::createStringError(
        "the program is not planned (kern-assign-packing, kern-plan-state, "
        "kern-plan-buffers)");
  Placement placement(program);
  auto lower = [&] {
    auto lowered = lowerGraphs(program, target, options, placement);
    if (lowered && options.fuse) {
      FuseOptions fuse;
      fuse.tails = options.tails;
      fuse.sharedPerBlock = target.sharedPerBlock;
      fuse.sharedPerSm = target.sharedPerSm;
      fuse.reservedShared = target.reservedShared;
      fuseLaunches(*lowered, fuse);
    }
    return lowered;
  };
  auto lowered = lower();
  if (lowered && options.deviceMemory) {
    if (llvm::Error error = placeWeights(program, *lowered, options, placement))
      return std::move(error);
    if (!placement.isWhole())
      lowered = lower(); // again, with other addresses
  }
  return lowered;
}

} // namespace dsv4::cuda
