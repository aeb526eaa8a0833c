// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench: speed in llama-bench's conventions. -p, -n, -d and -t take lists;
// every combination of a prompt (pp) or generation (tg) test with a depth and a
// thread count is repeated -r times. Tokens are pseudo-random ids: routing then
// spreads as it does for text of many kinds.

#include "runtime/serve/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

namespace dsv4::serve {

namespace {

constexpr int MaxList = 32, MaxRepeats = 1000;
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

struct Test {
  int64_t prompt, gen, depth;
  int threads;
  double samples[MaxRepeats]; // seconds
  int repeats;

  int64_t tokens() const { return prompt ? prompt : gen; }
  double rate(int i) const { return double(tokens()) / samples[i]; }
};

struct Mean {
  double average = 0, deviation = 0;
};

/// Average and sample deviation, as llama-bench reports them.
template <class F> Mean meanOf(const Test &test, F value) {
  Mean m;
  for (int i = 0; i < test.repeats; ++i)
    m.average += value(i) / test.repeats;
  double sum = 0;
  for (int i = 0; i < test.repeats; ++i)
    sum += (value(i) - m.average) * (value(i) - m.average);
  if (test.repeats > 1)
    m.deviation = __builtin_sqrt(sum / (test.repeats - 1));
  return m;
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

Status runTest(Engine &engine, Test &test) {
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

void printHeader(const char *format, const dsv4_program &program) {
  if (!strcmp(format, "md")) {
    printf(
        "| model | size | threads | test | t/s |\n| --- | ---: | ---: | ---: "
        "| ---: |\n");
    (void)program;
  } else if (!strcmp(format, "csv")) {
    printf("model_type,model_size,target,n_threads,n_prompt,n_gen,n_depth,"
           "test_time,avg_ns,stddev_ns,avg_ts,stddev_ts\n");
  } else if (!strcmp(format, "json")) {
    printf("[\n");
  }
}

void printJson(const dsv4_program &p, const Test &t, const char *when, Mean ns,
               Mean ts) {
  printf("{\"build_commit\":\"\",\"build_number\":%u,\"model_type\":\"%s\","
         "\"model_size\":%lld,\"target\":\"%s\",\"backends\":\"CPU\","
         "\"n_threads\":%d,\"n_batch\":%lld,\"n_prompt\":%lld,\"n_gen\":%lld,"
         "\"n_depth\":%lld,\"test_time\":\"%s\",\"avg_ns\":%.0f,"
         "\"stddev_ns\":%.0f,\"avg_ts\":%.6f,\"stddev_ts\":%.6f,",
         p.abi_version, p.identity, (long long)p.limits.weight_bytes, p.target,
         t.threads, (long long)p.limits.max_step_tokens, (long long)t.prompt,
         (long long)t.gen, (long long)t.depth, when, ns.average, ns.deviation,
         ts.average, ts.deviation);
  printf("\"samples_ns\":[");
  for (int i = 0; i < t.repeats; ++i)
    printf("%s%.0f", i ? "," : "", t.samples[i] * 1e9);
  printf("],\"samples_ts\":[");
  for (int i = 0; i < t.repeats; ++i)
    printf("%s%.6f", i ? "," : "", t.rate(i));
  printf("]}");
}

void printTest(const char *format, const dsv4_program &p, const Test &t,
               bool isFirst) {
  Mean ns = meanOf(t, [&](int i) { return t.samples[i] * 1e9; });
  Mean ts = meanOf(t, [&](int i) { return t.rate(i); });
  char when[32] = "", name[64];
  time_t now = time(nullptr);
  struct tm utc;
  strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  if (!strcmp(format, "json") || !strcmp(format, "jsonl")) {
    if (!strcmp(format, "json") && !isFirst)
      printf(",\n");
    printJson(p, t, when, ns, ts);
    if (!strcmp(format, "jsonl"))
      printf("\n");
  } else if (!strcmp(format, "csv")) {
    printf("\"%s\",%lld,%s,%d,%lld,%lld,%lld,%s,%.0f,%.0f,%.6f,%.6f\n",
           p.identity, (long long)p.limits.weight_bytes, p.target, t.threads,
           (long long)t.prompt, (long long)t.gen, (long long)t.depth, when,
           ns.average, ns.deviation, ts.average, ts.deviation);
  } else {
    snprintf(name, sizeof(name), "%s%lld", t.prompt ? "pp" : "tg",
             (long long)t.tokens());
    if (t.depth)
      snprintf(name + strlen(name), sizeof(name) - strlen(name), " @ d%lld",
               (long long)t.depth);
    printf("| %s | %.2f GiB | %d | %s | %.2f ± %.2f |\n", p.identity,
           double(p.limits.weight_bytes) / (1 << 30), t.threads, name,
           ts.average, ts.deviation);
  }
  fflush(stdout);
}

/// All tests of one thread count.
Status runThreads(const dsv4_program &program, const Flags &f, int threads,
                  const List &prompts, const List &gens, const List &depths,
                  int &printed) {
  static Test test;
  EngineOptions options;
  options.threads = threads;
  options.context = f.context;
  options.weightsPath = f.weights;
  Engine engine;
  DSV4_RETURN_IF_ERROR(engine.open(program, options));
  Status status = okStatus();
  auto measure = [&](int64_t prompt, int64_t gen, int64_t depth) {
    if (!status.isOk() || prompt + gen == 0)
      return;
    test.prompt = prompt;
    test.gen = gen;
    test.depth = depth;
    test.threads = engine.workers().threads();
    test.repeats = int(f.repeat);
    status = runTest(engine, test);
    if (status.isOk())
      printTest(f.format, program, test, printed++ == 0);
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

bool isFormat(const char *format) {
  for (const char *known : {"md", "csv", "json", "jsonl"})
    if (!strcmp(format, known))
      return true;
  return false;
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
  if (f.repeat < 1 || f.repeat > MaxRepeats || !isFormat(f.format))
    return failWith(
        "bench: expected 1 to %d repetitions and -o md, csv, json or "
        "jsonl",
        MaxRepeats);
  if (!threads.count)
    threads.values[threads.count++] = 0;
  printHeader(f.format, program);
  Status status = okStatus();
  int printed = 0;
  for (int i = 0; i < threads.count && status.isOk(); ++i)
    status = runThreads(program, f, int(threads.values[i]), prompts, gens,
                        depths, printed);
  if (!strcmp(f.format, "json"))
    printf("\n]\n");
  int written = finishStdout();
  return status.isOk() ? written : failWith(status);
}

} // namespace dsv4::serve
