// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the host decides about matrix phases (device/phases/linear.cuh): the
// figures of a job, how evenly the items of a phase lie on the SMs of a GPU,
// and into how many parts K is cut. Bytes alone count: decode is bound by them.

#ifndef DSV4_TARGETS_CUDA_LINEARPLAN_H
#define DSV4_TARGETS_CUDA_LINEARPLAN_H

#include "targets/cuda/Packing.h"

namespace dsv4::cuda {

/// The sizes of MatrixJob, in its order; addresses are the runtime's.
struct JobSizes {
  TileFormat format;
  uint32_t rows, blocks, xGroups, xRowBytes, xBytes, split, tilesBegin;
  int64_t escapesBegin;
};

/// Sizes of a job, checked: rows of several groups must be whole strips, or the
/// packer has to pack each group as a matrix of its own; K of several groups
/// whole blocks; at most `blocks` parts.
llvm::Expected<JobSizes> planJob(const MatrixLayout &Layout, int64_t XGroups,
                                 int64_t Split);

/// A matrix of a phase, `Copies` times (experts of a step).
struct PhaseMatrix {
  MatrixLayout layout;
  int64_t copies = 1, xGroups = 1, split = 1;
};

/// How the items of a phase fall on SMs when block b takes items b, b + grid,
/// ... and blocks lie on SMs in turn.
struct PhaseBalance {
  int64_t items = 0;
  int64_t bytes = 0;     // of all tiles
  int64_t mostItems = 0; // of one SM
  int64_t mostBytes = 0;
  /// Bytes over what SMs could read in the time of the fullest: 0 .. 1.
  double efficiency = 0;
};

/// `StripsPerItem` is groups of the kernel's config. Refuses no SMs, no
/// matrices, and more than 2^31 items.
llvm::Expected<PhaseBalance> balanceOf(llvm::ArrayRef<PhaseMatrix> Matrices,
                                       unsigned Sms, unsigned StripsPerItem);

/// Items that give two blocks of each SM work, nearly: 64 strips of wo_b get
/// four parts on 132 of them.
constexpr int64_t itemsForTwoBlocks(int64_t Sms) { return Sms * 2 * 9 / 10; }

/// The smallest number of parts, the same for all matrices and at most
/// `MaxSplit`, whose efficiency is within 3 % of the best one's: every part is
/// partial sums to write and to read again, and a ring to fill. Splits with
/// fewer items than `WantedItems` count only where none has so many: blocks
/// that share an SM hide what one of them waits for, if both have work.
llvm::Expected<int64_t> chooseSplit(llvm::ArrayRef<PhaseMatrix> Matrices,
                                    unsigned Sms, unsigned StripsPerItem,
                                    int64_t MaxSplit, int64_t WantedItems = 0);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LINEARPLAN_H
