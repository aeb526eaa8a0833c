// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See InstructionClass.h.

#include "targets/cpu/dump/InstructionClass.h"

#include "llvm/CodeGen/MachineFrameInfo.h"
#include "llvm/CodeGen/MachineFunction.h"
#include "llvm/CodeGen/MachineInstr.h"
#include "llvm/CodeGen/PseudoSourceValue.h"
#include "llvm/CodeGen/TargetInstrInfo.h"
#include "llvm/CodeGen/TargetRegisterInfo.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

namespace dsv4::cpu {

using C = InstructionClass;

StringRef className(InstructionClass Class) {
  static constexpr StringLiteral Names[NumInstructionClasses] = {
      "weights load", "scales load",  "input load", "constant load",
      "load",         "broadcast",    "prefetch",   "permute",
      "shift-mask",   "multiply-add", "arithmetic", "compare",
      "move",         "store",        "spill",      "scalar",
      "branch",       "call",         "other"};
  return Names[int(Class)];
}

//===----------------------------------------------------------------------===//
// Registers and accesses
//===----------------------------------------------------------------------===//

/// Bits of a vector or floating-point register by its name, 0 for others; mask
/// registers count as vectors.
static unsigned vectorBits(StringRef Name, bool IsX86) {
  static constexpr std::pair<StringLiteral, unsigned> OfX86[] = {
      {"XMM", 128}, {"YMM", 256}, {"ZMM", 512}, {"TMM", 8192}, {"K", 64}};
  static constexpr std::pair<StringLiteral, unsigned> OfAArch64[] = {
      {"Q", 128}, {"D", 64}, {"S", 32}, {"H", 16}, {"B", 8}};
  ArrayRef<std::pair<StringLiteral, unsigned>> Table(OfAArch64);
  if (IsX86)
    Table = OfX86;
  for (auto [Prefix, Bits] : Table)
    if (Name.starts_with(Prefix) && Name.size() > Prefix.size() &&
        isDigit(Name[Prefix.size()]))
      return Bits;
  return 0;
}

static bool isX86(const MachineInstr &MI) {
  return MI.getMF()->getTarget().getTargetTriple().isX86();
}

/// The widest vector register among the operands.
static unsigned vectorBits(const MachineInstr &MI) {
  auto *Registers = MI.getMF()->getSubtarget().getRegisterInfo();
  unsigned Most = 0;
  for (const MachineOperand &Operand : MI.operands())
    if (Operand.isReg() && Operand.getReg().isPhysical() &&
        !Operand.isImplicit())
      Most = std::max(
          Most, vectorBits(Registers->getName(Operand.getReg()), isX86(MI)));
  return Most;
}

static StringRef nameOf(const MachineInstr &MI) {
  return MI.getMF()->getSubtarget().getInstrInfo()->getName(MI.getOpcode());
}

std::vector<MemoryAccess> accessesOf(const MachineInstr &MI) {
  std::vector<MemoryAccess> Out;
  const MachineFrameInfo &Frame = MI.getMF()->getFrameInfo();
  for (const MachineMemOperand *Operand : MI.memoperands()) {
    MemoryAccess &Access = Out.emplace_back();
    Access.roles = rolesOf(*Operand);
    Access.isStore = Operand->isStore();
    if (Operand->getSize().hasValue())
      Access.bytes = Operand->getSize().getValue().getKnownMinValue();
    if (auto *Global = dyn_cast_or_null<GlobalVariable>(Operand->getValue()))
      Access.isConstant = Global->isConstant();
    if (const PseudoSourceValue *Pseudo = Operand->getPseudoValue()) {
      Access.isConstant = Pseudo->isConstantPool();
      if (auto *Slot = dyn_cast<FixedStackPseudoSourceValue>(Pseudo))
        Access.isSpill = Frame.isSpillSlotObjectIndex(Slot->getFrameIndex());
    }
  }
  return Out;
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

static C classOfLoad(ArrayRef<MemoryAccess> Accesses) {
  for (const MemoryAccess &Access : Accesses) {
    if (Access.isSpill)
      return C::Spill;
    if (Access.isConstant)
      return C::ConstantLoad;
    for (const MemoryRole &Role : Access.roles) {
      if (Role.what == WeightsRole || Role.what == PanelRole)
        return C::WeightsLoad;
      if (Role.what == ScalesRole)
        return C::ScalesLoad;
      if (Role.what == InputRole)
        return C::InputLoad;
    }
  }
  return C::Load;
}

/// AArch64 has no move of vectors: it is an OR of a register with itself.
static bool isOrWithItself(const MachineInstr &MI) {
  return nameOf(MI).starts_with("ORRv") && MI.getNumOperands() == 3 &&
         MI.getOperand(2).isReg() &&
         MI.getOperand(1).getReg() == MI.getOperand(2).getReg();
}

/// A load that widens its elements, and is nothing else.
static bool isWideningLoad(const MachineInstr &MI) {
  StringRef Name = nameOf(MI);
  return MI.mayLoad() && (Name.contains("PMOVZX") || Name.contains("PMOVSX"));
}

/// A load into a register for integers, and nothing else.
static bool isPlainLoad(const MachineInstr &MI) {
  return MI.mayLoad() && nameOf(MI).starts_with(isX86(MI) ? "MOV" : "LD");
}

C classify(const MachineInstr &MI, ArrayRef<MemoryAccess> Accesses) {
  if (MI.isCall())
    return C::Call;
  if (MI.isBranch() || MI.isReturn())
    return C::Branch;
  bool OfVectors = vectorBits(MI) != 0;
  C Found = isOrWithItself(MI) ? C::Move : classByName(nameOf(MI), isX86(MI));
  if (Found == C::Prefetch)
    return Found;
  bool IsStore = MI.mayStore() && !MI.mayLoad();
  if (IsStore && any_of(Accesses, [](auto &A) { return A.isSpill; }))
    return C::Spill;
  if (IsStore && !Accesses.empty())
    return C::Store;
  if (!OfVectors)
    return isPlainLoad(MI) ? classOfLoad(Accesses) : C::Scalar;
  if (MI.mayLoad() && (Found == C::Move || isWideningLoad(MI)))
    return classOfLoad(Accesses);
  return Found;
}

int64_t multiplyAddsOf(const MachineInstr &MI) {
  StringRef Name = nameOf(MI);
  if (Name.contains("TDPBF16")) // 16 rows of 16 results, of 32 each
    return 16 * 16 * 32;
  if (Name.contains("BF16") || Name.starts_with("BFDOT"))
    return vectorBits(MI) / 16;
  if (Name.contains("PDPBUSD"))
    return vectorBits(MI) / 8;
  if (!isX86(MI)) {
    // FMLAv4f32; the scalar forms carry no count of lanes.
    auto [Start, Lanes] = Name.split('v');
    int64_t Count = 1;
    Lanes.take_while(isDigit).getAsInteger(10, Count);
    return Count;
  }
  for (StringRef Packed : {"PSZ", "PSY", "PSr", "PSm"})
    if (Name.contains(Packed))
      return vectorBits(MI) / 32;
  for (StringRef Packed : {"PDZ", "PDY", "PDr", "PDm"})
    if (Name.contains(Packed))
      return vectorBits(MI) / 64;
  return 1;
}

} // namespace dsv4::cpu
