// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See bench_report.h. A row is a list of named fields, printed in the order of
// the list in every format that has names.

#include "runtime/serve/bench_report.h"

#include "runtime/base/cpu_features.h"
#include "runtime/serve/bench_stats.h"

#include <initializer_list>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace dsv4::serve {
namespace {

constexpr const char *fieldNames[] = {"build_commit",
                                      "build_number",
                                      "cpu_info",
                                      "gpu_info",
                                      "backends",
                                      "version",
                                      "target",
                                      "identity",
                                      "model_filename",
                                      "model_type",
                                      "model_size",
                                      "n_batch",
                                      "n_ctx",
                                      "n_threads",
                                      "n_prompt",
                                      "n_gen",
                                      "n_depth",
                                      "test_time",
                                      "avg_ns",
                                      "stddev_ns",
                                      "avg_ts",
                                      "stddev_ts",
                                      "bytes_per_token",
                                      "state_bytes_per_token",
                                      "avg_gbs",
                                      "read_ceiling_gbs",
                                      "pct_read_ceiling",
                                      "avg_gmacs",
                                      "dot_ceiling_gmacs",
                                      "pct_dot_ceiling",
                                      "n_seq",
                                      "avg_ts_per_seq",
                                      "ttft_ms",
                                      "tpot_ms_p50",
                                      "tpot_ms_p99",
                                      "plan_bytes",
                                      "plan_state_bytes",
                                      "plan_buffer_bytes",
                                      "plan_scratch_bytes",
                                      "plan_rest_bytes",
                                      "anon_peak_bytes"};
constexpr int numFields = sizeof(fieldNames) / sizeof(*fieldNames);

/// A field's text, and whether JSON needs quotes around it. Without text: a
/// number that the test has not.
struct Field {
  char text[512];
  bool isText;
};

/// Fields in the order of fieldNames.
struct Row {
  Field fields[numFields];
  int used = 0;

