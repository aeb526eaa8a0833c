// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linker A: a kern program becomes launches of phase bodies, one chain per
// graph, joined by programmatic dependencies (docs/cuda-lowering.md).

#ifndef DSV4_TARGETS_CUDA_LOWER_LOWERPROGRAM_H
#define DSV4_TARGETS_CUDA_LOWER_LOWERPROGRAM_H

#include "dialects/kern/IR/KernOps.h"
#include "targets/cuda/CudaProgram.h"
#include "targets/cuda/CudaTarget.h"
#include "targets/cuda/lower/Placement.h"

#include "llvm/Support/Error.h"

namespace dsv4::cuda {

struct LowerOptions {
  /// Of the GPU that grids are made for; another one runs the same program.
  int multiprocessors = 132;
  /// Products of FP8 and FP4 weights as FP8 on tensor cores, the target's
  /// fastest. These drop all but about 14 bits of a sum, so the default is FP16
  /// products with sums in float32 (docs/cuda-hardware.md has both measured).
  bool fp8Products = false;
  /// Blocks of decode's matrix phases that share a multiprocessor; 0: four of
  /// FP4 alone, else two.
  int decodeBlocks = 0;
  /// Programmatic dependencies between launches; false: full ones.
  bool overlap = true;
  /// Neighbouring launches become one (Fuse.h); without, the oracle of that.
  bool fuse = false;
  /// Fused products go on with what they complete (FuseTails.h): fewer
  /// launches, but slower on an H200 (docs/cuda-hardware.md).
  bool tails = false;
  /// Free memory of the GPU, and how much of it is the driver's; weights beyond
  /// stay on the host (Placement.h), pinned up to `hostMemory` bytes, else in
  /// their file. 0: all of them are on the GPU.
  int64_t deviceMemory = 0, driverBytes = 0;
  int64_t hostMemory = std::numeric_limits<int64_t>::max();
  ExpertUsage usage{};
};

/// `program` is planned and scheduled, its weights packed for CUDA. An error
/// names the phase and what it lacks.
llvm::Expected<CudaProgram> lowerProgram(kern::ProgramOp program,
                                         const CudaTarget &target,
                                         const LowerOptions &options = {});

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_LOWERPROGRAM_H
