// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See bench_stats.h.

#include "runtime/serve/bench_stats.h"

#include <stdlib.h>
#include <string.h>

namespace dsv4::serve {
namespace {

int bySize(const void *a, const void *b) {
  double left = *static_cast<const double *>(a);
  double right = *static_cast<const double *>(b);
  return (left > right) - (left < right);
}

/// Sorts the values.
double medianOf(double *values, int count) {
  qsort(values, size_t(count), sizeof(*values), bySize);
  return count % 2 ? values[count / 2]
                   : (values[count / 2 - 1] + values[count / 2]) / 2;
}

Against against(const BenchTest &t, double work, const double *ceilings) {
  static double rates[maxRepeats], limits[maxRepeats], shares[maxRepeats];
  for (int i = 0; i < t.repeats; ++i) {
    rates[i] = work / t.samples[i];
    limits[i] = ceilings[i];
    shares[i] = ceilings[i] > 0 ? 100 * rates[i] / ceilings[i] : 0;
  }
  return {medianOf(rates, t.repeats), medianOf(limits, t.repeats),
          medianOf(shares, t.repeats)};
}

} // namespace

double medianSeconds(const BenchTest &test) {
  static double sorted[maxRepeats];
  memcpy(sorted, test.samples, size_t(test.repeats) * sizeof(*sorted));
  return medianOf(sorted, test.repeats);
}

Against againstReading(const BenchTest &t) {
  return against(t, double(t.traffic.weightBytes + t.traffic.stateBytes),
                 t.readCeiling);
}

Against againstDots(const BenchTest &t) {
  return against(t, double(t.traffic.multiplyAdds), t.dotCeiling);
}

void StepTimes::start(int64_t steps) {
  kept = seen = 0;
  every = room > 0 && steps > room ? (steps + room - 1) / room : 1;
}

double StepTimes::percentile(int percent) {
  if (!kept)
    return 0;
  qsort(values, size_t(kept), sizeof(*values), bySize);
  int64_t rank = (kept * percent + 99) / 100; // from 1
  return values[rank > 0 ? rank - 1 : 0];
}

} // namespace dsv4::serve
