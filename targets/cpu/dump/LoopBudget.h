// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one turn of a loop costs: its instructions by class, the bytes that it
// reads and writes by role, and what LLVM's model of the CPU thinks of it.

#ifndef DSV4_TARGETS_CPU_DUMP_LOOPBUDGET_H
#define DSV4_TARGETS_CPU_DUMP_LOOPBUDGET_H

#include "targets/cpu/dump/InstructionClass.h"

#include <array>
#include <map>
#include <set>
#include <string>

namespace llvm {
class raw_ostream;
}

namespace dsv4::cpu {

class LoopBudget {
public:
  void add(const llvm::MachineInstr &MI);
  /// The sums, in lines that begin with `Indent`.
  void print(llvm::raw_ostream &Out, llvm::StringRef Indent) const;
  /// Functions for which the accesses were written: also those that LLVM has
  /// inlined here.
  const std::set<std::string> &functions() const { return From; }

private:
  struct Bytes {
    int64_t read = 0, written = 0, elements = 0; // elements: that were read
  };
  void addAccess(const MemoryAccess &Access);
  void addToModel(const llvm::MachineInstr &MI);
  void printMemory(llvm::raw_ostream &Out) const;
  void printWeights(llvm::raw_ostream &Out, int64_t Weights) const;
  /// Elements read in a role.
  int64_t elements(llvm::StringRef Role) const;

  int64_t Instructions = 0, MultiplyAdds = 0, Spills = 0;
  std::array<int64_t, NumInstructionClasses> Counts = {};
  std::map<std::string, Bytes> Memory; // by role
  std::set<std::string> From;
  // For the model: micro-operations, and the use of each resource.
  const llvm::MachineInstr *First = nullptr;
  int64_t MicroOps = 0, Unknown = 0;
  std::vector<unsigned> Use;
};

/// The class of an instruction and what else it reads, as one column of text.
std::string describe(const llvm::MachineInstr &MI);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_DUMP_LOOPBUDGET_H
