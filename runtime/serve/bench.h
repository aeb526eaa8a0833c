// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the measurements of bench share: an engine with the machine's limits
// beside it, and the steps that are timed. Tokens are pseudo-random ids:
// routing then spreads as it does for text of many kinds.

#ifndef DSV4_RUNTIME_SERVE_BENCH_H
#define DSV4_RUNTIME_SERVE_BENCH_H

#include "runtime/core/ceiling.h"
#include "runtime/serve/bench_stats.h"
#include "runtime/serve/cli.h"

#include <stdint.h>

namespace dsv4::serve {

/// Numbers of one flag.
struct BenchList {
  static constexpr int most = 32;
  int64_t values[most];
  int count = 0;

  int64_t largest() const {
    int64_t result = 0;
    for (int i = 0; i < count; ++i)
      result = values[i] > result ? values[i] : result;
    return result;
  }
};

struct BenchLists {
  BenchList prompts, gens, depths, sequences, threads;
};

/// One thread count's engine, and what its tests measure beside the time.
struct Bench {
  Engine engine;
  Ceiling ceiling;
  bool hasCeiling = false; // of the CPU; of a GPU the session measures
  bool isRepeating = false;
  PhaseSample *samples = nullptr; // [num_phases]
  int64_t steps = 0;              // that samples add up
  StepTimes stepTimes;            // of generations
  void *snapshot = nullptr;       // of snapshotBytes, where wanted

  MemoryUse memory;
  /// Anonymous bytes that are not the engine's.
  uint64_t foreignBytes = 0;

  void clearSamples();
  /// Looks at the memory that the process has now.
  void measureMemory();

  /// Feeds `count` tokens from position `from` to one sequence, in full steps;
  /// the last token gets logits.
  Status prefill(int64_t sequence, int64_t from, int64_t count,
                 PhaseSample *samples = nullptr);
  /// Fills an empty sequence up to `depth` tokens; with isRepeating in much
  /// less time than their prefill takes (Engine::repeatTo).
  Status fill(int64_t sequence, int64_t depth);
  /// Where the time of the first step of a test goes on a GPU: of a prompt, or
  /// of a generation where `prompt` is 0, behind `depth` tokens.
  Status profile(int64_t prompt, int64_t sequences, int64_t depth, int repeats,
                 StepProfile &profile);
  /// Adds `count` tokens from position `from` to each sequence, one of each in
  /// a step.
  Status generate(int64_t sequences, int64_t from, int64_t count,
                  PhaseSample *samples = nullptr);
};

struct BenchNeeds {
  int threads = 0;
  int64_t sequences = 1;
  int64_t steps = 0; // of a test whose times are wanted; fewer may be kept
  uint64_t snapshotBytes = 0;
};

/// Opens what the tests of one thread count need.
Status openBench(Bench &bench, const dsv4_program &program, const Flags &flags,
                 const BenchNeeds &needs);
void closeBench(Bench &bench);

/// -o ds4: prompts are growing contexts of one sequence, a row for each.
/// InvalidArgument: flags that do not go with it.
Status runFrontiers(const dsv4_program &program, const Flags &flags,
                    const BenchLists &lists);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_BENCH_H
