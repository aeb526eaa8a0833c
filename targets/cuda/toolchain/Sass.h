// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Machine instructions of a cubin: 16 bytes each, from sm_70 on. Just enough is
// decoded to say which instruction it is, what it is for, and where branches
// go; operands are not. What the table lacks is reported as unknown under its
// number, never dropped.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_SASS_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_SASS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dsv4::cuda {

/// What an instruction is for. The first four take the slots of a thread's
/// ALUs, which the budgets of decoding weights count.
enum class SassClass {
  Integer,
  Float,
  Convert,
  Special, // MUFU: reciprocal, exponential, ...
  Move,    // from and to special and uniform registers
  Uniform, // the scalar unit of a warp
  Tensor,
  TensorMemory, // copies into and out of tensor memory
  Exchange,     // between lanes
  GlobalLoad,
  GlobalStore,
  SharedLoad,
  SharedStore,
  LocalLoad, // thread-private memory: arrays that found no registers, spills
  LocalStore,
  ConstantLoad,
  Atomic,
  Copy, // asynchronous, by the copy engine or LDGSTS
  Cache,
  Sync,
  Control,
  Unknown,
};
inline constexpr int NumSassClasses = int(SassClass::Unknown) + 1;

llvm::StringRef className(SassClass kind);
constexpr bool isAlu(SassClass kind) { return kind <= SassClass::Special; }

struct SassName {
  llvm::StringRef name;
  SassClass kind = SassClass::Unknown;
};

/// The instruction with these low nine bits, if the table knows it.
std::optional<SassName> sassName(unsigned arch, uint16_t base);

inline constexpr uint16_t sassBranch = 0x147, sassExit = 0x14d,
                          sassReturn = 0x150, sassNop = 0x118;

struct SassInstruction {
  uint64_t low = 0, high = 0;

  uint16_t opcode() const { return low & 0xfff; }
  uint16_t base() const { return low & 0x1ff; }
  /// "LDG", or "unknown 0x9ff".
  std::string name(unsigned arch) const;
  SassClass kind(unsigned arch) const;
  bool isBranch() const { return base() == sassBranch; }
  /// Executed by every thread that comes by.
  bool isUnconditional() const;
  /// Bytes from the next instruction to where the branch goes.
  int64_t branchOffset(unsigned arch) const;
};

/// A loop: a header that every way into it passes, and a branch back there.
struct SassLoop {
  size_t header = 0;        // index of its first instruction
  std::vector<size_t> body; // indices of its instructions, ascending
  int parent = -1;          // index of the loop around it
  int depth = 1;            // 1: outermost
  bool isInnermost = true;
  /// Waits for a barrier or a flag and does nothing else; loops around such a
  /// loop alone still count as innermost.
  bool isWait = false;
};

struct SassLoops {
  std::vector<SassLoop> loops; // by header, outer before inner
  /// The function jumps to computed addresses: loops through those are missed.
  bool hasIndirect = false;
};

/// Natural loops of one function's code, also where parts of the body lie
/// behind its end. Errors: more branches than any kernel has.
llvm::Expected<SassLoops> findLoops(llvm::ArrayRef<SassInstruction> code,
                                    unsigned arch);

/// How often each instruction and each class appears.
struct SassMix {
  std::map<std::string, uint64_t> names; // with "unknown 0x..." entries
  std::array<uint64_t, NumSassClasses> classes = {};
  uint64_t total = 0;

  void add(const SassInstruction &one, unsigned arch);
  uint64_t of(SassClass kind) const { return classes[int(kind)]; }
  uint64_t of(llvm::StringRef name) const;
  /// Integer, float, convert and special.
  uint64_t alu() const;
};

SassMix mixOf(llvm::ArrayRef<SassInstruction> code, unsigned arch);
/// Of one loop's body, inner loops included.
SassMix mixOf(llvm::ArrayRef<SassInstruction> code, const SassLoop &loop,
              unsigned arch);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_SASS_H
