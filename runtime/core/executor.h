// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks the compiled phase table for one step. Operand addresses are resolved
// once, for the context that was chosen at start.

#ifndef DSV4_RUNTIME_CORE_EXECUTOR_H
#define DSV4_RUNTIME_CORE_EXECUTOR_H

#include "runtime/abi/program.h"
#include "runtime/base/thread_pool.h"
#include "runtime/core/traffic.h"

namespace dsv4 {

/// fixed + per_block * blocks, where the compiler's maxima exclude overflow.
inline int64_t evaluate(dsv4_affine size, int64_t blocks) {
  return size.fixed + size.per_block * blocks;
}

/// Blocks of a context of so many tokens.
inline int64_t contextBlocks(int64_t tokens) {
  return (tokens + DSV4_CONTEXT_BLOCK - 1) / DSV4_CONTEXT_BLOCK;
}

/// How many items a phase has; `active` experts where that is its rule.
int64_t phaseItems(const dsv4_step &step, const dsv4_phase &phase,
                   int64_t active);

/// Base addresses of the operand spaces.
struct Spaces {
  const void *weights = nullptr;
  void *buffers = nullptr;
  void *state = nullptr;
  void *scratch = nullptr;   // of worker 0
  int64_t scratchStride = 0; // bytes between two workers
};

/// What a phase did: times and work add up over steps.
struct PhaseSample {
  int64_t start = 0;       // of the last step, nanoseconds of a steady clock
  int64_t last = 0;        // nanoseconds of the last step
  int64_t nanoseconds = 0; // of all steps
  Traffic traffic;
};

class Executor {
public:
  /// `addresses` has room for program.num_operands pointers.
  void open(const dsv4_program &program, const Spaces &spaces, int64_t blocks,
            void **addresses, ThreadPool &pool);

  /// Runs all phases. With `samples` ([num_phases]) adds to each one's.
  void run(const dsv4_step &step, PhaseSample *samples = nullptr);

  /// Runs one phase alone (self-test).
  void runPhase(const dsv4_step &step, int64_t phase);

  void *operand(int64_t index) const { return addresses[index]; }
  int64_t items(const dsv4_step &step, const dsv4_phase &phase) const;

private:
  const dsv4_program *program = nullptr;
  Spaces spaces;
  void **addresses = nullptr;
  ThreadPool *pool = nullptr;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_EXECUTOR_H
