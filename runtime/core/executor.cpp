// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See executor.h.

#include "runtime/core/executor.h"

#include "runtime/base/clock.h"

namespace dsv4 {

void Executor::open(const dsv4_program &p, const Spaces &s, int64_t blocks,
                    void **room, ThreadPool &workers) {
  program = &p;
  spaces = s;
  addresses = room;
  pool = &workers;
  for (int64_t i = 0; i < p.num_operands; ++i) {
    const dsv4_operand &operand = p.operands[i];
    int64_t offset = evaluate(operand.offset, blocks);
    switch (operand.space) {
    case DSV4_SPACE_WEIGHTS:
      room[i] = (char *)s.weights + offset;
      break;
    case DSV4_SPACE_BUFFER:
      room[i] = (char *)s.buffers + offset;
      break;
    case DSV4_SPACE_STATE:
      room[i] = (char *)s.state + offset;
      break;
    default:
      room[i] = const_cast<void *>(p.constants[operand.offset.fixed]);
    }
  }
}

int64_t phaseItems(const dsv4_step &step, const dsv4_phase &phase,
                   int64_t active) {
  switch (phase.items_rule) {
  case DSV4_ITEMS_TOKENS:
    return phase.items_factor * step.tokens;
  case DSV4_ITEMS_OUTPUTS:
    return phase.items_factor * step.outputs;
  case DSV4_ITEMS_ACTIVE_EXPERTS:
    return phase.items_factor * active;
  case DSV4_ITEMS_ENTRIES: {
    int64_t visible = (step.max_position + 1) / phase.items_ratio;
    int64_t blocks = (visible + phase.items_block - 1) / phase.items_block;
    return phase.items_factor * step.tokens * blocks;
  }
  default:
    return phase.items_factor;
  }
}

int64_t Executor::items(const dsv4_step &step, const dsv4_phase &phase) const {
  int64_t active = 0;
  if (phase.items_rule == DSV4_ITEMS_ACTIVE_EXPERTS)
    active =
        *(const int32_t *)addresses[phase.first_operand + phase.items_operand];
  return phaseItems(step, phase, active);
}

namespace {

struct Call {
  const dsv4_step *step;
  const dsv4_phase *phase;
  void *const *operands;
  const Spaces *spaces;
};

void callKernel(void *context, int worker, int64_t begin, int64_t end) {
  const Call &call = *static_cast<const Call *>(context);
  char *scratch =
      (char *)call.spaces->scratch + worker * call.spaces->scratchStride;
  call.phase->kernel(call.step, call.operands, begin, end, scratch);
}

} // namespace

void Executor::runPhase(const dsv4_step &step, int64_t index) {
  const dsv4_phase &phase = program->phases[index];
  Call call{&step, &phase, addresses + phase.first_operand, &spaces};
  pool->run(callKernel, &call, items(step, phase), phase.grain);
}

void Executor::run(const dsv4_step &step, PhaseSample *samples) {
  for (int64_t i = 0; i < program->num_phases; ++i) {
    if (!samples) {
      runPhase(step, i);
      continue;
    }
    PhaseSample &sample = samples[i];
    sample.start = nanoseconds();
    runPhase(step, i);
    sample.last = nanoseconds() - sample.start;
    sample.nanoseconds += sample.last;
    sample.traffic.add(
        trafficOf(*program, i, step, items(step, program->phases[i])));
  }
}

} // namespace dsv4
