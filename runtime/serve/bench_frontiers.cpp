// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bench -o ds4: the table of ds4-bench. One sequence grows from frontier to
// frontier; each part of the prompt is timed, then so is a generation behind
// it. The generation must not count as context of the next part, and a sequence
// cannot be cut back: generated tokens have replaced rows of the window's ring
// and moved on the compressors' carried rows. So its state is saved at the
// frontier and restored, outside the timed parts.

#include "runtime/serve/bench.h"

#include <stdio.h>

namespace dsv4::serve {

namespace {

/// One line of the table.
struct Frontier {
  int64_t context, prefilled, generated;
  double prefill = 0, first = 0, steady = 0; // seconds
};

void printFrontier(const dsv4_program &program, const Frontier &f) {
  auto rate = [](int64_t tokens, double took) {
    return took > 0 ? double(tokens) / took : 0;
  };
  int64_t bytes =
      evaluate(program.limits.state_bytes, contextBlocks(f.context));
  printf("%lld,%lld,%.2f,%lld,%.2f,%.3f,%lld,%.2f,%lld\n", (long long)f.context,
         (long long)f.prefilled, rate(f.prefilled, f.prefill),
         (long long)f.generated, rate(f.generated, f.first + f.steady),
         f.first * 1e3, (long long)f.generated - 1,
         rate(f.generated - 1, f.steady), (long long)bytes);
  fflush(stdout);
}

Status checkFlags(const Flags &flags, const BenchLists &lists) {
  auto refuse = [](const char *flag, const char *why) {
    return makeError(Code::InvalidArgument, "bench: %s: -o ds4 %s", flag, why);
  };
  if (flags.depths)
    return refuse("-d", "measures behind the contexts of -p; leave it out");
  if (flags.sequenceList)
    return refuse("-s", "measures one sequence; leave it out");
  if (flags.repeat != Flags::notGiven)
    return refuse("-r", "measures each context once; leave it out");
  if (flags.repeatDepth)
    return refuse("--repeat-depth", "computes each context; leave it out");
  if (flags.trace)
    return refuse("--trace", "writes none; use another format");
  if (flags.gpuProfile)
    return refuse("--gpu-profile", "prints none; use another format");
  if (lists.threads.count > 1)
    return refuse("-t", "takes one number of threads, for one table");
  if (lists.gens.count != 1 || lists.gens.values[0] < 1)
    return refuse("-n", "takes one number of at least 1 token");
  int64_t last = 0;
  for (int i = 0; i < lists.prompts.count; ++i) {
    if (lists.prompts.values[i] <= last)
      return refuse("-p", "takes context sizes in ascending order from 1");
    last = lists.prompts.values[i];
  }
  return okStatus();
}

/// As much context as the last frontier and its generation need; a --context of
/// the user is checked against that.
Status chooseContext(const dsv4_program &program, const BenchLists &lists,
                     Flags &flags) {
  int64_t needed = lists.prompts.largest() + lists.gens.values[0];
  int64_t most = flags.context ? flags.context : program.limits.max_context;
  if (needed > most)
    return makeError(Code::InvalidArgument,
                     "bench: -p and -n: the last context and its generation "
                     "are %lld tokens, at most %lld fit; %s",
                     (long long)needed, (long long)most,
                     flags.context ? "use a larger --context"
                                   : "compile with a larger --context");
  if (!flags.context)
    flags.context = needed;
  return okStatus();
}

/// Weights come into memory, and workers awake: a step and a token that do not
/// count.
Status warmUp(Bench &bench, int64_t tokens) {
  int64_t step = bench.engine.maxStepTokens();
  int64_t count = tokens < step ? tokens : step;
  DSV4_RETURN_IF_ERROR(bench.prefill(0, 0, count));
  DSV4_RETURN_IF_ERROR(bench.generate(1, count, 1));
  return bench.engine.reset(0);
}

Status measure(Bench &bench, Frontier &f) {
  double start = seconds();
  DSV4_RETURN_IF_ERROR(bench.prefill(0, f.context - f.prefilled, f.prefilled));
  f.prefill = seconds() - start;
  DSV4_RETURN_IF_ERROR(bench.engine.save(0, bench.snapshot));
  start = seconds();
  DSV4_RETURN_IF_ERROR(bench.generate(1, f.context, 1));
  f.first = seconds() - start;
  start = seconds();
  DSV4_RETURN_IF_ERROR(bench.generate(1, f.context + 1, f.generated - 1));
  f.steady = seconds() - start;
  if (interrupted())
    return makeError(Code::Interrupted, "interrupted");
  return bench.engine.restore(0, bench.snapshot, bench.engine.snapshotBytes());
}

} // namespace

Status runFrontiers(const dsv4_program &program, const Flags &given,
                    const BenchLists &lists) {
  Flags flags = given;
  flags.noCeiling = true;
  DSV4_RETURN_IF_ERROR(checkFlags(flags, lists));
  DSV4_RETURN_IF_ERROR(chooseContext(program, lists, flags));
  BenchNeeds needs;
  needs.threads = lists.threads.count ? int(lists.threads.values[0]) : 0;
  needs.snapshotBytes = plannedSnapshot(program, flags);
  Bench bench;
  DSV4_RETURN_IF_ERROR(openBench(bench, program, flags, needs));
  Status status = warmUp(bench, lists.prompts.values[0]);
  fputs("ctx_tokens,prefill_tokens,prefill_tps,gen_tokens,gen_tps,"
        "gen_first_ms,gen_steady_tokens,gen_steady_tps,kvcache_bytes\n",
        stdout);
  int64_t before = 0;
  for (int i = 0; i < lists.prompts.count && status.isOk(); ++i) {
    int64_t context = lists.prompts.values[i];
    Frontier f = {context, context - before, lists.gens.values[0]};
    status = measure(bench, f);
    if (status.isOk())
      printFrontier(program, f);
    before = context;
  }
  closeBench(bench);
  return status;
}

} // namespace dsv4::serve
