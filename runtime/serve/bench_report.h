// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What bench prints: a Markdown table, CSV, JSON or JSON lines, with
// llama-bench's column names so that scripts made for it can read ours.

#ifndef DSV4_RUNTIME_SERVE_BENCH_REPORT_H
#define DSV4_RUNTIME_SERVE_BENCH_REPORT_H

#include "runtime/abi/program.h"
#include "runtime/core/executor.h"
#include "runtime/core/memory_plan.h"
#include "runtime/device/device_plan.h"

#include <stdint.h>

namespace dsv4::serve {

inline constexpr int maxRepeats = 1000;

/// What one engine was to take at most, and what it took.
struct MemoryUse {
  int threads = 0;
  uint64_t planned = 0; // the sum of the next four
  uint64_t state = 0, buffers = 0, scratch = 0, rest = 0;
  /// Of a GPU what precedes is on it, workspace being the scratch, and these
  /// are weights there and what is pinned and reserved on the host.
  bool isOnDevice = false;
  uint64_t deviceWeights = 0, onHost = 0;
  /// The most anonymous memory at the end of a repetition, without what the
  /// process had before the engine and without what the machine's limits are
  /// measured with. It has the workers' stacks in it and bench's own tables,
  /// which the plan has not. 0: not measured.
  uint64_t peak = 0;

  void setPlan(const MemoryPlan &plan);
  /// Behind setPlan(), of an engine on a GPU.
  void setDevicePlan(const cuda::DevicePlan &plan);
};

/// One measured combination: a prompt (n_gen 0) or a generation (n_prompt 0).
struct BenchTest {
  int64_t prompt, gen, depth, context;
  int64_t sequences; // that a step feeds
  int threads;
  const char *gpu;            // its name; null: the CPU
  double samples[maxRepeats]; // seconds
  int repeats;
  /// Of single steps of a generation, over all repetitions; 0 for a prompt.
  double stepP50, stepP99; // seconds
  /// What all repetitions do each: bytes read, and useful multiply-adds.
  Traffic traffic;
  /// The machine's limits beside each repetition, measured before and after it:
  /// bytes and multiply-adds per second; 0: not measured.
  double readCeiling[maxRepeats], dotCeiling[maxRepeats];
  MemoryUse memory; // so far, of all tests with this engine

  /// Of all sequences.
  int64_t tokens() const { return (prompt ? prompt : gen) * sequences; }
  double rate(int i) const { return double(tokens()) / samples[i]; }
};

/// Ds4 is a table of its own: bench_frontiers.cpp.
enum class BenchFormat { Markdown, Csv, Json, JsonLines, Ds4 };

/// Of the repetitions; 0: not measured.
double averageReadCeiling(const BenchTest &test);

/// What the phases of a test did, over `steps` steps. Phases that differ by
/// their layer alone are one row; slowest first. Then a summary of them.
void printPhases(BenchFormat format, const dsv4_program &program,
                 const PhaseSample *samples, int64_t steps, double readCeiling);

/// The last step as a trace that Perfetto and chrome://tracing open.
Status writeTrace(const char *path, const dsv4_program &program,
                  const PhaseSample *samples);

/// False for an unknown name.
bool readBenchFormat(const char *name, BenchFormat &format);

void printBenchHeader(BenchFormat format);
/// `number` counts from 0.
void printBenchTest(BenchFormat format, const dsv4_program &program,
                    const BenchTest &test, int number);
/// `memory`: of each engine, in the order of the tests.
void printBenchFooter(BenchFormat format, const MemoryUse *memory, int count);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_BENCH_REPORT_H
