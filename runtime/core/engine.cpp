// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See engine.h.

#include "runtime/core/engine.h"

#include "runtime/base/cpu_features.h"
#include "runtime/base/hash.h"

#include <stdio.h>
#include <string.h>

namespace dsv4 {

namespace {

constexpr uint64_t SnapshotMagic = 0x70616e7334767364ull; // "dsv4snap"

struct SnapshotHeader {
  uint64_t magic;
  uint64_t program; // hash of the identity, target-independent
  uint64_t bytes;   // of the state behind the header
  int64_t context;
  int64_t length; // tokens
  uint64_t hash;  // of the state
};

int64_t roundUp(int64_t value, int64_t to) {
  return (value + to - 1) / to * to;
}

uint64_t programHash(const dsv4_program &program) {
  return xxh64(program.identity, strlen(program.identity));
}

} // namespace

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
  if (root->weights_mode == 0) {
    DSV4_RETURN_IF_ERROR(openEmbeddedWeights(nullptr, file));
  } else {
    char path[4096];
    const char *chosen = options.weightsPath;
    if (!chosen) {
      DSV4_RETURN_IF_ERROR(defaultSidecarPath(path, sizeof(path)));
      chosen = path;
    }
    DSV4_RETURN_IF_ERROR(openSidecarWeights(chosen, root->weights_hash, file));
  }
  if (file.bytes < uint64_t(root->limits.weight_bytes))
    return makeError(Code::Corrupt,
                     "expected %lld bytes of weights, found %llu; compile the "
                     "model again",
                     (long long)root->limits.weight_bytes,
                     (unsigned long long)file.bytes);
  return options.verify || root->weights_mode == 1 ? verifyWeights()
                                                   : okStatus();
}

Status Engine::reserveMemory(const EngineOptions &options) {
  const dsv4_limits &limits = root->limits;
  int64_t tokens = options.context ? options.context : limits.max_context;
  int64_t blocks = roundUp(tokens, DSV4_CONTEXT_BLOCK) / DSV4_CONTEXT_BLOCK;
  Spaces spaces;
  step.context = blocks * DSV4_CONTEXT_BLOCK;
  step.state_stride = roundUp(evaluate(limits.state_bytes, blocks), 4096);
  spaces.scratchStride = roundUp(evaluate(limits.scratch_bytes, blocks), 4096);
  uint64_t perSlot = step.state_stride, perWorker = spaces.scratchStride;
  size_t statePart = reservation.add(perSlot * slots);
  size_t bufferPart = reservation.add(evaluate(limits.buffer_bytes, blocks));
  size_t scratchPart = reservation.add(perWorker * pool.threads());
  size_t addressPart = reservation.add(root->num_operands * sizeof(void *));
  size_t lengthPart = reservation.add(slots * sizeof(int64_t));
  size_t rowPart =
      reservation.add(6 * limits.max_step_tokens * sizeof(int32_t));
  extraPart = reservation.add(options.extraBytes);
  DSV4_RETURN_IF_ERROR(reservation.reserve());
  state = (char *)reservation.address(statePart);
  lengths = (int64_t *)reservation.address(lengthPart);
  rows = (int32_t *)reservation.address(rowPart);
  spaces.weights = file.data;
  spaces.state = state;
  spaces.buffers = reservation.address(bufferPart);
  spaces.scratch = reservation.address(scratchPart);
  executor.open(*root, spaces, blocks,
                (void **)reservation.address(addressPart), pool);
  return okStatus();
}

Status Engine::open(const dsv4_program &program, const EngineOptions &options) {
  root = &program;
  DSV4_RETURN_IF_ERROR(checkOptions(options));
  DSV4_RETURN_IF_ERROR(
      pool.start(options.threads ? options.threads : defaultThreads()));
  DSV4_RETURN_IF_ERROR(openWeights(options));
  return reserveMemory(options);
}

void Engine::close() {
  pool.stop();
  closeWeights(file);
}

