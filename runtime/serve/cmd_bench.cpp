// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench: speed in llama-bench's conventions. -p, -n, -d and -t take lists;
// every combination of a prompt (pp) or generation (tg) test with a depth and a
// thread count is repeated -r times; a generation can feed several sequences in
// each step. Tokens are pseudo-random ids: routing then spreads as it does for
// text of many kinds. Before and after each repetition the machine's own limits
// are measured by the same workers.

#include "runtime/core/ceiling.h"
#include "runtime/serve/bench_report.h"
#include "runtime/serve/cli.h"

#include <stdlib.h>
#include <string.h>

namespace dsv4::serve {

namespace {

constexpr int MaxList = 32;
constexpr int64_t MaxStep = 4096; // tokens of one call

struct List {
  int64_t values[MaxList];
  int count = 0;

  int64_t largest() const {
    int64_t most = 0;
    for (int i = 0; i < count; ++i)
      most = values[i] > most ? values[i] : most;
    return most;
  }
};

/// What every thread count is measured with.
struct Lists {
  List prompts, gens, depths, sequences;
};

/// "512,1024" -> numbers; false unless all are in [0, most].
bool readList(const char *text, int64_t most, List &list) {
  while (*text) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || value < 0 || value > most || list.count == MaxList ||
        (*end && *end != ','))
      return false;
    list.values[list.count++] = value;
    text = *end ? end + 1 : end;
  }
  return list.count > 0;
}

int32_t tokenAt(int64_t i, int64_t vocab) {
  uint64_t x = uint64_t(i) * 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9ull;
  return int32_t((x >> 33) % uint64_t(vocab));
}

/// One thread count's engine, and what its tests measure beside the time.
struct Bench {
  Engine engine;
  Ceiling ceiling;
  bool hasCeiling = false;
  PhaseSample *samples = nullptr; // [num_phases]
  int64_t steps = 0;              // that samples add up

  void clearSamples() {
    memset(samples, 0, sizeof(*samples) * size_t(engine.program().num_phases));
    steps = 0;
  }
};

/// Token `at` of a sequence; each has its own.
int32_t tokenOf(const Bench &bench, int64_t sequence, int64_t at) {
  return tokenAt(at + sequence * 7919, bench.engine.vocab());
}

/// Feeds `count` tokens from position `from` to one sequence, in full steps.
Status prefill(Bench &bench, int64_t sequence, int64_t from, int64_t count,
               PhaseSample *samples) {
  static int32_t ids[MaxStep];
  Engine &engine = bench.engine;
  int64_t chunk = engine.maxStepTokens();
  chunk = chunk < MaxStep ? chunk : MaxStep;
  for (int64_t at = 0; at < count && !interrupted();) {
    int64_t part = count - at < chunk ? count - at : chunk;
    for (int64_t i = 0; i < part; ++i)
      ids[i] = tokenOf(bench, sequence, from + at + i);
    DSV4_RETURN_IF_ERROR(
        engine.feed(sequence, ids, part, at + part == count, samples));
    bench.steps += samples != nullptr;
    at += part;
  }
  return okStatus();
}

/// Adds `count` tokens from position `from` to each sequence, one of each in a
/// step.
Status generate(Bench &bench, int64_t sequences, int64_t from, int64_t count,
                PhaseSample *samples) {
  static int32_t ids[maxTogether];
  static StepPart parts[maxTogether];
  for (int64_t at = from; at < from + count && !interrupted(); ++at) {
    for (int64_t s = 0; s < sequences; ++s) {
      ids[s] = tokenOf(bench, s, at);
      parts[s] = {s, &ids[s], 1, 1};
    }
    DSV4_RETURN_IF_ERROR(bench.engine.feed(parts, sequences, samples));
    bench.steps += samples != nullptr;
  }
  return okStatus();
}

/// What the machine can do at this moment; zeros: not measured.
struct Limits {
  double read = 0, dots = 0;
};

