// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The machines that code can be generated for, as plain data, and what this
// machine is. A target has an instruction set level, which alone decides the
// instructions used (so that the features checked at start are the whole
// truth), and a microarchitecture that LLVM schedules for.

#ifndef DSV4_TARGETS_COMMON_TARGETDESC_H
#define DSV4_TARGETS_COMMON_TARGETDESC_H

#include "runtime/numerics/dot.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace dsv4 {

/// Instruction sets for which the dot products have a form of their own.
enum class IsaLevel {
  Portable,   // any CPU of the architecture
  Avx2,       // AVX2, FMA, F16C (x86-64-v3)
  Avx512,     // F, BW, CD, DQ, VL (x86-64-v4)
  Avx512Bf16, // the same with BF16, VBMI and VNNI
  Amx,        // the same with tile registers and their BF16 products
};

/// What dot products are made of where a CPU has a BF16 dot instruction; both
/// give the same bits. Auto: what suits the machine.
enum class DotForm {
  Auto,
  Bf16, // the instruction: one for 32 multiply-adds
  F32,  // fused multiply-adds: twice as fast on Intel's cores, slower on AMD's
};

/// One row of the table of known machines.
struct KnownTarget {
  const char *name; // after "cpu:"
  const char *arch; // "x86_64" or "aarch64"
  IsaLevel level;
  const char *tune; // LLVM's name of the microarchitecture
  const char *what; // one line for --list-targets
};

/// A machine to generate code for.
struct TargetDesc {
  std::string name;     // "cpu:znver5"
  std::string triple;   // "x86_64-unknown-linux-gnu"
  std::string cpu;      // LLVM's target-cpu: the level's baseline
  std::string features; // LLVM's target-features beyond it
  std::string tune;     // LLVM's tune-cpu
  IsaLevel level;       // instructions of the dot products
  DotForm dot;          // the faster form here; F32 without the instruction
  num::DotOrder order;  // of sums in linears: Split where there is AMX
  uint32_t cpuFeatures; // mask of dsv4_cpu_feature, checked at start
};

/// Every machine that `--target` knows, in the order of the table.
llvm::ArrayRef<KnownTarget> knownTargets();

/// "portable", "avx2", "avx512", "avx512bf16", "amx".
llvm::StringRef levelName(IsaLevel level);

/// `spec` is "native" (or "cpu:native") or "cpu:NAME". An unknown name is an
/// error that lists the names nearest to it.
llvm::Expected<TargetDesc> findTarget(llvm::StringRef spec);

/// Chooses the order of sums against the target's own: without Split no AMX.
void setDotOrder(TargetDesc &target, num::DotOrder order);

/// This machine; an error on architectures without a code generator.
llvm::Expected<TargetDesc> nativeTarget();

/// The highest level that this machine can run, and that Linux lets this
/// process run: asks for tile registers where there are some.
IsaLevel nativeLevel();

} // namespace dsv4

#endif // DSV4_TARGETS_COMMON_TARGETDESC_H
