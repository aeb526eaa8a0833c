// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench: speed in llama-bench's conventions. -p, -n, -d and -t take lists;
// every combination of a prompt (pp) or generation (tg) test with a depth and a
// thread count is repeated -r times; a generation can feed several sequences in
// each step. Tokens are pseudo-random ids: routing then spreads as it does for
// text of many kinds. Before and after each repetition the machine's own limits
// are measured by the same workers.

#include "runtime/serve/bench.h"
#include "runtime/serve/bench_report.h"
#include "runtime/serve/device_profile.h"

#include <stdlib.h>

namespace dsv4::serve {

namespace {

/// "512,1024" -> numbers; false unless all are in [0, most].
bool readList(const char *text, int64_t most, BenchList &list) {
  while (*text) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || value < 0 || value > most ||
        list.count == BenchList::most || (*end && *end != ','))
      return false;
    list.values[list.count++] = value;
    text = *end ? end + 1 : end;
  }
  return list.count > 0;
}

/// What the machine can do at this moment; zeros: not measured.
struct Limits {
  double read = 0, dots = 0;
};

Status measureLimits(Bench &bench, Limits &limits) {
  limits = {};
  if (bench.engine.isOnDevice())
    return bench.engine.session().measureCopies(limits.read);
  if (bench.hasCeiling)
    limits = {bench.ceiling.readBytes(), bench.ceiling.multiplyAdds()};
  return okStatus();
}

/// One repetition; `took` gets its seconds.
Status repeatOnce(Bench &bench, const BenchTest &test, PhaseSample *samples,
                  double *took) {
  for (int64_t i = 0; i < test.sequences; ++i) {
    DSV4_RETURN_IF_ERROR(bench.engine.reset(i));
    DSV4_RETURN_IF_ERROR(bench.fill(i, test.depth));
  }
  double start = seconds();
  if (test.prompt)
    DSV4_RETURN_IF_ERROR(bench.prefill(0, test.depth, test.prompt, samples));
  else
    DSV4_RETURN_IF_ERROR(
        bench.generate(test.sequences, test.depth, test.gen, samples));
  *took = seconds() - start;
  bench.measureMemory();
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
  // A GPU has run node by node for that, and does so again for a profile.
  bool isOnDevice = bench.engine.isOnDevice();
  if (isOnDevice)
    DSV4_RETURN_IF_ERROR(repeatOnce(bench, test, nullptr, &took));
  PhaseSample *timed = isProfiled && !isOnDevice ? bench.samples : nullptr;
  bench.stepTimes.start(test.gen * test.repeats);
  Limits before, after;
  DSV4_RETURN_IF_ERROR(measureLimits(bench, before));
  for (int i = 0; i < test.repeats && !interrupted(); ++i) {
    DSV4_RETURN_IF_ERROR(repeatOnce(bench, test, timed, &test.samples[i]));
    DSV4_RETURN_IF_ERROR(measureLimits(bench, after));
    test.readCeiling[i] = (before.read + after.read) / 2;
    test.dotCeiling[i] = (before.dots + after.dots) / 2;
    before = after;
  }
  if (interrupted())
    return makeError(Code::Interrupted, "interrupted");
  test.stepP50 = bench.stepTimes.percentile(50);
  test.stepP99 = bench.stepTimes.percentile(99);
  return isProfiled && isOnDevice
             ? repeatOnce(bench, test, bench.samples, &took)
             : okStatus();
}

/// All tests of one thread count.
Status runThreads(const dsv4_program &program, const Flags &f,
                  BenchFormat format, int threads, const BenchLists &lists,
                  int &printed, MemoryUse &memory) {
  static BenchTest test;
  Bench bench;
  BenchNeeds needs;
  needs.threads = threads;
  needs.sequences = lists.sequences.largest();
  needs.steps = lists.gens.largest() * f.repeat;
  DSV4_RETURN_IF_ERROR(openBench(bench, program, f, needs));
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
    test.gpu = bench.engine.isOnDevice() ? bench.engine.session().device().name
                                         : nullptr;
    test.repeats = int(f.repeat);
    if (f.gpuProfile) {
      status = profileOnDevice(bench, test, f.trace, format);
      return;
    }
    bool isProfiled = f.profilePhases || f.trace;
    status = runTest(bench, test, isProfiled);
    if (!status.isOk())
      return;
    test.memory = bench.memory;
    if (!printed) // so that what cannot be opened prints nothing but its error
      printBenchHeader(format);
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
  memory = bench.memory;
  closeBench(bench);
  return status;
}

