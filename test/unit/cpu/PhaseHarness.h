// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs one phase of a kern program given as text, through the kernel that the
// CPU target emits for it.

#ifndef DSV4_TEST_UNIT_CPU_PHASEHARNESS_H
#define DSV4_TEST_UNIT_CPU_PHASEHARNESS_H

#include "test/unit/cpu/KernelHarness.h"

namespace dsv4::cpu::test {

/// The kernel of the only phase of `Body`, the text inside a kern.program
/// (declarations and one phase; a kern.return is added). Failures fail the
/// running test.
class PhaseKernel {
public:
  PhaseKernel(IsaLevel Level, const std::string &Body);
  /// Calls items [0, Items) in one go, then leaves the result in place.
  void run(StepRows &Rows, std::vector<void *> Operands, int64_t Items,
           void *Scratch = nullptr);

private:
  std::unique_ptr<LoadedKernels> Kernels;
};

} // namespace dsv4::cpu::test

#endif // DSV4_TEST_UNIT_CPU_PHASEHARNESS_H
