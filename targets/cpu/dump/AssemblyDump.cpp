// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's own pipeline, with an observer at its printer: of each instruction it
// sees the machine instruction (operands in memory, loops, scheduling classes)
// and the text that has just been printed.

#include "targets/cpu/dump/AssemblyDump.h"

#include "targets/cpu/CodegenDump.h"
#include "targets/cpu/dump/HotLoops.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/CodeGen/AsmPrinter.h"
#include "llvm/CodeGen/AsmPrinterHandler.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/Support/SaveAndRestore.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace dsv4::cpu {

namespace {

/// Collects what is printed. `Text` is where the printer writes to, unbuffered.
class Observer : public AsmPrinterHandler {
public:
  Observer(const SmallVectorImpl<char> &Text, StringRef Comment,
           HotLoops &Loops)
      : Text(Text), Comment(Comment), Loops(Loops) {}

  void beginFunction(const MachineFunction *) override { Printed.clear(); }
  void endFunction(const MachineFunction *MF) override {
    Loops.addFunction(*MF, std::move(Printed));
    Printed.clear();
  }
  void endModule() override {}

  void beginInstruction(const MachineInstr *MI) override {
    countLines(Text.size());
    Now.instruction = MI;
    Now.line = Lines + 1;
  }
  /// Positions and other notes print no instruction and are left out; of what
  /// prints several, the first stands for all.
  void endInstruction() override {
    StringRef Here = StringRef(Text.data(), Text.size()).drop_front(Counted);
    SmallVector<StringRef> Split;
    Here.split(Split, '\n');
    for (StringRef Line : Split) {
      Line = Line.split(Comment).first.trim();
      if (Line.empty() || Line.ends_with(":") || Line.starts_with("."))
        continue;
      Now.text = join(split(Line, '\t'), " ");
      Printed.push_back(Now);
      return;
    }
  }

private:
  void countLines(size_t End) {
    Lines += std::count(Text.begin() + Counted, Text.begin() + End, '\n');
    Counted = End;
  }

  const SmallVectorImpl<char> &Text;
  StringRef Comment;
  HotLoops &Loops;
  std::vector<PrintedInstruction> Printed; // of the function
  PrintedInstruction Now;
  size_t Counted = 0; // bytes of text
  int64_t Lines = 0;  // in them
};

/// Passes on what it gets, and notices the printer: LLVM does not hand it out.
class PrinterFinder : public legacy::PassManagerBase {
public:
  explicit PrinterFinder(legacy::PassManager &To) : To(To) {}
  void add(Pass *P) override {
    if (P->getPassName().ends_with("Assembly Printer"))
      Printer = static_cast<AsmPrinter *>(P);
    To.add(P);
  }
  AsmPrinter *Printer = nullptr;

private:
  legacy::PassManager &To;
};

} // namespace

static Error print(Module &Module, TargetMachine &Machine,
                   SmallVectorImpl<char> &Text, HotLoops &Loops) {
  raw_svector_ostream Out(Text);
  legacy::PassManager Passes;
  PrinterFinder Finder(Passes);
  SaveAndRestore Restore(Machine.Options.MCOptions);
  Machine.Options.MCOptions.AsmVerbose = true;
  if (Machine.addPassesToEmitFile(Finder, Out, nullptr,
                                  CodeGenFileType::AssemblyFile) ||
      !Finder.Printer)
    return createStringError("the target cannot print assembly");
  Finder.Printer->addAsmPrinterHandler(std::make_unique<Observer>(
      Text, Machine.getMCAsmInfo()->getCommentString(), Loops));
  Passes.run(Module);
  return Error::success();
}

Error dumpAssembly(const Module &Module, TargetMachine &Machine,
                   const CodegenDumps &Dumps) {
  // Code generation changes the module: print the text of a copy.
  std::unique_ptr<llvm::Module> Copy = CloneModule(Module);
  SmallVector<char, 0> Text;
  HotLoops Loops(Dumps.words);
  if (Error E = print(*Copy, Machine, Text, Loops))
    return E;
  if (Error E = dump(Dumps, "kernels.s", [&](raw_ostream &Out) {
        Out << StringRef(Text.data(), Text.size());
      }))
    return E;
  return dump(Dumps, "hot-loops.txt",
              [&](raw_ostream &Out) { Loops.print(Out); });
}

} // namespace dsv4::cpu
