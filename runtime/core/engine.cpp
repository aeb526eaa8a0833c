// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See engine.h.

#include "runtime/core/engine.h"

namespace dsv4 {

Status Engine::reset(int64_t slot) {
  // Rows beyond the length are never read; this is about the memory, and about
  // snapshots that hold the same bytes for the same tokens.
  if (lengths[slot] > 0)
    DSV4_RETURN_IF_ERROR(clearState(slot));
  lengths[slot] = 0;
  return okStatus();
}

Status Engine::checkPart(const StepPart &part) const {
  if (part.slot < 0 || part.slot >= slots)
    return makeError(Code::InvalidArgument,
                     "slot: expected one of 0 to %lld, got %lld",
                     (long long)slots - 1, (long long)part.slot);
  int64_t start = lengths[part.slot];
  if (start + part.count > step.context)
    return makeError(Code::InvalidArgument,
                     "the context of %lld tokens is full: %lld are there, %lld "
                     "more do not fit; use a larger --context",
                     (long long)step.context, (long long)start,
                     (long long)part.count);
  for (int64_t i = 0; i < part.count; ++i)
    if (part.tokens[i] < 0 || part.tokens[i] >= root->limits.vocab)
      return makeError(Code::InvalidArgument,
                       "token %lld: expected an id below %lld, got %d",
                       (long long)(start + i), (long long)root->limits.vocab,
                       part.tokens[i]);
  return okStatus();
}

Status Engine::checkParts(const StepPart *parts, int64_t numParts) const {
  int64_t most = root->limits.max_step_tokens, count = 0, outputs = 0;
  for (int64_t i = 0; i < numParts; ++i) {
    const StepPart &part = parts[i];
    bool fits = part.count >= 1 && part.count <= most - count &&
                part.outputs >= 0 && part.outputs <= part.count &&
                part.outputs <= root->limits.max_outputs - outputs;
    if (!fits)
      return makeError(Code::InvalidArgument,
                       "a step takes 1 to %lld tokens and up to %lld of their "
                       "logits rows, got %lld and %lld",
                       (long long)most, (long long)root->limits.max_outputs,
                       (long long)(count + part.count),
                       (long long)(outputs + part.outputs));
    count += part.count;
    outputs += part.outputs;
    if (i > 0 && part.slot <= parts[i - 1].slot)
      return makeError(Code::InvalidArgument,
                       "parts of a step: expected ascending slots, got %lld "
                       "after %lld",
                       (long long)part.slot, (long long)parts[i - 1].slot);
    DSV4_RETURN_IF_ERROR(checkPart(part));
  }
  return okStatus();
}

/// Appends the rows of a part to the step.
void Engine::addPart(const StepPart &part) {
  int64_t begin = step.tokens, start = lengths[part.slot];
  for (int64_t i = 0; i < part.count; ++i) {
    int64_t row = begin + i;
    column(Token)[row] = part.tokens[i];
    column(Position)[row] = int32_t(start + i);
    column(Sequence)[row] = int32_t(part.slot);
    column(FirstRow)[row] = int32_t(begin);
    column(EndRow)[row] = int32_t(begin + part.count);
  }
  for (int64_t i = 0; i < part.outputs; ++i)
    column(OutputRow)[step.outputs + i] =
        int32_t(begin + part.count - part.outputs + i);
  step.tokens += part.count;
  step.outputs += part.outputs;
  int64_t last = start + part.count - 1;
  step.max_position = last > step.max_position ? last : step.max_position;
}

/// Checks parts and makes a step of them.
Status Engine::addParts(const StepPart *parts, int64_t numParts) {
  if (numParts < 1)
    return makeError(Code::InvalidArgument,
                     "a step takes tokens of one slot at least, got none");
  DSV4_RETURN_IF_ERROR(checkParts(parts, numParts));
  step.tokens = step.outputs = step.max_position = 0;
  for (int64_t i = 0; i < numParts; ++i)
    addPart(parts[i]);
  return okStatus();
}

Status Engine::feed(const StepPart *parts, int64_t numParts,
                    PhaseSample *samples) {
  DSV4_RETURN_IF_ERROR(addParts(parts, numParts));
  DSV4_RETURN_IF_ERROR(run(samples));
  for (int64_t i = 0; i < numParts; ++i)
    lengths[parts[i].slot] += parts[i].count;
  return okStatus();
}

Status Engine::profile(const StepPart *parts, int64_t numParts, int repeats,
                       StepProfile &profile) {
  DSV4_RETURN_IF_ERROR(addParts(parts, numParts));
  return device.profile(step, repeats, profile);
}

Status Engine::feed(int64_t slot, const int32_t *tokens, int64_t count,
                    int64_t outputs, PhaseSample *samples) {
  StepPart part = {slot, tokens, count, outputs};
  return feed(&part, 1, samples);
}

Status Engine::prefill(int64_t slot, const int32_t *tokens, int64_t count) {
  int64_t most = root->limits.max_step_tokens;
  for (int64_t at = 0; at < count; at += most) {
    int64_t part = count - at < most ? count - at : most;
    DSV4_RETURN_IF_ERROR(feed(slot, tokens + at, part, at + part == count));
  }
  return okStatus();
}

Status Engine::repeatTo(int64_t slot, int64_t length) {
  int64_t held = lengths[slot];
  if (held < leastRepeated || length < held || length > step.context ||
      held % DSV4_CONTEXT_BLOCK || length % DSV4_CONTEXT_BLOCK)
    return makeError(Code::InvalidArgument,
                     "repeating a context: expected %lld tokens or more and a "
                     "length up to %lld, both multiples of %d, got %lld and "
                     "%lld",
                     (long long)leastRepeated, (long long)step.context,
                     DSV4_CONTEXT_BLOCK, (long long)held, (long long)length);
  for (int64_t i = 0; i < root->num_state_reads; ++i) {
    const dsv4_state_read &read = root->state_reads[i];
    if (!read.ratio)
      continue; // a window holds its last rows already
    // Whole tiles of 16 rows, because rows of a tile are interleaved.
    int64_t period = held / read.ratio / 16 * 16 * read.row_bytes;
    int64_t bytes = length / read.ratio * read.row_bytes;
    DSV4_RETURN_IF_ERROR(repeatState(slot, read.operand, period, bytes));
  }
  lengths[slot] = length;
  return okStatus();
}

const float *Engine::logits(int64_t i) const {
  return (isOnDevice() ? device.logits() : host.logits()) +
         i * root->limits.vocab;
}

Status Engine::run(PhaseSample *samples) {
  return isOnDevice() ? device.run(step, samples) : host.run(step, samples);
}

Status Engine::clearState(int64_t slot) {
  return isOnDevice() ? device.clear(slot) : host.clear(slot);
}

Status Engine::saveState(int64_t slot, void *to) {
  return isOnDevice() ? device.save(slot, to) : host.save(slot, to);
}

Status Engine::restoreState(int64_t slot, const void *from) {
  return isOnDevice() ? device.restore(slot, from) : host.restore(slot, from);
}

Status Engine::repeatState(int64_t slot, int64_t operand, int64_t period,
                           int64_t bytes) {
  return isOnDevice() ? device.repeat(slot, operand, period, bytes)
                      : host.repeat(slot, operand, period, bytes);
}

} // namespace dsv4
