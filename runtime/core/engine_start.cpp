// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How an engine opens: what the options ask for, whether this machine can do
// it, and then memory, weights and what runs steps, in the order of what they
// cost.

#include "runtime/base/cpu_features.h"
#include "runtime/base/system_limits.h"
#include "runtime/core/engine.h"

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

} // namespace dsv4
