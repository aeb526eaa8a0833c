// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the time of a step goes: a table by phase, layers added up, and a trace
// of one step.

#include "runtime/base/part_file.h"
#include "runtime/serve/bench_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace dsv4::serve {
namespace {

/// "layers.12.attn.wo_b" -> "attn.wo_b"; other names stay.
const char *withoutLayer(const char *name) {
  const char *layers = "layers.";
  if (strncmp(name, layers, strlen(layers)) != 0)
    return name;
  const char *dot = strchr(name + strlen(layers), '.');
  return dot ? dot + 1 : name;
}

struct Class {
  const char *name, *kind;
  int64_t phases, nanoseconds;
  Traffic traffic;
};

constexpr int maxClasses = 256;
Class classes[maxClasses];

/// The class of a phase; the last one takes what does not fit.
Class &classOf(const dsv4_phase &phase, int &count) {
  const char *name = withoutLayer(phase.name);
  for (int i = 0; i < count; ++i)
    if (!strcmp(classes[i].name, name) && !strcmp(classes[i].kind, phase.kind))
      return classes[i];
  if (count == maxClasses)
    return classes[count - 1];
  classes[count] = {name, phase.kind, 0, 0, {}};
  return classes[count++];
}

int bySlowest(const void *a, const void *b) {
  int64_t left = static_cast<const Class *>(a)->nanoseconds;
  int64_t right = static_cast<const Class *>(b)->nanoseconds;
  return (left < right) - (left > right);
}

int collect(const dsv4_program &program, const PhaseSample *samples) {
  int count = 0;
  for (int64_t i = 0; i < program.num_phases; ++i) {
    Class &c = classOf(program.phases[i], count);
    ++c.phases;
    c.nanoseconds += samples[i].nanoseconds;
    c.traffic.add(samples[i].traffic);
  }
  qsort(classes, size_t(count), sizeof(*classes), bySlowest);
  return count;
}

} // namespace

void printPhases(BenchFormat format, const dsv4_program &program,
                 const PhaseSample *samples, int64_t steps,
                 double readCeiling) {
  int count = collect(program, samples);
  int64_t total = 0;
  for (int i = 0; i < count; ++i)
    total += classes[i].nanoseconds;
  bool isTable = format == BenchFormat::Markdown;
  if (isTable)
    fputs("\n| phase | kind | phases | us/step | time % | MB/step | GB/s | "
          "of the read limit | G mul-add/s |\n"
          "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
          stdout);
  for (int i = 0; i < count; ++i) {
    const Class &c = classes[i];
    double took = double(c.nanoseconds) * 1e-9;
    double bytes = double(c.traffic.weightBytes + c.traffic.stateBytes);
    double rate = took > 0 ? bytes / took : 0;
    double macs = took > 0 ? double(c.traffic.multiplyAdds) / took : 0;
    printf(isTable ? "| %s | %s | %lld | %.1f | %.1f | %.3f | %.2f | %.0f %% | "
                     "%.1f |\n"
                   : "{\"phase\": \"%s\", \"kind\": \"%s\", \"phases\": "
                     "%lld, \"us_per_step\": %.3f, \"pct_time\": %.2f, "
                     "\"mb_per_step\": %.6f, \"gbs\": %.3f, "
                     "\"pct_read_ceiling\": %.2f, \"gmacs\": %.3f}\n",
           c.name, c.kind, (long long)c.phases, took * 1e6 / double(steps),
           total ? 100 * double(c.nanoseconds) / double(total) : 0,
           bytes * 1e-6 / double(steps), rate * 1e-9,
           readCeiling > 0 ? 100 * rate / readCeiling : 0, macs * 1e-9);
  }
  if (isTable)
    putchar('\n');
}

namespace {

/// False where a line cannot be written.
bool printTrace(int file, const dsv4_program &program,
                const PhaseSample *samples) {
  bool isWhole =
      dprintf(file, "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n") > 0;
  int64_t zero = samples[0].start;
  for (int64_t i = 0; i < program.num_phases && isWhole; ++i) {
    const dsv4_phase &phase = program.phases[i];
    isWhole = dprintf(file,
                      "%s{\"name\": \"%s\", \"cat\": \"%s\", \"ph\": \"X\", "
                      "\"ts\": %.3f, \"dur\": %.3f, \"pid\": 1, \"tid\": 1}",
                      i ? ",\n" : "", phase.name, phase.kind,
                      double(samples[i].start - zero) * 1e-3,
                      double(samples[i].last) * 1e-3) > 0;
  }
  return isWhole && dprintf(file, "\n]}\n") > 0;
}

} // namespace

Status writeTrace(const char *path, const dsv4_program &program,
                  const PhaseSample *samples) {
  PartFile part;
  DSV4_RETURN_IF_ERROR(part.open(path));
  if (!printTrace(part.file(), program, samples))
    return makeSystemError(Code::Io, errno, "%s: cannot be written", path);
  return part.commit();
}

} // namespace dsv4::serve
