// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collecting and printing the plan of a program.

#include "compiler/pipeline/PlanReport.h"

#include "compiler/import/Checkpoint.h"
#include "llvm/Support/Format.h"

using namespace mlir;

namespace dsv4 {

static void add(std::vector<PlanReport::Class> &Classes, StringRef Name,
                int64_t Bytes) {
  auto It = llvm::find_if(
      Classes, [&](const PlanReport::Class &C) { return C.name == Name; });
  if (It == Classes.end())
    It = Classes.insert(It, {Name.str(), 0, 0});
  It->bytes += Bytes;
  ++It->count;
}

static void addState(PlanReport &Report, kern::ProgramOp Program,
                     int64_t Blocks) {
  // In the order of the layout, not of first use.
  for (int Kind = 0; Kind < 4; ++Kind)
    for (kern::StateOp State : Program.getOps<kern::StateOp>())
      if (int(State.getHandle().getType().getKind()) == Kind)
        add(Report.state, stringifyStateKind(kern::StateKind(Kind)),
            State.getBytes()->getValue().at(Blocks));
  kern::Affine All = Program.getStateBytes()->getValue();
  Report.stateBytes = All.at(Blocks);
  Report.stateFixedBytes = All.fixed;
  Report.stateBytesPerToken = double(All.perBlock) / kern::ContextBlock;
}

FailureOr<PlanReport> makePlanReport(kern::ProgramOp Program, int64_t Context,
                                     int64_t Sequences, int64_t Workers) {
  if (!Program.getStateBytes() || !Program.getBufferBytes() ||
      !Program.getScratchBytes() || !Program.getWeightBytes())
    return Program.emitOpError("is not planned: run the phases up to schedule");
  int64_t Max = Program.getMaxContext();
  if (Context > Max)
    return Program.emitOpError("expected a context of at most ")
           << Max << " tokens, got " << Context;
  int64_t Blocks =
      kern::ceilDiv(Context > 0 ? Context : Max, kern::ContextBlock);
  PlanReport Report;
  Report.context = Blocks * kern::ContextBlock;
  Report.sequences = Sequences;
  Report.stepTokens = Program.getMaxStepTokens();
  Report.outputs = Program.getMaxOutputs();
  Report.workers = Workers;
  Report.phases = Program.getNumPhases().value_or(0);
  for (kern::WeightOp Weight : Program.getOps<kern::WeightOp>())
    add(Report.weights, tensorClass(Weight.getTensor()), *Weight.getBytes());
  Report.weightBytes = *Program.getWeightBytes();
  addState(Report, Program, Blocks);
  for (kern::BufferOp Buffer : Program.getOps<kern::BufferOp>()) {
    Report.bufferSumBytes += Buffer.getBytes()->getValue().at(Blocks);
    ++Report.buffers;
  }
  Report.bufferBytes = Program.getBufferBytes()->getValue().at(Blocks);
  Report.scratchBytes = Program.getScratchBytes()->getValue().at(Blocks);
  return Report;
}

int64_t PlanReport::getTotalBytes() const {
  return weightBytes + stateBytes * sequences + bufferBytes +
         scratchBytes * workers;
}

static void printLine(llvm::raw_ostream &Out, StringRef Name, int64_t Bytes) {
  Out << "  " << llvm::left_justify(Name, 26)
      << llvm::format("%16lld B %11.2f MiB", (long long)Bytes,
                      double(Bytes) / (1 << 20))
      << "\n";
}

static void printClasses(llvm::raw_ostream &Out,
                         ArrayRef<PlanReport::Class> Classes) {
  for (const PlanReport::Class &C : Classes)
    printLine(Out, C.name + " (" + std::to_string(C.count) + ")", C.bytes);
}

void PlanReport::print(llvm::raw_ostream &Out) const {
  Out << "plan for a context of " << context << " tokens, " << sequences
      << " sequence(s), steps of " << stepTokens << " tokens, " << outputs
      << " logits rows, " << workers << " worker(s), " << phases << " phases\n";
  Out << "weights (packed, mapped)\n";
  printClasses(Out, weights);
  printLine(Out, "all weights", weightBytes);
  Out << "state of one sequence\n";
  printClasses(Out, state);
  printLine(Out, "one sequence", stateBytes);
  Out << "  growing bytes per token   "
      << llvm::format("%16.2f B", stateBytesPerToken) << "\n";
  Out << "memory\n";
  printLine(Out, "state of all sequences", stateBytes * sequences);
  printLine(Out, "step buffers, peak", bufferBytes);
  printLine(Out, "(unshared: " + std::to_string(buffers) + ")", bufferSumBytes);
  printLine(Out, "scratch of one worker", scratchBytes);
  printLine(Out, "scratch of all workers", scratchBytes * workers);
  printLine(Out, "total with weights", getTotalBytes());
}

static llvm::json::Object toObject(ArrayRef<PlanReport::Class> Classes) {
  llvm::json::Object Object;
  for (const PlanReport::Class &C : Classes)
    Object[C.name] = llvm::json::Object{{"bytes", C.bytes}, {"count", C.count}};
  return Object;
}

llvm::json::Value PlanReport::toJson() const {
  return llvm::json::Object{
      {"context", context},
      {"sequences", sequences},
      {"step_tokens", stepTokens},
      {"outputs", outputs},
      {"workers", workers},
      {"phases", phases},
      {"weights", toObject(weights)},
      {"weight_bytes", weightBytes},
      {"state", toObject(state)},
      {"state_bytes_per_sequence", stateBytes},
      {"state_fixed_bytes", stateFixedBytes},
      {"state_bytes_per_token", stateBytesPerToken},
      {"buffer_bytes", bufferBytes},
      {"buffer_bytes_unshared", bufferSumBytes},
      {"scratch_bytes_per_worker", scratchBytes},
      {"total_bytes", getTotalBytes()},
  };
}

} // namespace dsv4
