// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See bench.h.

#include "runtime/serve/bench.h"

#include <string.h>

namespace dsv4::serve {

namespace {

constexpr int64_t MaxStep = 4096; // tokens of one call

/// Of each of the two buffers that copies on a GPU are measured with: larger
/// than the caches of any so far.
constexpr uint64_t copyBytes = uint64_t(256) << 20;

/// Token `at` of a sequence; each has its own.
int32_t tokenOf(int64_t sequence, int64_t at, int64_t vocab) {
  uint64_t x = uint64_t(at + sequence * 7919) * 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9ull;
  return int32_t((x >> 33) % uint64_t(vocab));
}

} // namespace

void Bench::clearSamples() {
  memset(samples, 0, sizeof(*samples) * size_t(engine.program().num_phases));
  steps = 0;
}

void Bench::measureMemory() {
  if (engine.isOnDevice())
    return; // the driver's own is in it
  uint64_t now = anonymousBytes();
  uint64_t own = now > foreignBytes ? now - foreignBytes : 0;
  memory.peak = own > memory.peak ? own : memory.peak;
}

Status Bench::prefill(int64_t sequence, int64_t from, int64_t count,
                      PhaseSample *to) {
  static int32_t ids[MaxStep];
  int64_t chunk = engine.maxStepTokens();
  chunk = chunk < MaxStep ? chunk : MaxStep;
  for (int64_t at = 0; at < count && !interrupted();) {
    int64_t part = count - at < chunk ? count - at : chunk;
    for (int64_t i = 0; i < part; ++i)
      ids[i] = tokenOf(sequence, from + at + i, engine.vocab());
    DSV4_RETURN_IF_ERROR(
        engine.feed(sequence, ids, part, at + part == count, to));
    steps += to != nullptr;
    at += part;
  }
  return okStatus();
}

Status Bench::fill(int64_t sequence, int64_t depth) {
  int64_t whole = depth - depth % DSV4_CONTEXT_BLOCK;
  int64_t computed = Engine::leastRepeated;
  if (!isRepeating || whole <= computed)
    return prefill(sequence, 0, depth);
  DSV4_RETURN_IF_ERROR(prefill(sequence, 0, computed));
  if (interrupted())
    return okStatus();
  DSV4_RETURN_IF_ERROR(engine.repeatTo(sequence, whole));
  return prefill(sequence, whole, depth - whole);
}

Status Bench::generate(int64_t sequences, int64_t from, int64_t count,
                       PhaseSample *to) {
  static int32_t ids[maxTogether];
  static StepPart parts[maxTogether];
  for (int64_t at = from; at < from + count && !interrupted(); ++at) {
    for (int64_t s = 0; s < sequences; ++s) {
      ids[s] = tokenOf(s, at, engine.vocab());
      parts[s] = {s, &ids[s], 1, 1};
    }
    double start = seconds();
    DSV4_RETURN_IF_ERROR(engine.feed(parts, sequences, to));
    stepTimes.add(seconds() - start);
    steps += to != nullptr;
  }
  return okStatus();
}

Status Bench::profile(int64_t prompt, int64_t sequences, int64_t depth,
                      int repeats, StepProfile &result) {
  static int32_t ids[MaxStep];
  static StepPart parts[maxTogether];
  int64_t most =
      engine.maxStepTokens() < MaxStep ? engine.maxStepTokens() : MaxStep;
  int64_t count = prompt ? (prompt < most ? prompt : most) : 1, used = 0;
  for (int64_t s = 0; s < sequences; ++s) {
    DSV4_RETURN_IF_ERROR(engine.reset(s));
    DSV4_RETURN_IF_ERROR(fill(s, depth));
    parts[s] = {s, ids + used, count, 1};
    for (int64_t i = 0; i < count && used < MaxStep; ++i)
      ids[used++] = tokenOf(s, depth + i, engine.vocab());
  }
  if (interrupted())
    return makeError(Code::Interrupted, "interrupted");
  DSV4_RETURN_IF_ERROR(engine.profile(parts, sequences, repeats, result));
  for (int64_t s = 0; s < sequences; ++s)
    DSV4_RETURN_IF_ERROR(engine.reset(s));
  return okStatus();
}

/// What the machine's limits are measured with.
static Status openLimits(Bench &bench, const dsv4_program &program) {
  if (bench.engine.isOnDevice())
    return bench.engine.session().openCopies(copyBytes);
  uint64_t before = anonymousBytes();
  Status status =
      bench.ceiling.open(bench.engine.workers(), program.cpu_features);
  bench.hasCeiling = status.isOk();
  bench.foreignBytes += anonymousBytes() - before;
  return status;
}

Status openBench(Bench &bench, const dsv4_program &program, const Flags &flags,
                 const BenchNeeds &needs) {
  EngineOptions options = engineOptions(flags);
  options.sequences = needs.sequences;
  options.threads = needs.threads;
  options.pin = flags.noPin ? EngineOptions::Off : EngineOptions::On;
  uint64_t sampleBytes = sizeof(PhaseSample) * uint64_t(program.num_phases);
  int64_t places =
      needs.steps < StepTimes::mostRoom ? needs.steps : StepTimes::mostRoom;
  uint64_t timeBytes = sizeof(double) * uint64_t(places);
  options.extraBytes = sampleBytes + timeBytes + needs.snapshotBytes;
  bench.isRepeating = flags.repeatDepth;
  bench.foreignBytes = anonymousBytes();
  DSV4_RETURN_IF_ERROR(bench.engine.open(program, options));
  bench.memory.threads = bench.engine.workers().threads();
  bench.memory.setPlan(bench.engine.memoryPlan());
  if (bench.engine.isOnDevice())
    bench.memory.setDevicePlan(bench.engine.session().devicePlan());
  char *extra = static_cast<char *>(bench.engine.extra());
  bench.samples = reinterpret_cast<PhaseSample *>(extra);
  bench.stepTimes.open(reinterpret_cast<double *>(extra + sampleBytes), places);
  bench.snapshot = extra + sampleBytes + timeBytes;
  if (flags.noCeiling)
    return okStatus();
  Status status = openLimits(bench, program);
  if (status.isOk())
    return status;
  bench.engine.close();
  return makeError(status.code,
                   "measuring the machine's limits: %s; use --no-ceiling",
                   status.message);
}

void closeBench(Bench &bench) {
  if (bench.hasCeiling)
    bench.ceiling.close();
  bench.engine.close();
}

} // namespace dsv4::serve