void Engine::reset(int64_t slot) {
  // Rows beyond the length are never read, so nothing needs clearing.
  lengths[slot] = 0;
}

Status Engine::feed(int64_t slot, const int32_t *tokens, int64_t count,
                    int64_t outputs, int64_t *phaseNanoseconds) {
  int64_t start = lengths[slot], most = root->limits.max_step_tokens;
  if (start + count > step.context)
    return makeError(Code::InvalidArgument,
                     "the context of %lld tokens is full: %lld are there, %lld "
                     "more do not fit; use a larger --context",
                     (long long)step.context, (long long)start,
                     (long long)count);
  int32_t *token = rows, *position = rows + most, *sequence = rows + 2 * most;
  int32_t *first = rows + 3 * most, *end = rows + 4 * most;
  int32_t *output = rows + 5 * most;
  for (int64_t i = 0; i < count; ++i) {
    if (tokens[i] < 0 || tokens[i] >= root->limits.vocab)
      return makeError(Code::InvalidArgument,
                       "token %lld: expected an id below %lld, got %d",
                       (long long)(start + i), (long long)root->limits.vocab,
                       tokens[i]);
    token[i] = tokens[i];
    position[i] = int32_t(start + i);
    sequence[i] = int32_t(slot);
    first[i] = 0;
    end[i] = int32_t(count);
  }
  for (int64_t i = 0; i < outputs; ++i)
    output[i] = int32_t(count - outputs + i);
  step.tokens = count;
  step.outputs = outputs;
  step.token = token;
  step.position = position;
  step.sequence = sequence;
  step.first_row = first;
  step.end_row = end;
  step.output_row = output;
  step.max_position = start + count - 1;
  executor.run(step, phaseNanoseconds);
  lengths[slot] = start + count;
  return okStatus();
}

Status Engine::prefill(int64_t slot, const int32_t *tokens, int64_t count) {
  int64_t most = root->limits.max_step_tokens;
  for (int64_t at = 0; at < count; at += most) {
    int64_t part = count - at < most ? count - at : most;
    DSV4_RETURN_IF_ERROR(feed(slot, tokens + at, part, at + part == count));
  }
  return okStatus();
}

const float *Engine::logits(int64_t i) const {
  return (const float *)executor.operand(root->logits_operand) +
         i * root->limits.vocab;
}

uint64_t Engine::snapshotBytes() const {
  return sizeof(SnapshotHeader) + step.state_stride;
}

void Engine::save(int64_t slot, void *to) const {
  const char *from = state + slot * step.state_stride;
  SnapshotHeader header = {
      SnapshotMagic, programHash(*root), uint64_t(step.state_stride),
      step.context,  lengths[slot],      xxh64(from, step.state_stride)};
  memcpy(to, &header, sizeof(header));
  memcpy((char *)to + sizeof(header), from, step.state_stride);
}

Status Engine::restore(int64_t slot, const void *from, uint64_t bytes) {
  SnapshotHeader header;
  if (bytes != snapshotBytes())
    return makeError(Code::Mismatch,
                     "snapshot: expected %llu bytes for this context, got %llu",
                     (unsigned long long)snapshotBytes(),
                     (unsigned long long)bytes);
  memcpy(&header, from, sizeof(header));
  const char *data = (const char *)from + sizeof(header);
  if (header.magic != SnapshotMagic ||
      header.bytes != uint64_t(step.state_stride) || header.length < 0 ||
      header.length > step.context)
    return makeError(Code::Corrupt, "snapshot: the header is damaged");
  if (header.program != programHash(*root) || header.context != step.context)
    return makeError(Code::Mismatch,
                     "snapshot: taken from another model or context");
  if (header.hash != xxh64(data, header.bytes))
    return makeError(Code::Corrupt, "snapshot: the state is damaged");
  memcpy(state + slot * step.state_stride, data, header.bytes);
  lengths[slot] = header.length;
  return okStatus();
}

} // namespace dsv4
