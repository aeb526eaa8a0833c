// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Neighbouring launches of a graph become one: a pass over CudaProgram that may
// be left out, which leaves the oracle of what it does. What is fused, and what
// is not yet, docs/cuda-fusion.md says.

#ifndef DSV4_TARGETS_CUDA_LOWER_FUSE_H
#define DSV4_TARGETS_CUDA_LOWER_FUSE_H

#include "targets/cuda/CudaProgram.h"

namespace dsv4::cuda {

/// Where the bodies of fused phases are.
inline constexpr const char *fusedFolder = "targets/cuda/device/phases/fused/";

/// Phases of a program that may be one launch, or run in another order: buffers
/// keep their room for so many phases (kern-plan-buffers), or a block that is
/// ahead would write over what another one still reads.
inline constexpr int64_t FusedPhases = 16;

struct FuseOptions {
  /// Graphs of at most so many tokens also get the fusions that read or compute
  /// something again for every token.
  int64_t fewTokens = 8;
  /// Products go on with what they complete (FuseTails.h).
  bool tails = true;
  /// Graphs of at most so many tokens get tails that take token after token.
  int64_t serialTokens = 1;
  /// Shared memory of the target; tails take none that costs a block on a
  /// multiprocessor.
  int64_t sharedPerBlock = 232448, sharedPerSm = 233472, reservedShared = 1024;
};

/// Fuses launches that follow each other in a graph, drops kernels that nobody
/// launches any more, and returns how many launches went away. Launches are
/// known by their kinds, which are kern's ("norm_quant") or "encode", and their
/// kernels by the one DSV4_ENTRY in their text; others stay as they are.
int64_t fuseLaunches(CudaProgram &program, const FuseOptions &options = {});

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_FUSE_H
