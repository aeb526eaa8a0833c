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

  double seconds() const { return double(nanoseconds) * 1e-9; }
  double bytes() const {
    return double(traffic.weightBytes + traffic.stateBytes);
  }
  /// Per second.
  double rate() const { return nanoseconds > 0 ? bytes() / seconds() : 0; }
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

/// What all classes are set against.
struct Whole {
  int count;
  int64_t steps;
  double readCeiling; // 0: not measured
  double seconds = 0, bytes = 0;

  double percentOfTime(double part) const {
    return seconds > 0 ? 100 * part / seconds : 0;
  }
  double percentOfLimit(double rate) const {
    return readCeiling > 0 ? 100 * rate / readCeiling : 0;
  }
};

/// A class is marked where it reads a share of the bytes that matters and stays
/// behind the limit. At these bounds, in a step that does nothing but read,
/// half a percent of the time is to be gained: what repetitions differ by.
constexpr double leastShare = 0.02, goodPercent = 80;

bool isBehind(const Class &c, const Whole &whole) {
  return whole.readCeiling > 0 && c.bytes() > leastShare * whole.bytes &&
         whole.percentOfLimit(c.rate()) < goodPercent;
}

void printClass(const Class &c, const Whole &whole, bool isTable) {
  double took = c.seconds(), steps = double(whole.steps);
  double macs = took > 0 ? double(c.traffic.multiplyAdds) / took : 0;
  const char *mark = isTable && isBehind(c, whole) ? " *" : "";
  printf(isTable ? "| %s%s | %s | %lld | %.1f | %.1f | %.3f | %.2f | %.0f %% | "
                   "%.1f |\n"
                 : "{\"phase\": \"%s%s\", \"kind\": \"%s\", \"phases\": "
                   "%lld, \"us_per_step\": %.3f, \"pct_time\": %.2f, "
                   "\"mb_per_step\": %.6f, \"gbs\": %.3f, "
                   "\"pct_read_ceiling\": %.2f, \"gmacs\": %.3f}\n",
         c.name, mark, c.kind, (long long)c.phases, took * 1e6 / steps,
         whole.percentOfTime(took), c.bytes() * 1e-6 / steps, c.rate() * 1e-9,
         whole.percentOfLimit(c.rate()), macs * 1e-9);
}

/// Memory bounds those phases in decode that read matrices. Vectors of norms
/// and the like are read by nearly every phase and bound none: of the model's
/// weights they are less than this share by class.
constexpr double leastWeights = 0.001;

/// The share of the time in phases that read weights says what a faster memory
/// could change, and their percent of the read limit, each class counted by its
/// bytes of weights, what better kernels could.
void printSummary(const Whole &whole, bool isTable) {
  double all = 0, reading = 0, weights = 0, percent = 0;
  for (int i = 0; i < whole.count; ++i)
    all += double(classes[i].traffic.weightBytes);
  for (int i = 0; i < whole.count; ++i) {
    double own = double(classes[i].traffic.weightBytes);
    if (own <= 0 || own < leastWeights * all)
      continue;
    reading += classes[i].seconds();
    weights += own;
    percent += own * whole.percentOfLimit(classes[i].rate());
  }
  percent = weights > 0 ? percent / weights : 0;
  bool isMeasured = whole.readCeiling > 0 && weights > 0;
  printf(isTable ? "phases that read weights: %.1f %% of the time, others "
                   "(each less than 0.1 %% of the weights): %.1f %%"
                 : "{\"summary\": \"phases\", \"pct_time_weights\": %.2f, "
                   "\"pct_time_other\": %.2f, \"pct_read_ceiling_weights\": ",
         whole.percentOfTime(reading),
         whole.percentOfTime(whole.seconds - reading));
  if (isMeasured)
    printf(isTable ? "; weights are read at %.1f %% of the read limit" : "%.2f",
           percent);
  else if (!isTable)
    fputs("null", stdout);
  fputs(isTable ? "\n\n" : "}\n", stdout);
}

} // namespace

void printPhases(BenchFormat format, const dsv4_program &program,
                 const PhaseSample *samples, int64_t steps,
                 double readCeiling) {
  Whole whole = {collect(program, samples), steps, readCeiling};
  for (int i = 0; i < whole.count; ++i) {
    whole.seconds += classes[i].seconds();
    whole.bytes += classes[i].bytes();
  }
  bool isTable = format == BenchFormat::Markdown, isAnyBehind = false;
  if (isTable)
    fputs("\n| phase | kind | phases | us/step | time % | MB/step | GB/s | "
          "of the read limit | G mul-add/s |\n"
          "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
          stdout);
  for (int i = 0; i < whole.count; ++i) {
    printClass(classes[i], whole, isTable);
    isAnyBehind |= isBehind(classes[i], whole);
  }
  if (isTable && isAnyBehind)
    printf(
        "\n`*` reads more than %.0f %% of the bytes, at less than %.0f %% of "
        "the read limit\n",
        100 * leastShare, goodPercent);
  if (isTable)
    putchar('\n');
  printSummary(whole, isTable);
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
