// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See host_execution.h.

#include "runtime/core/host_execution.h"

#include <string.h>
#include <sys/mman.h>

namespace dsv4 {

void HostExecution::open(const dsv4_program &program, const MemoryPlan &plan,
                         const void *weights, ThreadPool &pool) {
  const Reservation &r = plan.reservation;
  root = &program;
  state = (char *)r.address(plan.state);
  stride = plan.stateStride;
  Spaces spaces;
  spaces.weights = weights;
  spaces.state = state;
  spaces.buffers = r.address(plan.buffers);
  spaces.scratch = r.address(plan.scratch);
  spaces.scratchStride = plan.scratchStride;
  executor.open(program, spaces, plan.context / DSV4_CONTEXT_BLOCK,
                (void **)r.address(plan.addresses), pool);
}

Status HostExecution::clear(int64_t slot) {
  madvise(stateOf(slot), size_t(stride), MADV_DONTNEED);
  return okStatus();
}

Status HostExecution::save(int64_t slot, void *to) const {
  memcpy(to, stateOf(slot), size_t(stride));
  return okStatus();
}

Status HostExecution::restore(int64_t slot, const void *from) {
  memcpy(stateOf(slot), from, size_t(stride));
  return okStatus();
}

Status HostExecution::repeat(int64_t slot, int64_t operand, int64_t period,
                             int64_t bytes) {
  char *rows = (char *)executor.operand(operand) + slot * stride;
  for (int64_t at = period; at < bytes; at += period)
    memcpy(rows + at, rows, bytes - at < period ? bytes - at : period);
  return okStatus();
}

} // namespace dsv4