Status readLists(const Flags &f, BenchLists &lists) {
  auto fits = [](const char *text, const char *usual, int64_t most,
                 BenchList &list) {
    return readList(text ? text : usual, most, list);
  };
  if (!fits(f.promptSizes, "", INT32_MAX, lists.prompts) ||
      !fits(f.genSizes, "", INT32_MAX, lists.gens) ||
      !fits(f.depths, "0", INT32_MAX, lists.depths) ||
      !fits(f.sequenceList, "1", maxTogether, lists.sequences) ||
      (f.threadList &&
       !fits(f.threadList, "", ThreadPool::MaxThreads, lists.threads)))
    return makeError(Code::InvalidArgument,
                     "bench: expected lists of numbers such as 128,512");
  for (int i = 0; i < lists.sequences.count; ++i)
    if (lists.sequences.values[i] < 1)
      return makeError(Code::InvalidArgument,
                       "bench: expected 1 to %lld sequences, got %lld",
                       (long long)maxTogether,
                       (long long)lists.sequences.values[i]);
  return okStatus();
}

/// Every combination of the lists, with each number of threads.
Status runAll(const dsv4_program &program, Flags &f, BenchFormat format,
              BenchLists &lists) {
  if (f.repeat == Flags::notGiven)
    f.repeat = 5;
  if (!lists.threads.count)
    lists.threads.values[lists.threads.count++] = 0;
  Status status = okStatus();
  int printed = 0, engines = 0;
  static MemoryUse memory[BenchList::most];
  for (int i = 0; i < lists.threads.count && status.isOk(); ++i)
    status = runThreads(program, f, format, int(lists.threads.values[i]), lists,
                        printed, memory[engines++]);
  if (f.gpuProfile)
    return status;
  if (!printed && status.isOk())
    printBenchHeader(format);
  if (printed || status.isOk())
    printBenchFooter(format, memory, status.isOk() ? engines : 0);
  return status;
}

constexpr const char *summary =
    "measure speed\n\n"
    "-o ds4 prints ds4-bench's CSV: -p 2048,4096,6144 are ascending context "
    "sizes.\nThe prompt grows to each in turn, which is timed; -n tokens are "
    "generated there\nand forgotten again. One sequence, one number of "
    "threads, each size once.";

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
      {"--repeat-depth", nullptr, FlagSpec::Switch, &f.repeatDepth,
       "compute 2,048 tokens of a depth and repeat their entries"},
      {"--sequences", "-s", FlagSpec::Text, &f.sequenceList,
       "sequences that a step of generation feeds (default 1)"},
      {"--repetitions", "-r", FlagSpec::Integer, &f.repeat,
       "repetitions (default 5), after one that is not counted"},
      {"--threads", "-t", FlagSpec::Text, &f.threadList,
       "thread counts (default: one per core; with a GPU: one)"},
      {"--output", "-o", FlagSpec::Text, &f.format,
       "md, csv, json, jsonl or ds4"},
      {"--profile-phases", nullptr, FlagSpec::Switch, &f.profilePhases,
       "time and bytes of each phase (md and jsonl)"},
      {"--gpu-profile", nullptr, FlagSpec::Switch, &f.gpuProfile,
       "instead: each node of a step's graph alone on the GPU (md and jsonl)"},
      {"--trace", nullptr, FlagSpec::Text, &f.trace,
       "write the last step as a trace for Perfetto"},
      {"--no-ceiling", nullptr, FlagSpec::Switch, &f.noCeiling,
       "do not measure the machine's limits (they take 1 GiB)"},
      {"--no-pin", nullptr, FlagSpec::Switch, &f.noPin,
       "let the system move the threads"},
      {"--context", "-c", FlagSpec::Integer, &f.context, "context in tokens"},
      {"--device", nullptr, FlagSpec::Count, &f.device, deviceHelp},
      {"--quiet", "-q", FlagSpec::Switch, &f.quiet, quietHelp},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "bench", summary, specs,
                  sizeof(specs) / sizeof(*specs), &code))
    return code;
  BenchLists lists;
  if (Status status = readLists(f, lists); !status.isOk())
    return failWith(status);
  BenchFormat format;
  bool isRepeat =
      f.repeat == Flags::notGiven || (f.repeat >= 1 && f.repeat <= maxRepeats);
  if (!isRepeat || !readBenchFormat(f.format, format))
    return failWith(
        "bench: expected 1 to %d repetitions and -o md, csv, json, jsonl or "
        "ds4",
        maxRepeats);
  if ((f.profilePhases || f.gpuProfile) && format != BenchFormat::Markdown &&
      format != BenchFormat::JsonLines)
    return failWith("bench: %s prints with -o md or jsonl",
                    f.gpuProfile ? "--gpu-profile" : "--profile-phases");
  if (f.gpuProfile && !program.cuda)
    return failWith("bench: --gpu-profile: this program is for %s; "
                    "--profile-phases is for a CPU",
                    program.target);
  if (program.cuda && lists.threads.count > 1)
    return failWith("bench: -t: expected one number of threads for a GPU, got "
                    "%d",
                    lists.threads.count);
  Status status = format == BenchFormat::Ds4
                      ? runFrontiers(program, f, lists)
                      : runAll(program, f, format, lists);
  int written = finishStdout();
  return status.isOk() ? written : failWith(status);
}

} // namespace dsv4::serve