Limits measureLimits(Bench &bench) {
  if (!bench.hasCeiling)
    return {};
  return {bench.ceiling.readBytes(), bench.ceiling.multiplyAdds()};
}

/// One repetition; `took` gets its seconds.
Status repeatOnce(Bench &bench, const BenchTest &test, PhaseSample *samples,
                  double *took) {
  for (int64_t i = 0; i < test.sequences; ++i) {
    bench.engine.reset(i);
    DSV4_RETURN_IF_ERROR(prefill(bench, i, 0, test.depth, nullptr));
  }
  double start = seconds();
  if (test.prompt)
    DSV4_RETURN_IF_ERROR(prefill(bench, 0, test.depth, test.prompt, samples));
  else
    DSV4_RETURN_IF_ERROR(
        generate(bench, test.sequences, test.depth, test.gen, samples));
  *took = seconds() - start;
  return okStatus();
}

Status runTest(Bench &bench, BenchTest &test, bool isProfiled) {
  // The run that is not counted says what work a repetition is.
  double took;
  bench.clearSamples();
  DSV4_RETURN_IF_ERROR(repeatOnce(bench, test, bench.samples, &took));
  test.traffic = {};
  for (int64_t i = 0; i < bench.engine.program().num_phases; ++i)
    test.traffic.add(bench.samples[i].traffic);
  bench.clearSamples();
  Limits before = measureLimits(bench);
  for (int i = 0; i < test.repeats && !interrupted(); ++i) {
    DSV4_RETURN_IF_ERROR(repeatOnce(
        bench, test, isProfiled ? bench.samples : nullptr, &test.samples[i]));
    Limits after = measureLimits(bench);
    test.readCeiling[i] = (before.read + after.read) / 2;
    test.dotCeiling[i] = (before.dots + after.dots) / 2;
    before = after;
  }
  if (interrupted())
    return makeError(Code::Interrupted, "interrupted");
  return okStatus();
}

/// Opens what the tests of one thread count need.
Status openBench(Bench &bench, const dsv4_program &program, const Flags &f,
                 int threads, int64_t sequences) {
  EngineOptions options = engineOptions(f);
  options.sequences = sequences;
  options.threads = threads;
  options.pin = f.noPin ? EngineOptions::Off : EngineOptions::On;
  options.extraBytes = sizeof(PhaseSample) * uint64_t(program.num_phases);
  DSV4_RETURN_IF_ERROR(bench.engine.open(program, options));
  bench.samples = static_cast<PhaseSample *>(bench.engine.extra());
  if (f.noCeiling)
    return okStatus();
  Status status =
      bench.ceiling.open(bench.engine.workers(), program.cpu_features);
  bench.hasCeiling = status.isOk();
  if (bench.hasCeiling)
    return status;
  bench.engine.close();
  return makeError(status.code,
                   "measuring the machine's limits: %s; use --no-ceiling",
                   status.message);
}

/// All tests of one thread count.
Status runThreads(const dsv4_program &program, const Flags &f,
                  BenchFormat format, int threads, const Lists &lists,
                  int &printed) {
  static BenchTest test;
  Bench bench;
  DSV4_RETURN_IF_ERROR(
      openBench(bench, program, f, threads, lists.sequences.largest()));
  Status status = okStatus();
  auto measure = [&](int64_t prompt, int64_t gen, int64_t depth,
                     int64_t sequences) {
    if (!status.isOk() || prompt + gen == 0)
      return;
    test.prompt = prompt;
    test.gen = gen;
    test.depth = depth;
    test.sequences = sequences;
    test.context = bench.engine.context();
    test.threads = bench.engine.workers().threads();
    test.repeats = int(f.repeat);
    bool isProfiled = f.profilePhases || f.trace;
    status = runTest(bench, test, isProfiled);
    if (!status.isOk())
      return;
    printBenchTest(format, program, test, printed++);
    if (f.profilePhases)
      printPhases(format, program, bench.samples, bench.steps,
                  averageReadCeiling(test));
    if (f.trace)
      status = writeTrace(f.trace, program, bench.samples);
  };
  for (int d = 0; d < lists.depths.count; ++d) {
    int64_t depth = lists.depths.values[d];
    for (int i = 0; i < lists.prompts.count; ++i)
      measure(lists.prompts.values[i], 0, depth, 1);
    for (int i = 0; i < lists.gens.count; ++i)
      for (int s = 0; s < lists.sequences.count; ++s)
        measure(0, lists.gens.values[i], depth, lists.sequences.values[s]);
  }
  if (bench.hasCeiling)
    bench.ceiling.close();
  bench.engine.close();
  return status;
}

} // namespace

