// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps on this machine's CPU: the executor over memory of the engine's
// reservation. DeviceExecution is the same for a GPU; the engine asks one of
// the two.

#ifndef DSV4_RUNTIME_CORE_HOST_EXECUTION_H
#define DSV4_RUNTIME_CORE_HOST_EXECUTION_H

#include "runtime/core/executor.h"
#include "runtime/core/memory_plan.h"

namespace dsv4 {

class HostExecution {
public:
  /// `plan` is reserved and `weights` mapped; both stay with the caller.
  void open(const dsv4_program &program, const MemoryPlan &plan,
            const void *weights, ThreadPool &pool);

  /// With `samples` ([num_phases]) adds to each phase's.
  Status run(const dsv4_step &step, PhaseSample *samples) {
    executor.run(step, samples);
    return okStatus();
  }
  /// F32 [outputs, vocab] of the last step.
  const float *logits() const {
    return (const float *)executor.operand(root->logits_operand);
  }

  /// Gives a slot's state back: it reads as zeros.
  Status clear(int64_t slot);
  /// A slot's state, stateStride bytes.
  Status save(int64_t slot, void *to) const;
  Status restore(int64_t slot, const void *from);
  /// Fills `bytes` of a slot's state at `operand` by repeating its first
  /// `period`.
  Status repeat(int64_t slot, int64_t operand, int64_t period, int64_t bytes);

  Executor executor;

private:
  char *stateOf(int64_t slot) const { return state + slot * stride; }

  const dsv4_program *root = nullptr;
  char *state = nullptr;
  int64_t stride = 0;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_HOST_EXECUTION_H
