// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench: speed in llama-bench's conventions. -p, -n, -d and -t take lists;
// every combination of a prompt (pp) or generation (tg) test with a depth and a
// thread count is repeated -r times. Tokens are pseudo-random ids: routing then
// spreads as it does for text of many kinds.

#include "runtime/serve/bench_report.h"
#include "runtime/serve/cli.h"

#include <stdlib.h>

namespace dsv4::serve {

namespace {

constexpr int MaxList = 32;
constexpr int64_t MaxStep = 4096; // tokens of one call

struct List {
  int64_t values[MaxList];
  int count = 0;
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

/// Feeds `count` tokens from position `from`, in full steps or one by one.
Status feedTokens(Engine &engine, int64_t from, int64_t count, int64_t chunk) {
  static int32_t ids[MaxStep];
  for (int64_t at = 0; at < count && !interrupted();) {
    int64_t part = count - at < chunk ? count - at : chunk;
    for (int64_t i = 0; i < part; ++i)
      ids[i] = tokenAt(from + at + i, engine.vocab());
    DSV4_RETURN_IF_ERROR(
        engine.feed(0, ids, part, at + part == count || chunk == 1));
    at += part;
  }
  return okStatus();
}

Status runTest(Engine &engine, BenchTest &test) {
  int64_t step = engine.maxStepTokens();
  step = step < MaxStep ? step : MaxStep;
  for (int i = -1; i < test.repeats && !interrupted(); ++i) { // -1: warm-up
    engine.reset(0);
    DSV4_RETURN_IF_ERROR(feedTokens(engine, 0, test.depth, step));
    double start = seconds();
    DSV4_RETURN_IF_ERROR(
        feedTokens(engine, test.depth, test.tokens(), test.prompt ? step : 1));
    if (i >= 0)
      test.samples[i] = seconds() - start;
  }
  if (interrupted())
    return makeError(Code::Interrupted, "interrupted");
  return okStatus();
}

/// All tests of one thread count.
Status runThreads(const dsv4_program &program, const Flags &f,
                  BenchFormat format, int threads, const List &prompts,
                  const List &gens, const List &depths, int &printed) {
  static BenchTest test;
  EngineOptions options = engineOptions(f);
  options.threads = threads;
  Engine engine;
  DSV4_RETURN_IF_ERROR(engine.open(program, options));
  Status status = okStatus();
  auto measure = [&](int64_t prompt, int64_t gen, int64_t depth) {
    if (!status.isOk() || prompt + gen == 0)
      return;
    test.prompt = prompt;
    test.gen = gen;
    test.depth = depth;
    test.context = engine.context();
    test.threads = engine.workers().threads();
    test.repeats = int(f.repeat);
    status = runTest(engine, test);
    if (status.isOk())
      printBenchTest(format, program, test, printed++);
  };
  for (int d = 0; d < depths.count; ++d) {
    for (int i = 0; i < prompts.count; ++i)
      measure(prompts.values[i], 0, depths.values[d]);
    for (int i = 0; i < gens.count; ++i)
      measure(0, gens.values[i], depths.values[d]);
  }
  engine.close();
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
      {"--repetitions", "-r", FlagSpec::Integer, &f.repeat,
       "repetitions (default 5), after one that is not counted"},
      {"--threads", "-t", FlagSpec::Text, &f.threadList,
       "thread counts (default: one per core)"},
      {"--output", "-o", FlagSpec::Text, &f.format, "md, csv, json or jsonl"},
      {"--context", "-c", FlagSpec::Integer, &f.context, "context in tokens"},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "bench", "measure speed", specs,
                  sizeof(specs) / sizeof(*specs), &code))
    return code;
  List prompts, gens, depths, threads;
  if (!readList(f.promptSizes, INT32_MAX, prompts) ||
      !readList(f.genSizes, INT32_MAX, gens) ||
      !readList(f.depths, INT32_MAX, depths) ||
      (f.threadList &&
       !readList(f.threadList, ThreadPool::MaxThreads, threads)))
    return failWith("bench: expected lists of numbers such as 128,512");
  BenchFormat format;
  if (f.repeat < 1 || f.repeat > maxRepeats ||
      !readBenchFormat(f.format, format))
    return failWith(
        "bench: expected 1 to %d repetitions and -o md, csv, json or "
        "jsonl",
        maxRepeats);
  if (!threads.count)
    threads.values[threads.count++] = 0;
  printBenchHeader(format);
  Status status = okStatus();
  int printed = 0;
  for (int i = 0; i < threads.count && status.isOk(); ++i)
    status = runThreads(program, f, format, int(threads.values[i]), prompts,
                        gens, depths, printed);
  printBenchFooter(format);
  int written = finishStdout();
  return status.isOk() ? written : failWith(status);
}

} // namespace dsv4::serve
