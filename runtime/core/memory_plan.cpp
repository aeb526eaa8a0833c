// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See memory_plan.h.

#include "runtime/core/memory_plan.h"

#include "runtime/core/executor.h"

namespace dsv4 {

static int64_t wholePages(int64_t bytes) {
  return (bytes + 4095) / 4096 * 4096;
}

/// What steps on the CPU need. State comes first, at a whole page.
static void addExecution(const dsv4_program &program, const MemoryNeeds &needs,
                         int64_t blocks, MemoryPlan &p) {
  const dsv4_limits &limits = program.limits;
  // Whole pages, so that Engine::reset() can give a slot's memory back.
  p.stateStride = wholePages(evaluate(limits.state_bytes, blocks));
  p.scratchStride = wholePages(evaluate(limits.scratch_bytes, blocks));
  p.stateBytes = uint64_t(p.stateStride) * uint64_t(needs.sequences);
  p.bufferBytes = uint64_t(evaluate(limits.buffer_bytes, blocks));
  p.scratchBytes = uint64_t(p.scratchStride) * uint64_t(needs.workers);
  Reservation &r = p.reservation;
  p.state = r.add(p.stateBytes);
  p.buffers = r.add(p.bufferBytes);
  p.scratch = r.add(p.scratchBytes);
  p.addresses = r.add(uint64_t(program.num_operands) * sizeof(void *));
  p.rows = r.add(uint64_t(numStepColumns) * uint64_t(limits.max_step_tokens) *
                 sizeof(int32_t));
}

MemoryPlan planMemory(const dsv4_program &program, const MemoryNeeds &needs) {
  int64_t blocks = contextBlocks(needs.context);
  MemoryPlan p;
  p.context = blocks * DSV4_CONTEXT_BLOCK;
  if (!program.cuda)
    addExecution(program, needs, blocks, p);
  p.lengths = p.reservation.add(uint64_t(needs.sequences) * sizeof(int64_t));
  p.extra = p.reservation.add(needs.extraBytes);
  return p;
}

} // namespace dsv4
