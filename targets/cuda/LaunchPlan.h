// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many launches a step of a kern program takes, and how long the longest
// chain of them that need each other is, before and after fusion.
// docs/cuda-fusion.md has the rules; nothing was run on hardware.

#ifndef DSV4_TARGETS_CUDA_LAUNCHPLAN_H
#define DSV4_TARGETS_CUDA_LAUNCHPLAN_H

#include "dialects/kern/IR/KernOps.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace dsv4::cuda {

/// Nothing; what lower/Fuse.cpp does with rows alone, its default; with tails
/// too; what docs/cuda-fusion.md plans behind that.
enum class Fusion { None, Rows, Done, Planned };

struct LaunchCount {
  int64_t launches = 0;
  /// Grid-wide dependencies: launches of the longest chain.
  int64_t levels = 0;
};

/// Phases become launches as they are lowered: encodings before products of FP8
/// and FP4, sums of parts behind products that are cut (`isCut`), two for
/// attend. `tokens`: of the step.
LaunchCount countLaunches(kern::ProgramOp program, Fusion fusion,
                          int64_t tokens,
                          llvm::function_ref<bool(mlir::Operation *)> isCut);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LAUNCHPLAN_H