  void add(const char *text) {
    snprintf(fields[used].text, sizeof(fields[used].text), "%s", text);
    fields[used++].isText = true;
  }
  void add(int64_t value) {
    snprintf(fields[used].text, sizeof(fields[used].text), "%lld",
             (long long)value);
    fields[used++].isText = false;
  }
  void addNone() {
    fields[used].text[0] = 0;
    fields[used++].isText = false;
  }
  void add(double value, int digits) {
    snprintf(fields[used].text, sizeof(fields[used].text), "%.*f", digits,
             value);
    fields[used++].isText = false;
  }
};

/// In quotes: JSON escapes by backslash, CSV doubles a quote.
void printQuoted(const char *text, bool isJson) {
  putchar('"');
  for (; *text; ++text) {
    if (!isJson && *text == '"')
      putchar('"');
    if (isJson && (*text == '"' || *text == '\\'))
      putchar('\\');
    putchar(static_cast<unsigned char>(*text) < 32 ? ' ' : *text);
  }
  putchar('"');
}

void addLimits(const BenchTest &t, Row &row) {
  Against read = againstReading(t), dots = againstDots(t);
  row.add(t.traffic.weightBytes / t.tokens());
  row.add(t.traffic.stateBytes / t.tokens());
  row.add(read.rate * 1e-9, 3);
  row.add(read.ceiling * 1e-9, 3);
  row.add(read.percent, 2);
  row.add(dots.rate * 1e-9, 3);
  row.add(dots.ceiling * 1e-9, 3);
  row.add(dots.percent, 2);
}

/// Time to the first token: from the prompt's first step to the logits of its
/// last token, all repetitions' median; reading text and sampling are not in
/// it. Time per output token: of a step, which gives each sequence one.
void addLatencies(const BenchTest &t, Row &row) {
  if (t.prompt) {
    row.add(medianSeconds(t) * 1e3, 6);
    row.addNone();
    row.addNone();
    return;
  }
  row.addNone();
  row.add(t.stepP50 * 1e3, 6);
  row.add(t.stepP99 * 1e3, 6);
}

void addMemory(const MemoryUse &m, Row &row) {
  for (uint64_t bytes : {m.planned, m.state, m.buffers, m.scratch, m.rest})
    row.add(int64_t(bytes));
  if (m.peak)
    row.add(int64_t(m.peak));
  else
    row.addNone();
}

const char *backendOf(const BenchTest &t) { return t.gpu ? "CUDA" : "CPU"; }

void fillRow(const dsv4_program &p, const BenchTest &t, Row &row) {
  char cpu[64], file[512], when[32] = "";
  cpuName(cpu, sizeof(cpu));
  ssize_t length = readlink("/proc/self/exe", file, sizeof(file) - 1);
  file[length > 0 ? length : 0] = 0;
  const char *slash = strrchr(file, '/');
  time_t now = time(nullptr);
  struct tm utc;
  strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  // What llama-bench says where it was built without its history: an executable
  // must not differ by the commit that its compiler was built from.
  row.add("unknown");
  row.add(int64_t(0));
  row.add(cpu);
  row.add(t.gpu ? t.gpu : "");
  row.add(backendOf(t));
  row.add("dsv4c " DSV4_VERSION);
  row.add(p.target);
  row.add(p.identity);
  row.add(slash ? slash + 1 : file);
  row.add("deepseek4");
  row.add(p.limits.weight_bytes);
  row.add(p.limits.max_step_tokens);
  row.add(t.context);
  row.add(int64_t(t.threads));
  row.add(t.prompt);
  row.add(t.gen);
  row.add(t.depth);
  row.add(when);
  Mean ns = meanOf(t, [&](int i) { return t.samples[i] * 1e9; });
  Mean ts = meanOf(t, [&](int i) { return t.rate(i); });
  row.add(ns.average, 0);
  row.add(ns.deviation, 0);
  row.add(ts.average, 6);
  row.add(ts.deviation, 6);
  addLimits(t, row);
  row.add(t.sequences);
  row.add(ts.average / double(t.sequences), 6);
  addLatencies(t, row);
  addMemory(t.memory, row);
}

void printJson(const Row &row, const BenchTest &t) {
  putchar('{');
  for (int i = 0; i < numFields; ++i) {
    printf("\"%s\": ", fieldNames[i]);
    if (row.fields[i].isText)
      printQuoted(row.fields[i].text, true);
    else
      fputs(*row.fields[i].text ? row.fields[i].text : "null", stdout);
    fputs(", ", stdout);
  }
  fputs("\"samples_ns\": [", stdout);
  for (int i = 0; i < t.repeats; ++i)
    printf("%s%.0f", i ? ", " : "", t.samples[i] * 1e9);
  fputs("], \"samples_ts\": [", stdout);
  for (int i = 0; i < t.repeats; ++i)
    printf("%s%.6f", i ? ", " : "", t.rate(i));
  fputs("]}", stdout);
}

void printMarkdown(const dsv4_program &p, const BenchTest &t) {
  char name[64];
  snprintf(name, sizeof(name), "%s%lld", t.prompt ? "pp" : "tg",
           (long long)(t.prompt ? t.prompt : t.gen));
  if (t.sequences > 1)
    snprintf(name + strlen(name), sizeof(name) - strlen(name), " x %lld seq",
             (long long)t.sequences);
  if (t.depth)
    snprintf(name + strlen(name), sizeof(name) - strlen(name), " @ d%lld",
             (long long)t.depth);
  Mean ts = meanOf(t, [&](int i) { return t.rate(i); });
  printf("| %s | %.2f GiB | %s | %d | %s | %.2f ± %.2f |", p.identity,
         double(p.limits.weight_bytes) / (1 << 30), backendOf(t), t.threads,
         name, ts.average, ts.deviation);
  Against read = againstReading(t), dots = againstDots(t);
  auto print = [](const Against &one, int digits) {
    printf(" %.*f |", digits, one.rate * 1e-9);
    if (one.ceiling > 0)
      printf(" %.1f %% of %.1f |", one.percent, one.ceiling * 1e-9);
    else
      fputs(" |", stdout);
  };
  print(read, 2);
  print(dots, 1);
  double bytes = double(t.traffic.weightBytes + t.traffic.stateBytes);
  printf(" %.3f MB |\n", bytes * 1e-6 / double(t.tokens()));
}

} // namespace

double averageReadCeiling(const BenchTest &test) {
  return meanOf(test, [&](int i) { return test.readCeiling[i]; }).average;
}

