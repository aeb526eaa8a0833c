// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See HotLoops.h.

#include "targets/cpu/dump/HotLoops.h"

#include "targets/cpu/dump/KernelWords.h"
#include "targets/cpu/dump/LoopBudget.h"

#include "llvm/CodeGen/MachineDominators.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineLoopInfo.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace dsv4::cpu {

/// Names of helpers that LLVM has inlined into a piece of `Function`.
static std::string inlinedText(const LoopBudget &Budget, StringRef Function) {
  std::string Out;
  for (const std::string &Name : Budget.functions())
    if (Name != Function && !Name.empty())
      Out += "    inlined: " + Name + " (" + helperWords(Name) + ")\n";
  return Out;
}

/// Instructions with their classes, and the sums.
static std::string pieceText(ArrayRef<const PrintedInstruction *> Piece,
                             StringRef Function) {
  std::string Text;
  raw_string_ostream Out(Text);
  LoopBudget Budget;
  for (const PrintedInstruction *I : Piece)
    Budget.add(*I->instruction);
  Out << inlinedText(Budget, Function);
  Budget.print(Out, "    ");
  for (const PrintedInstruction *I : Piece)
    Out << formatv("      {0,-36} {1}\n", describe(*I->instruction), I->text);
  return Text;
}

using Pieces = std::vector<
    std::pair<const MachineLoop *, SmallVector<const PrintedInstruction *>>>;

/// Instructions of each innermost loop, in the order of the assembly.
static Pieces innermostLoops(ArrayRef<PrintedInstruction> Instructions,
                             const MachineLoopInfo &Loops) {
  Pieces Out;
  DenseMap<const MachineLoop *, size_t> Index;
  for (const PrintedInstruction &I : Instructions) {
    const MachineLoop *Loop = Loops.getLoopFor(I.instruction->getParent());
    if (!Loop || !Loop->isInnermost())
      continue;
    auto [At, IsNew] = Index.try_emplace(Loop, Out.size());
    if (IsNew)
      Out.push_back({Loop, {}});
    Out[At->second].second.push_back(&I);
  }
  return Out;
}

static std::string loopsText(const Pieces &Loops, StringRef Function) {
  std::string Text;
  raw_string_ostream Out(Text);
  int64_t Number = 0;
  for (const auto &[Loop, Piece] : Loops) {
    Out << formatv("  loop {0} of {1}: depth {2}, {3} blocks, kernels.s:{4}\n",
                   ++Number, Loops.size(), Loop->getLoopDepth(),
                   Loop->getNumBlocks(), Piece.front()->line);
    Out << pieceText(Piece, Function);
  }
  return Text;
}

static std::string calleeOf(const MachineInstr &MI) {
  for (const MachineOperand &Operand : MI.operands())
    if (Operand.isGlobal())
      return Operand.getGlobal()->getName().str();
  return "";
}

void HotLoops::addFunction(const MachineFunction &MF,
                           std::vector<PrintedInstruction> Instructions) {
  if (Instructions.empty())
    return;
  // Only analysed: the trees take a function that they could change.
  MachineDominatorTree Dominators(const_cast<MachineFunction &>(MF));
  MachineLoopInfo Loops(Dominators);
  Function &F = Functions.emplace_back();
  F.name = MF.getName().str();
  F.heading = headingOf(F.name);
  Target = MF.getFunction().getFnAttribute("tune-cpu").getValueAsString();
  for (const PrintedInstruction &I : Instructions)
    if (I.instruction->isCall())
      (Loops.getLoopFor(I.instruction->getParent()) ? F.callsInLoops : F.calls)
          .insert(calleeOf(*I.instruction));
  Pieces Found = innermostLoops(Instructions, Loops);
  F.loops = loopsText(Found, F.name);
  if (!Found.empty())
    return;
  SmallVector<const PrintedInstruction *> All;
  for (const PrintedInstruction &I : Instructions)
    All.push_back(&I);
  F.straight = "  no loop, called in one: kernels.s:" +
               std::to_string(All.front()->line) + "\n" +
               pieceText(All, F.name);
}

std::string HotLoops::headingOf(StringRef Name) const {
  auto Found = Words.find(Name.str());
  return (Name + ": " +
          (Found == Words.end() ? helperWords(Name) : Found->second))
      .str();
}

std::set<std::string> HotLoops::calledInLoops() const {
  std::set<std::string> Out;
  for (const Function &F : Functions)
    Out.insert(F.callsInLoops.begin(), F.callsInLoops.end());
  for (size_t Before = 0; Before != Out.size();) {
    Before = Out.size();
    for (const Function &F : Functions)
      if (Out.count(F.name))
        Out.insert(F.calls.begin(), F.calls.end());
  }
  return Out;
}

void HotLoops::print(raw_ostream &Out) const {
  Out << "Innermost loops of the kernels, in the order of kernels.s, and "
         "functions without\nloops that are called in loops. Sums are for one "
         "turn: of every instruction of the\nloop, also those that a branch "
         "passes over. Compiled for the CPU "
      << Target << ".\n";
  std::set<std::string> Called = calledInLoops();
  for (const Function &F : Functions) {
    if (!F.loops.empty())
      Out << '\n' << F.heading << '\n' << F.loops;
    else if (Called.count(F.name))
      Out << '\n' << F.heading << '\n' << F.straight;
  }
}

} // namespace dsv4::cpu
