// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an engine takes from the system, all of it at start: state of the
// sequences, step buffers, scratch of the workers, and the rest (addresses of
// operands, columns of a step, what the caller asked for). Mapped weights are
// page cache, and stacks of workers the thread library's: neither is in it. Of
// a program for a GPU, whose memory DevicePlan has, the rest alone.

#ifndef DSV4_RUNTIME_CORE_MEMORY_PLAN_H
#define DSV4_RUNTIME_CORE_MEMORY_PLAN_H

#include "runtime/abi/program.h"
#include "runtime/base/memory.h"

#include <stddef.h>
#include <stdint.h>

namespace dsv4 {

struct MemoryNeeds {
  int64_t context = 0; // tokens; the plan has whole blocks
  int64_t sequences = 1;
  int workers = 1;
  uint64_t extraBytes = 0; // of the caller
};

/// Numbers that dsv4_step says of each row, and the rows whose logits are
/// wanted.
inline constexpr int64_t numStepColumns = 6;

/// Sizes and offsets of everything.
struct MemoryPlan {
  Reservation reservation;
  int64_t context = 0; // rounded up to whole blocks
  int64_t stateStride = 0, scratchStride = 0;
  // Of all sequences, of the step, of all workers.
  uint64_t stateBytes = 0, bufferBytes = 0, scratchBytes = 0;
  size_t state = 0, buffers = 0, scratch = 0, addresses = 0, lengths = 0;
  size_t rows = 0, extra = 0; // parts of the reservation; no `rows` for a GPU

  uint64_t bytes() const { return reservation.bytes(); }
  uint64_t restBytes() const {
    return bytes() - stateBytes - bufferBytes - scratchBytes;
  }
};

MemoryPlan planMemory(const dsv4_program &program, const MemoryNeeds &needs);

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_MEMORY_PLAN_H
