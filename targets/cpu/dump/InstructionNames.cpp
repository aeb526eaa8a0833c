// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What vector instructions do, by LLVM's names of them: the first prefix that
// fits. Memory, registers and branches are not looked at here.

#include "targets/cpu/dump/InstructionClass.h"

using namespace llvm;

namespace dsv4::cpu {

using C = InstructionClass;

namespace {
struct Entry {
  StringLiteral prefix;
  C what;
};
} // namespace

// Without the V of the forms of AVX.
static constexpr Entry X86[] = {
    {"PREFETCH", C::Prefetch},   {"PBROADCAST", C::Broadcast},
    {"BROADCAST", C::Broadcast}, {"MOVDDUP", C::Broadcast},
    {"PERM", C::Permute},        {"PSHUF", C::Permute},
    {"SHUF", C::Permute},        {"PUNPCK", C::Permute},
    {"UNPCK", C::Permute},       {"PALIGN", C::Permute},
    {"ALIGN", C::Permute},       {"INSERT", C::Permute},
    {"EXTRACT", C::Permute},     {"PINSR", C::Permute},
    {"PEXTR", C::Permute},       {"MOVSHDUP", C::Permute},
    {"MOVSLDUP", C::Permute},    {"MOVHL", C::Permute},
    {"MOVLH", C::Permute},       {"PACK", C::Permute},
    {"PCOMPRESS", C::Permute},   {"PEXPAND", C::Permute},
    {"COMPRESS", C::Permute},    {"EXPAND", C::Permute},
    {"PSLL", C::ShiftMask},      {"PSRL", C::ShiftMask},
    {"PSRA", C::ShiftMask},      {"PAND", C::ShiftMask},
    {"POR", C::ShiftMask},       {"PXOR", C::ShiftMask},
    {"PTERNLOG", C::ShiftMask},  {"AND", C::ShiftMask},
    {"OR", C::ShiftMask},        {"XOR", C::ShiftMask},
    {"PSHL", C::ShiftMask},      {"PSHR", C::ShiftMask},
    {"PROL", C::ShiftMask},      {"PROR", C::ShiftMask},
    {"DPBF16", C::MultiplyAdd},  {"PDPBUSD", C::MultiplyAdd},
    {"FMADD", C::MultiplyAdd},   {"FMSUB", C::MultiplyAdd},
    {"FNMADD", C::MultiplyAdd},  {"FNMSUB", C::MultiplyAdd},
    {"CMP", C::Compare},         {"PCMP", C::Compare},
    {"PTEST", C::Compare},       {"TEST", C::Compare},
    {"BLEND", C::Compare},       {"PBLEND", C::Compare},
    {"UCOMI", C::Compare},       {"COMI", C::Compare},
    {"K", C::Compare},           {"MOVMSK", C::Compare},
    {"PMOVMSK", C::Compare},     {"PMOVM2", C::Compare},
    {"PMOV", C::Arithmetic},     {"MOV", C::Move},
    {"ADD", C::Arithmetic},      {"SUB", C::Arithmetic},
    {"MUL", C::Arithmetic},      {"DIV", C::Arithmetic},
    {"MAX", C::Arithmetic},      {"MIN", C::Arithmetic},
    {"SQRT", C::Arithmetic},     {"PADD", C::Arithmetic},
    {"PSUB", C::Arithmetic},     {"PMUL", C::Arithmetic},
    {"PMADD", C::Arithmetic},    {"PMAX", C::Arithmetic},
    {"PMIN", C::Arithmetic},     {"PABS", C::Arithmetic},
    {"CVT", C::Arithmetic},      {"RNDSCALE", C::Arithmetic},
    {"ROUND", C::Arithmetic},    {"GETEXP", C::Arithmetic},
    {"SCALEF", C::Arithmetic},   {"PLZCNT", C::Arithmetic},
    {"FPCLASS", C::Compare},     {"ZEROUPPER", C::Scalar},
    {"TILELOAD", C::Move},       {"TILESTORE", C::Store},
    {"TILEZERO", C::Move},       {"TDPBF16", C::MultiplyAdd},
};

static constexpr Entry AArch64[] = {
    {"PRFM", C::Prefetch},
    {"PRFUM", C::Prefetch},
    {"LD1R", C::Broadcast},
    {"DUP", C::Broadcast},
    {"TBL", C::Permute},
    {"TBX", C::Permute},
    {"ZIP", C::Permute},
    {"UZP", C::Permute},
    {"TRN", C::Permute},
    {"EXT", C::Permute},
    {"REV", C::Permute},
    {"INS", C::Permute},
    {"UMOV", C::Permute},
    {"SMOV", C::Permute},
    {"XTN", C::Permute},
    {"USHLL", C::ShiftMask},
    {"SSHLL", C::ShiftMask},
    {"USHL", C::ShiftMask},
    {"SSHL", C::ShiftMask},
    {"SHL", C::ShiftMask},
    {"USHR", C::ShiftMask},
    {"SSHR", C::ShiftMask},
    {"SHRN", C::ShiftMask},
    {"SRI", C::ShiftMask},
    {"SLI", C::ShiftMask},
    {"USRA", C::ShiftMask},
    {"SSRA", C::ShiftMask},
    {"AND", C::ShiftMask},
    {"ORR", C::ShiftMask},
    {"ORN", C::ShiftMask},
    {"EOR", C::ShiftMask},
    {"BIC", C::ShiftMask},
    {"NOT", C::ShiftMask},
    {"FMLA", C::MultiplyAdd},
    {"FMLS", C::MultiplyAdd},
    {"FMADD", C::MultiplyAdd},
    {"FMSUB", C::MultiplyAdd},
    {"FNMADD", C::MultiplyAdd},
    {"FNMSUB", C::MultiplyAdd},
    {"BFDOT", C::MultiplyAdd},
    {"FCM", C::Compare},
    {"CM", C::Compare},
    {"BIF", C::Compare},
    {"BIT", C::Compare},
    {"BSL", C::Compare},
    {"BSP", C::Compare},
    {"FCSEL", C::Compare},
    {"FACG", C::Compare},
    {"CNT", C::Arithmetic},
    {"UMAXV", C::Arithmetic},
    {"MOVI", C::Move},
    {"MVNI", C::Move},
    {"FMOV", C::Move},
    {"CPY", C::Move},
    {"LD", C::Move},
    {"ST", C::Move},
    {"FCVT", C::Arithmetic},
    {"SCVTF", C::Arithmetic},
    {"UCVTF", C::Arithmetic},
    {"FADD", C::Arithmetic},
    {"FSUB", C::Arithmetic},
    {"FMUL", C::Arithmetic},
    {"FDIV", C::Arithmetic},
    {"FMAX", C::Arithmetic},
    {"FMIN", C::Arithmetic},
    {"FSQRT", C::Arithmetic},
    {"FNEG", C::Arithmetic},
    {"FABS", C::Arithmetic},
    {"FRINT", C::Arithmetic},
    {"FNMUL", C::Arithmetic},
    {"ADD", C::Arithmetic},
    {"SUB", C::Arithmetic},
    {"MUL", C::Arithmetic},
    {"MLA", C::Arithmetic},
    {"UADD", C::Arithmetic},
    {"SADD", C::Arithmetic},
    {"UMAX", C::Arithmetic},
    {"UMIN", C::Arithmetic},
    {"SMAX", C::Arithmetic},
    {"SMIN", C::Arithmetic},
    {"NEG", C::Arithmetic},
    {"ABS", C::Arithmetic},
};

InstructionClass classByName(StringRef Name, bool IsX86) {
  ArrayRef<Entry> Table(AArch64);
  if (IsX86) {
    Table = X86;
    Name.consume_front("V");
  }
  for (const Entry &E : Table)
    if (Name.starts_with(E.prefix))
      return E.what;
  return C::Other;
}

} // namespace dsv4::cpu