int benchCommand(const dsv4_program &program, int argc, char **argv) {
  Flags f;
  const FlagSpec specs[] = {
      {"--n-prompt", "-p", FlagSpec::Text, &f.promptSizes,
       "prompt sizes (default 512; 0: none)"},
      {"--n-gen", "-n", FlagSpec::Text, &f.genSizes,
       "generated tokens (default 128; 0: none)"},
      {"--n-depth", "-d", FlagSpec::Text, &f.depths,
       "tokens in the context before the test (default 0)"},
      {"--sequences", "-s", FlagSpec::Text, &f.sequenceList,
       "sequences that a step of generation feeds (default 1)"},
      {"--repetitions", "-r", FlagSpec::Integer, &f.repeat,
       "repetitions (default 5), after one that is not counted"},
      {"--threads", "-t", FlagSpec::Text, &f.threadList,
       "thread counts (default: one per core)"},
      {"--output", "-o", FlagSpec::Text, &f.format, "md, csv, json or jsonl"},
      {"--profile-phases", nullptr, FlagSpec::Switch, &f.profilePhases,
       "time and bytes of each phase (md and jsonl)"},
      {"--trace", nullptr, FlagSpec::Text, &f.trace,
       "write the last step as a trace for Perfetto"},
      {"--no-ceiling", nullptr, FlagSpec::Switch, &f.noCeiling,
       "do not measure the machine's limits (they take 1 GiB)"},
      {"--no-pin", nullptr, FlagSpec::Switch, &f.noPin,
       "let the system move the threads"},
      {"--context", "-c", FlagSpec::Integer, &f.context, "context in tokens"},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "bench", "measure speed", specs,
                  sizeof(specs) / sizeof(*specs), &code))
    return code;
  Lists lists;
  List threads;
  if (!readList(f.promptSizes, INT32_MAX, lists.prompts) ||
      !readList(f.genSizes, INT32_MAX, lists.gens) ||
      !readList(f.depths, INT32_MAX, lists.depths) ||
      !readList(f.sequenceList, maxTogether, lists.sequences) ||
      (f.threadList &&
       !readList(f.threadList, ThreadPool::MaxThreads, threads)))
    return failWith("bench: expected lists of numbers such as 128,512");
  for (int i = 0; i < lists.sequences.count; ++i)
    if (lists.sequences.values[i] < 1)
      return failWith("bench: expected 1 to %lld sequences, got %lld",
                      (long long)maxTogether,
                      (long long)lists.sequences.values[i]);
  BenchFormat format;
  if (f.repeat < 1 || f.repeat > maxRepeats ||
      !readBenchFormat(f.format, format))
    return failWith(
        "bench: expected 1 to %d repetitions and -o md, csv, json or "
        "jsonl",
        maxRepeats);
  if (f.profilePhases && format != BenchFormat::Markdown &&
      format != BenchFormat::JsonLines)
    return failWith("bench: --profile-phases prints with -o md or jsonl");
  if (!threads.count)
    threads.values[threads.count++] = 0;
  printBenchHeader(format);
  Status status = okStatus();
  int printed = 0;
  for (int i = 0; i < threads.count && status.isOk(); ++i)
    status =
        runThreads(program, f, format, int(threads.values[i]), lists, printed);
  printBenchFooter(format);
  int written = finishStdout();
  return status.isOk() ? written : failWith(status);
}

} // namespace dsv4::serve
