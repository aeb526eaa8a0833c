// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See engine.h.

#include "runtime/core/engine.h"

#include "runtime/base/cpu_features.h"
#include "runtime/base/system_limits.h"

namespace dsv4 {

Status Engine::checkOptions(const EngineOptions &options) {
  if (root->magic != DSV4_PROGRAM_MAGIC ||
      root->abi_version != DSV4_ABI_VERSION)
    return makeError(Code::Mismatch,
                     "the program has ABI version %u, the runtime %u; compile "
                     "the model again",
                     root->abi_version, DSV4_ABI_VERSION);
  DSV4_RETURN_IF_ERROR(
      checkCpu(root->cpu_features, root->target, options.hiddenCpuFeatures));
  const dsv4_limits &limits = root->limits;
  if (options.context < 0 || options.context > limits.max_context)
    return makeError(Code::InvalidArgument,
                     "--context: at most %lld tokens were planned, got %lld; "
                     "compile with a larger --context",
                     (long long)limits.max_context, (long long)options.context);
  if (options.sequences < 1 || options.sequences > limits.max_sequences)
    return makeError(Code::InvalidArgument,
                     "--sequences: 1 to %lld were planned, got %lld; compile "
                     "with more --sequences",
                     (long long)limits.max_sequences,
                     (long long)options.sequences);
  if (options.device && !root->cuda)
    return makeError(Code::InvalidArgument,
                     "--device: this program is for %s; compile with --target "
                     "cuda:... for a GPU",
                     root->target);
  slots = options.sequences;
  return okStatus();
}

Status Engine::verifyWeights() {
  struct Context {
    WeightsFile *file;
    Status status;
    int32_t failed;
  } context = {&file, okStatus(), 0};
  auto check = [](void *argument, int, int64_t begin, int64_t end) {
    auto &c = *static_cast<Context *>(argument);
    Status status = verifyChunks(*c.file, begin, end);
    if (!status.isOk() && !__atomic_exchange_n(&c.failed, 1, __ATOMIC_ACQ_REL))
      c.status = status;
  };
  pool.run(check, &context, file.numChunks, 1);
  return context.status;
}

Status Engine::openWeights(const EngineOptions &options) {
  DSV4_RETURN_IF_ERROR(openProgramWeights(*root, options.weightsPath, file));
  // A file of its own is easily cut or swapped, so it is always read whole.
  bool isChecked = options.verify || root->weights_mode == 1;
  if (!isChecked)
    return okStatus();
  if (!isOnDevice())
    return verifyWeights();
  DSV4_RETURN_IF_ERROR(pool.start(workerCount));
  Status status = verifyWeights();
  pool.stop(); // steps are the GPU's
  return status;
}

MemoryPlan Engine::makePlan(const EngineOptions &options,
                            int64_t tokens) const {
  return planMemory(*root, {tokens, slots, workerCount, options.extraBytes});
}

Status Engine::checkMemory(const MemoryPlan &p) const {
  MemoryLimits limits = readMemoryLimits();
  uint64_t weights = uint64_t(root->limits.weight_bytes);
  uint64_t state = p.stateBytes, needed = p.bytes();
  // Mapped weights are page cache: they take address space, and memory only as
  // far as there is some. Stacks and alignment take address space too.
  uint64_t mapped = needed + weights + Reservation::alignment +
                    uint64_t(workerCount) * ThreadPool::StackBytes;
  bool isAddressSpace = mapped > limits.addressSpace;
  bool isMemory = needed > limits.available;
  if (!p.reservation.isTooLarge() && !isAddressSpace && !isMemory)
    return okStatus();
  uint64_t left = isMemory ? limits.available : limits.addressSpace;
  auto mib = [](uint64_t bytes) {
    return static_cast<unsigned long long>((bytes + (1 << 20) - 1) >> 20);
  };
  return makeError(
      Code::OutOfMemory,
      "too little memory: needs %llu MiB for state (%lld sequences of %lld "
      "tokens), %llu MiB for buffers and scratch, %llu MiB to map weights and "
      "stacks; %llu MiB available (%s); use --context N with fewer tokens%s",
      mib(state), (long long)slots, (long long)p.context, mib(needed - state),
      mib(mapped - needed), mib(left),
      isMemory ? limits.availableBy : "limit of address space",
      slots > 1 ? " or --sequences N" : "");
}

/// Plans memory for so many tokens, and whether there is so much.
Status Engine::planFor(const EngineOptions &options, int64_t tokens) {
  plan = makePlan(options, tokens);
  return isOnDevice() ? device.planFor(plan.context, slots, plan.bytes())
                      : checkMemory(plan);
}

/// Chooses the context, before anything is mapped.
Status Engine::chooseContext(const EngineOptions &options) {
  int64_t tokens = options.context ? options.context : root->limits.max_context;
  Status status = planFor(options, tokens);
  while (status.code == Code::OutOfMemory && !options.context &&
         tokens / 2 >= smallestContext) {
    tokens /= 2;
    status = planFor(options, tokens);
  }
  return status;
}

/// Gives what runs steps its memory, and the step its columns.
Status Engine::connect(const EngineOptions &options) {
  step.context = plan.context;
  if (isOnDevice()) {
    DSV4_RETURN_IF_ERROR(device.load(file, options.upload));
    step.state_stride = device.stateStride();
    rows = device.columns();
    columnRows = device.columnRows();
  } else {
    host.open(*root, plan, file.data, pool);
    step.state_stride = plan.stateStride;
    rows = (int32_t *)plan.reservation.address(plan.rows);
    columnRows = root->limits.max_step_tokens;
  }
  step.token = column(Token);
  step.position = column(Position);
  step.sequence = column(Sequence);
  step.first_row = column(FirstRow);
  step.end_row = column(EndRow);
  step.output_row = column(OutputRow);
  return okStatus();
}

Status Engine::start(const EngineOptions &options) {
  DSV4_RETURN_IF_ERROR(checkOptions(options));
  int cores = defaultThreads();
  workerCount = options.threads ? options.threads : cores;
  bool isPinned = options.pin == EngineOptions::Auto
                      ? workerCount >= cores
                      : options.pin == EngineOptions::On;
  if (isOnDevice())
    DSV4_RETURN_IF_ERROR(device.prepare(*root, options.device, options.driver));
  DSV4_RETURN_IF_ERROR(chooseContext(options));
  if (!isOnDevice())
    DSV4_RETURN_IF_ERROR(pool.start(workerCount, isPinned));
  DSV4_RETURN_IF_ERROR(plan.reservation.reserve());
  lengths = (int64_t *)plan.reservation.address(plan.lengths);
  DSV4_RETURN_IF_ERROR(openWeights(options));
  return connect(options);
}

Status Engine::open(const dsv4_program &program, const EngineOptions &options) {
  root = &program;
  plan = {};
  Status status = start(options);
  if (!status.isOk())
    close();
  return status;
}

void Engine::close() {
  pool.stop();
  device.close();
  plan.reservation.release();
  closeWeights(file);
}

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

Status Engine::feed(const StepPart *parts, int64_t numParts,
                    PhaseSample *samples) {
  if (numParts < 1)
    return makeError(Code::InvalidArgument,
                     "a step takes tokens of one slot at least, got none");
  DSV4_RETURN_IF_ERROR(checkParts(parts, numParts));
  step.tokens = step.outputs = step.max_position = 0;
  for (int64_t i = 0; i < numParts; ++i)
    addPart(parts[i]);
  DSV4_RETURN_IF_ERROR(run(samples));
  for (int64_t i = 0; i < numParts; ++i)
    lengths[parts[i].slot] += parts[i].count;
  return okStatus();
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
