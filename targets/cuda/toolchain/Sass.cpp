// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Single instructions, and counts of them.

#include "targets/cuda/toolchain/Sass.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace dsv4::cuda {

std::string SassInstruction::name(unsigned arch) const {
  if (auto known = sassName(arch, base()))
    return known->name.str();
  return "unknown 0x" + utohexstr(opcode(), /*LowerCase=*/true);
}

SassClass SassInstruction::kind(unsigned arch) const {
  auto known = sassName(arch, base());
  return known ? known->kind : SassClass::Unknown;
}

// Bits 12..15 are the guard (7: true; 8: negated), bits 87..90 a branch's
// second predicate, bits 32 and 33 its forms that ask about divergence.
bool SassInstruction::isUnconditional() const {
  if ((low >> 12 & 15) != 7)
    return false;
  return !isBranch() || ((high >> 23 & 15) == 7 && (low >> 32 & 3) == 0);
}

// A signed count of words in bits 34..81. From sm_90 on it lies 8 bits higher,
// and its low part in bits 16..23.
int64_t SassInstruction::branchOffset(unsigned arch) const {
  uint64_t words = low >> 34 | (high & 0x3ffff) << 30;
  int64_t count = SignExtend64<48>(words);
  if (arch >= 90)
    count = int64_t(uint64_t(count) << 8 | (low >> 16 & 0xff));
  return int64_t(uint64_t(count) * 4);
}

void SassMix::add(const SassInstruction &one, unsigned arch) {
  ++names[one.name(arch)];
  ++classes[int(one.kind(arch))];
  ++total;
}

uint64_t SassMix::of(StringRef name) const {
  auto found = names.find(name.str());
  return found == names.end() ? 0 : found->second;
}

uint64_t SassMix::alu() const {
  return of(SassClass::Integer) + of(SassClass::Float) +
         of(SassClass::Convert) + of(SassClass::Special);
}

SassMix mixOf(ArrayRef<SassInstruction> code, unsigned arch) {
  SassMix mix;
  for (const SassInstruction &one : code)
    mix.add(one, arch);
  return mix;
}

SassMix mixOf(ArrayRef<SassInstruction> code, const SassLoop &loop,
              unsigned arch) {
  SassMix mix;
  for (size_t index : loop.body)
    mix.add(code[index], arch);
  return mix;
}

} // namespace dsv4::cuda
