// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Optimisation of LLVM IR and object files.

#include "targets/cpu/CpuCodegen.h"
#include "targets/cpu/CodegenDump.h"
#include "targets/cpu/dump/AssemblyDump.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

#include <mutex>

namespace dsv4::cpu {

llvm::Error dump(const CodegenDumps &Dumps, llvm::StringRef Name,
                 llvm::function_ref<void(llvm::raw_ostream &)> Write) {
  if (Dumps.folder.empty())
    return llvm::Error::success();
  if (std::error_code E = llvm::sys::fs::create_directories(Dumps.folder))
    return llvm::createStringError(E, "cannot make folder " + Dumps.folder);
  llvm::SmallString<128> Path(Dumps.folder);
  llvm::sys::path::append(Path, Name);
  std::error_code E;
  llvm::raw_fd_ostream Out(Path, E);
  if (E)
    return llvm::createStringError(E, "cannot write " + Path);
  Write(Out);
  return llvm::Error::success();
}

static void initialiseTargets() {
  static std::once_flag Once;
  std::call_once(Once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
  });
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
makeMachine(const TargetDesc &Target) {
  initialiseTargets();
  llvm::Triple Triple(Target.triple);
  std::string Why;
  const llvm::Target *Found = llvm::TargetRegistry::lookupTarget(Triple, Why);
  if (!Found)
    return llvm::createStringError("no code generator for " + Target.triple +
                                   ": " + Why);
  llvm::TargetOptions Options;
  // A multiply and an add stay two roundings.
  Options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(Found->createTargetMachine(
      Triple, Target.cpu, Target.features, Options, llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Default));
}

static void optimise(llvm::Module &Module, llvm::TargetMachine &Machine) {
  llvm::PipelineTuningOptions Tuning;
  // The kernels are vectors already.
  Tuning.LoopVectorization = false;
  Tuning.SLPVectorization = false;
  llvm::PassBuilder Builder(&Machine, Tuning);
  llvm::LoopAnalysisManager Loops;
  llvm::FunctionAnalysisManager Functions;
  llvm::CGSCCAnalysisManager Components;
  llvm::ModuleAnalysisManager Modules;
  Builder.registerModuleAnalyses(Modules);
  Builder.registerCGSCCAnalyses(Components);
  Builder.registerFunctionAnalyses(Functions);
  Builder.registerLoopAnalyses(Loops);
  Builder.crossRegisterProxies(Loops, Functions, Components, Modules);
  Builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(Module, Modules);
}

static llvm::Error emit(llvm::Module &Module, llvm::TargetMachine &Machine,
                        llvm::CodeGenFileType Kind,
                        llvm::SmallVectorImpl<char> &Bytes) {
  llvm::raw_svector_ostream Out(Bytes);
  llvm::legacy::PassManager Passes;
  if (Machine.addPassesToEmitFile(Passes, Out, nullptr, Kind))
    return llvm::createStringError("the target cannot emit this kind of file");
  Passes.run(Module);
  return llvm::Error::success();
}

llvm::Error setTarget(llvm::Module &Module, const TargetDesc &Target) {
  auto Machine = makeMachine(Target);
  if (!Machine)
    return Machine.takeError();
  Module.setTargetTriple(llvm::Triple(Target.triple));
  Module.setDataLayout((*Machine)->createDataLayout());
  return llvm::Error::success();
}

llvm::Expected<std::string> emitObject(llvm::Module &Module,
                                       const TargetDesc &Target,
                                       const CodegenDumps &Dumps) {
  auto Machine = makeMachine(Target);
  if (!Machine)
    return Machine.takeError();
  Module.setTargetTriple(llvm::Triple(Target.triple));
  Module.setDataLayout((*Machine)->createDataLayout());
  std::string Why;
  llvm::raw_string_ostream WhyOut(Why);
  if (llvm::verifyModule(Module, &WhyOut))
    return llvm::createStringError("generated LLVM IR is not valid: " + Why);
  optimise(Module, **Machine);
  llvm::Error Failed =
      dump(Dumps, "kernels.opt.ll",
           [&](llvm::raw_ostream &Out) { Module.print(Out, nullptr); });
  if (Failed)
    return std::move(Failed);
  if (!Dumps.folder.empty())
    if (llvm::Error E = dumpAssembly(Module, **Machine, Dumps))
      return std::move(E);
  llvm::SmallVector<char, 0> Bytes;
  if (llvm::Error E =
          emit(Module, **Machine, llvm::CodeGenFileType::ObjectFile, Bytes))
    return std::move(E);
  return std::string(Bytes.data(), Bytes.size());
}

} // namespace dsv4::cpu