bool readBenchFormat(const char *name, BenchFormat &format) {
  constexpr const char *names[] = {"md", "csv", "json", "jsonl", "ds4"};
  for (int i = 0; i < 5; ++i)
    if (!strcmp(name, names[i])) {
      format = static_cast<BenchFormat>(i);
      return true;
    }
  return false;
}

void printBenchHeader(BenchFormat format) {
  if (format == BenchFormat::Markdown)
    fputs(
        "| model | size | backend | threads | test | t/s | GB/s "
        "| of the read limit | G mul-add/s | of the dot limit | bytes/token |\n"
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: "
        "| ---: |\n",
        stdout);
  if (format == BenchFormat::Csv)
    for (int i = 0; i < numFields; ++i)
      printf("%s%s", fieldNames[i], i + 1 < numFields ? "," : "\n");
  if (format == BenchFormat::Json)
    fputs("[\n", stdout);
}

void printBenchTest(BenchFormat format, const dsv4_program &program,
                    const BenchTest &test, int number) {
  static Row row;
  row.used = 0;
  fillRow(program, test, row);
  switch (format) {
  case BenchFormat::Markdown:
    printMarkdown(program, test);
    break;
  case BenchFormat::Csv:
    for (int i = 0; i < numFields; ++i) {
      printQuoted(row.fields[i].text, false);
      putchar(i + 1 < numFields ? ',' : '\n');
    }
    break;
  case BenchFormat::Json:
    if (number)
      fputs(",\n", stdout);
    fputs("  ", stdout);
    printJson(row, test);
    break;
  case BenchFormat::JsonLines:
    printJson(row, test);
    putchar('\n');
    break;
  case BenchFormat::Ds4:
    break;
  }
  fflush(stdout);
}

void MemoryUse::setPlan(const MemoryPlan &plan) {
  planned = plan.bytes();
  state = plan.stateBytes;
  buffers = plan.bufferBytes;
  scratch = plan.scratchBytes;
  rest = plan.restBytes();
}

void MemoryUse::setDevicePlan(const cuda::DevicePlan &plan) {
  const uint64_t *of = plan.deviceBytesOf;
  isOnDevice = true;
  deviceWeights = of[DSV4_CUDA_WEIGHTS];
  onHost = plan.pinnedBytes + cuda::numStaging * cuda::stagingBytes + planned;
  state = of[DSV4_CUDA_STATE];
  buffers = of[DSV4_CUDA_BUFFERS];
  scratch = of[DSV4_CUDA_WORKSPACE];
  rest = of[DSV4_CUDA_STEP];
  planned = state + buffers + scratch + rest;
}

namespace {

void printDeviceMemory(const MemoryUse &m) {
  auto mib = [](uint64_t bytes) { return double(bytes) / (1 << 20); };
  printf("\nmemory of the GPU: %.2f MiB of weights and %.2f MiB planned (state "
         "%.2f, buffers %.2f, workspace %.2f, rest %.2f); %.2f MiB planned on "
         "the host\n",
         mib(m.deviceWeights), mib(m.planned), mib(m.state), mib(m.buffers),
         mib(m.scratch), mib(m.rest), mib(m.onHost));
  fputs("the read limit is what copies on the GPU read and write\n", stdout);
}

} // namespace

void printBenchFooter(BenchFormat format, const MemoryUse *memory, int count) {
  if (format == BenchFormat::Json)
    fputs("\n]\n", stdout);
  if (format != BenchFormat::Markdown)
    return;
  auto mib = [](uint64_t bytes) { return double(bytes) / (1 << 20); };
  for (const MemoryUse *m = memory; m < memory + count; ++m) {
    if (m->isOnDevice) {
      printDeviceMemory(*m);
      continue;
    }
    printf("\nmemory with %d threads: %.2f MiB planned (state %.2f, buffers "
           "%.2f, scratch %.2f, rest %.2f); ",
           m->threads, mib(m->planned), mib(m->state), mib(m->buffers),
           mib(m->scratch), mib(m->rest));
    if (m->peak)
      printf("%.2f MiB measured (anonymous, at most)\n", mib(m->peak));
    else
      fputs("not measured: /proc/self/status has no RssAnon\n", stdout);
  }
}

} // namespace dsv4::serve
