// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel may cost, checked on its cubin: the gates that stand in for a
// GPU in CI. A violation is a sentence with the figure found and the limit.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINGATES_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINGATES_H

#include "targets/cuda/CudaTarget.h"
#include "targets/cuda/toolchain/CubinReader.h"

namespace dsv4::cuda {

/// A budget of the hot loop, in ALU instructions of a thread per unit (a weight
/// that the thread decodes). Either a turn of the loop is a known number of
/// units, or each `marker` in it is, which holds however often the assembler
/// unrolls.
struct LoopBudget {
  double aluPerUnit = 0;
  double units = 1;   // of one turn, or of one marker
  std::string marker; // "QGMMA"; empty: units are those of a turn
};

struct KernelLimits {
  uint32_t maxRegisters = maxRegistersPerThread;
  /// No spills by the log where there is one, and by instructions.
  bool allowSpills = false;
  /// Local loads, local stores or a stack frame.
  bool allowLocal = false;
  bool allowUnknown = false;
  uint32_t dynamicShared = 0; // bytes asked for at launch, on top of static
  /// So many blocks of so many threads must fit an SM; 0 threads: unchecked.
  uint32_t threads = 0, blocksPerSm = 1;
  /// Names that must appear, and names that must not ("HMMA" where QGMMA is
  /// meant).
  std::vector<std::string> mustHave, mustNotHave;
  std::optional<LoopBudget> hotLoop;
};

/// The loops that a budget speaks of: innermost, not only waiting, and with the
/// marker; without a marker the largest such loop.
std::vector<const SassLoop *> hotLoops(const CubinFunction &function,
                                       unsigned arch, const SassLoops &loops,
                                       llvm::StringRef marker);

/// ALU instructions per unit in that loop.
double aluPerUnit(const CubinFunction &function, unsigned arch,
                  const SassLoop &loop, const LoopBudget &budget);

/// Empty: all limits hold.
std::vector<std::string> violations(const CubinFunction &function,
                                    const CudaTarget &target,
                                    const KernelLimits &limits);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINGATES_H
