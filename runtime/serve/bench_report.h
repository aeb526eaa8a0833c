// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What bench prints: a Markdown table, CSV, JSON or JSON lines, with
// llama-bench's column names so that scripts made for it can read ours.

#ifndef DSV4_RUNTIME_SERVE_BENCH_REPORT_H
#define DSV4_RUNTIME_SERVE_BENCH_REPORT_H

#include "runtime/abi/program.h"

#include <stdint.h>

namespace dsv4::serve {

inline constexpr int maxRepeats = 1000;

/// One measured combination: a prompt (n_gen 0) or a generation (n_prompt 0).
struct BenchTest {
  int64_t prompt, gen, depth, context;
  int threads;
  double samples[maxRepeats]; // seconds
  int repeats;

  int64_t tokens() const { return prompt ? prompt : gen; }
  double rate(int i) const { return double(tokens()) / samples[i]; }
};

enum class BenchFormat { Markdown, Csv, Json, JsonLines };

/// False for an unknown name.
bool readBenchFormat(const char *name, BenchFormat &format);

void printBenchHeader(BenchFormat format);
/// `number` counts from 0.
void printBenchTest(BenchFormat format, const dsv4_program &program,
                    const BenchTest &test, int number);
void printBenchFooter(BenchFormat format);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_BENCH_REPORT_H
