// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers that bench derives from its measurements: averages, percentiles, and
// how near a test came to the machine's limits.

#ifndef DSV4_RUNTIME_SERVE_BENCH_STATS_H
#define DSV4_RUNTIME_SERVE_BENCH_STATS_H

#include "runtime/serve/bench_report.h"

#include <stdint.h>

namespace dsv4::serve {

struct Mean {
  double average = 0, deviation = 0;
};

/// Average and sample deviation over the repetitions, as llama-bench reports
/// them.
template <class F> Mean meanOf(const BenchTest &test, F value) {
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

/// Of the repetitions' times.
double medianSeconds(const BenchTest &test);

/// How near a test came to a limit: medians over the repetitions, each against
/// the limit of its own moment.
struct Against {
  double rate = 0, ceiling = 0, percent = 0;
};
Against againstReading(const BenchTest &test);
Against againstDots(const BenchTest &test);

/// Times of single steps, in memory that was there before. Where more steps
/// come than fit, every second, third, ... one is kept, so that those kept are
/// spread over all repetitions.
class StepTimes {
public:
  /// Room that is asked for at most: 8 MiB.
  static constexpr int64_t mostRoom = int64_t(1) << 20;

  void open(double *memory, int64_t places) {
    values = memory;
    room = places;
  }
  /// Forgets; `steps` will be added.
  void start(int64_t steps);
  void add(double seconds) {
    if (seen++ % every == 0 && kept < room)
      values[kept++] = seconds;
  }
  /// The least time that `percent` of the steps kept do not exceed (nearest
  /// rank); 0 without steps. Sorts.
  double percentile(int percent);

private:
  double *values = nullptr;
  int64_t room = 0, kept = 0, seen = 0, every = 1;
};

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_BENCH_STATS_H
