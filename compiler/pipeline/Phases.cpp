// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The list of phases, and running, dumping and reading back those on IR.

#include "compiler/pipeline/Phases.h"
#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

using namespace mlir;

namespace dsv4 {

static const PhaseInfo Phases[] = {
    {Phase::Import, "import",
     "every tensor of the checkpoint is named once, with shape and format"},
    {Phase::Verify, "verify", "the whole-model contract holds"},
    {Phase::Fuse, "fuse", "only ops of the fused subset remain"},
    {Phase::Lower, "lower",
     "one kern.program; every phase names the op it came from"},
    {Phase::Configure, "configure",
     "every weight has one packed layout and its place"},
    {Phase::Plan, "plan",
     "every state and buffer has size and offset; the peak is on the program"},
    {Phase::Schedule, "schedule",
     "phases are numbered with item rules, and proven free of races"},
    {Phase::Codegen, "codegen", "one object file for the target"},
    {Phase::Link, "link", "one executable with its packed weights"},
};

ArrayRef<PhaseInfo> getPhases() { return Phases; }

StringRef getPhaseName(Phase Phase) { return Phases[int(Phase)].name; }

std::optional<Phase> findPhase(StringRef Name) {
  for (const PhaseInfo &Info : Phases)
    if (Info.name == Name)
      return Info.phase;
  return std::nullopt;
}

LogicalResult dumpPhase(ModuleOp Module, Phase Phase, StringRef Folder) {
  SmallString<128> File(Folder);
  std::string Name;
  llvm::raw_string_ostream(Name) << llvm::format("%02d-", int(Phase) + 1)
                                 << getPhaseName(Phase) << ".mlir";
  llvm::sys::path::append(File, Name);
  std::error_code Error = llvm::sys::fs::create_directories(Folder);
  std::string Temporary = (File + ".part").str();
  if (!Error) {
    llvm::raw_fd_ostream Out(Temporary, Error);
    if (!Error) {
      Module.print(Out, OpPrintingFlags().useLocalScope());
      Out.close();
      Error = Out.error();
      Out.clear_error();
    }
  }
  if (!Error)
    Error = llvm::sys::fs::rename(Temporary, File);
  if (!Error)
    return success();
  llvm::sys::fs::remove(Temporary);
  return emitError(UnknownLoc::get(Module.getContext()))
         << "cannot write " << File << ": " << Error.message();
}

OwningOpRef<ModuleOp> readDump(MLIRContext &Context, StringRef File) {
  return parseSourceFile<ModuleOp>(File, &Context);
}

static LogicalResult runPhase(ModuleOp Module, Phase Phase,
                              const RunOptions &Options) {
  PassManager Manager(Module.getContext(), ModuleOp::getOperationName());
  Manager.enableVerifier(Options.verifyEach);
  if (failed(populatePhase(Manager, Phase, Options.pipeline)))
    return emitError(UnknownLoc::get(Module.getContext()))
           << "no passes for phase " << getPhaseName(Phase);
  return Manager.run(Module);
}

LogicalResult runPhases(ModuleOp Module, const RunOptions &Options) {
  for (const PhaseInfo &Info : Phases) {
    if (Info.phase < Options.from || Info.phase > Options.to ||
        Info.phase == Phase::Import || Info.phase > Phase::Schedule)
      continue;
    if (Options.beforePhase && !Options.beforePhase(Info.phase))
      return failure();
    auto Start = std::chrono::steady_clock::now();
    if (failed(runPhase(Module, Info.phase, Options)))
      return failure();
    if (!Options.dumpFolder.empty() &&
        failed(dumpPhase(Module, Info.phase, Options.dumpFolder)))
      return failure();
    std::chrono::duration<double> Seconds =
        std::chrono::steady_clock::now() - Start;
    if (Options.onPhase)
      Options.onPhase(Info.phase, Seconds.count());
  }
  return success();
}

} // namespace dsv4
