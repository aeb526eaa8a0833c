// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text of hot-loops.txt: the innermost loops of every function, and the
// functions without loops that are called in loops, instruction by instruction
// with what each is for, and sums of that. It is told the instructions of one
// function after the other as they are printed.

#ifndef DSV4_TARGETS_CPU_DUMP_HOTLOOPS_H
#define DSV4_TARGETS_CPU_DUMP_HOTLOOPS_H

#include "targets/cpu/dump/InstructionClass.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace llvm {
class MachineBasicBlock;
class MachineFunction;
class raw_ostream;
} // namespace llvm

namespace dsv4::cpu {

/// An instruction that has been printed.
struct PrintedInstruction {
  const llvm::MachineInstr *instruction = nullptr;
  std::string text;
  int64_t line = 0; // of kernels.s, from 1
};

class HotLoops {
public:
  /// `Words` says what functions are; helpers are known by their names.
  explicit HotLoops(const std::map<std::string, std::string> &Words)
      : Words(Words) {}

  void addFunction(const llvm::MachineFunction &MF,
                   std::vector<PrintedInstruction> Instructions);
  /// All of it, after the last function.
  void print(llvm::raw_ostream &Out) const;

private:
  struct Function {
    std::string name, heading;
    std::string loops;    // its text; empty: it has none
    std::string straight; // text of the whole body in that case
    std::set<std::string> calls, callsInLoops;
  };

  std::string headingOf(llvm::StringRef Name) const;
  /// Functions that are called in a loop, or from one that is.
  std::set<std::string> calledInLoops() const;

  const std::map<std::string, std::string> &Words;
  std::string Target; // LLVM's name of the CPU
  std::vector<Function> Functions;
};

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_DUMP_HOTLOOPS_H
