// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See LoopBudget.h.

#include "targets/cpu/dump/LoopBudget.h"

#include "targets/cpu/Packing.h"

#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineInstr.h"
#include "llvm/CodeGen/TargetSchedule.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/MCA/Support.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace dsv4::cpu {

static std::string roleName(const MemoryAccess &Access) {
  if (Access.isSpill)
    return "spill slots";
  if (Access.isConstant)
    return "constants";
  for (const MemoryRole &Role : Access.roles)
    if (!Role.what.empty())
      return Role.what;
  return "other";
}

std::string describe(const MachineInstr &MI) {
  std::vector<MemoryAccess> Accesses = accessesOf(MI);
  InstructionClass Class = classify(MI, Accesses);
  std::string Out = className(Class).str();
  // An operand in memory: LLVM has folded a load into the computation.
  bool IsLoad = Class <= InstructionClass::Load ||
                Class == InstructionClass::Spill ||
                Class == InstructionClass::Prefetch;
  std::string Before;
  for (const MemoryAccess &Access : Accesses) {
    std::string What = (Access.isStore ? " to " : " of ") + roleName(Access);
    if (!IsLoad && What != Before)
      Out += What;
    Before = What;
  }
  return Out;
}

//===----------------------------------------------------------------------===//
// Adding up
//===----------------------------------------------------------------------===//

void LoopBudget::add(const MachineInstr &MI) {
  std::vector<MemoryAccess> Accesses = accessesOf(MI);
  InstructionClass Class = classify(MI, Accesses);
  ++Instructions;
  ++Counts[int(Class)];
  if (Class == InstructionClass::MultiplyAdd)
    MultiplyAdds += multiplyAddsOf(MI);
  if (Class != InstructionClass::Prefetch)
    for (const MemoryAccess &Access : Accesses)
      addAccess(Access);
  addToModel(MI);
}

void LoopBudget::addAccess(const MemoryAccess &Access) {
  Spills += Access.isSpill;
  Bytes &Sum = Memory[roleName(Access)];
  (Access.isStore ? Sum.written : Sum.read) += Access.bytes;
  for (const MemoryRole &Role : Access.roles)
    From.insert(Role.function);
  if (!Access.isStore && !Access.roles.empty() && Access.roles[0].bits)
    Sum.elements += Access.bytes * 8 / Access.roles[0].bits;
}

void LoopBudget::addToModel(const MachineInstr &MI) {
  if (!First)
    First = &MI;
  TargetSchedModel Model;
  Model.init(&MI.getMF()->getSubtarget());
  if (!Model.hasInstrSchedModel())
    return;
  const MCSchedClassDesc *Class = Model.resolveSchedClass(&MI);
  if (!Class->isValid()) {
    ++Unknown;
    return;
  }
  MicroOps += Class->NumMicroOps;
  Use.resize(Model.getNumProcResourceKinds());
  for (const MCWriteProcResEntry &E : make_range(
           Model.getWriteProcResBegin(Class), Model.getWriteProcResEnd(Class)))
    Use[E.ProcResourceIdx] += E.ReleaseAtCycle;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

int64_t LoopBudget::elements(StringRef Role) const {
  auto Found = Memory.find(Role.str());
  return Found == Memory.end() ? 0 : Found->second.elements;
}

void LoopBudget::printMemory(raw_ostream &Out) const {
  const char *Between = " ";
  for (const auto &[Role, Sum] : Memory) {
    Out << Between << Role;
    if (Sum.read)
      Out << " read " << Sum.read;
    if (Sum.elements)
      Out << " = " << Sum.elements << " elements";
    if (Sum.written)
      Out << " written " << Sum.written;
    Between = ", ";
  }
  Out << (Memory.empty() ? " none\n" : "\n");
}

/// What the busiest resource of LLVM's scheduling model needs. Groups of units
/// count whatever runs on one of their units; llvm-mca takes that off, so its
/// block throughput can be lower. Chains of latencies do not enter.
static double modelCycles(const MachineInstr &MI, int64_t MicroOps,
                          ArrayRef<unsigned> Use) {
  const MCSchedModel &Model = MI.getMF()->getSubtarget().getSchedModel();
  return mca::computeBlockRThroughput(Model, Model.IssueWidth,
                                      unsigned(MicroOps), Use);
}

void LoopBudget::printWeights(raw_ostream &Out, int64_t Weights) const {
  Out << "weights: " << Weights
      << format(", instructions per 16 of them: %.2f",
                16.0 * double(Instructions) / double(Weights));
  if (MultiplyAdds)
    Out << format(", multiply-adds per weight: %.2f",
                  double(MultiplyAdds) / double(Weights));
  auto Found = Memory.find(WeightsRole.str());
  if (Found != Memory.end() && Found->second.read) {
    double Lines = double(Found->second.read) / LineBytes;
    Out << "; per line:";
    for (auto Class : {InstructionClass::Permute, InstructionClass::ShiftMask,
                       InstructionClass::MultiplyAdd})
      Out << format(" %.2f ", double(Counts[int(Class)]) / Lines)
          << className(Class);
  }
  Out << '\n';
}

void LoopBudget::print(raw_ostream &Out, StringRef Indent) const {
  Out << Indent << "instructions: " << Instructions << " =";
  const char *Between = " ";
  for (int I = 0; I < NumInstructionClasses; ++I)
    if (Counts[I]) {
      Out << Between << Counts[I] << ' ' << className(InstructionClass(I));
      Between = ", ";
    }
  Out << '\n' << Indent << "bytes:";
  printMemory(Out);
  int64_t Weights = elements(WeightsRole);
  if (!Weights)
    Weights = elements(PanelRole);
  if (MultiplyAdds)
    Out << Indent << "multiply-adds: " << MultiplyAdds
        << format(", instructions per 16 of them: %.2f\n",
                  16.0 * double(Instructions) / double(MultiplyAdds));
  if (Weights)
    printWeights(Out << Indent, Weights);
  Out << Indent << "spills: " << Spills << '\n';
  if (!Use.empty())
    Out << Indent << "LLVM's model, not a measurement: "
        << format("%.2f cycles", modelCycles(*First, MicroOps, Use))
        << (Unknown ? ", without " + std::to_string(Unknown) + " unknown" : "")
        << '\n';
}

} // namespace dsv4::cpu
