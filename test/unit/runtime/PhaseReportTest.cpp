// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of phases, against figures added by hand.

#include "runtime/serve/bench_report.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dsv4::serve {
namespace {

class PhaseReportTest : public testing::Test {
protected:
  void add(const char *name, int64_t microseconds, int64_t weightBytes,
           int64_t stateBytes) {
    dsv4_phase phase = {};
    phase.name = name;
    phase.kind = "linear";
    phases.push_back(phase);
    PhaseSample sample;
    sample.nanoseconds = microseconds * 1000;
    sample.traffic.weightBytes = weightBytes;
    sample.traffic.stateBytes = stateBytes;
    samples.push_back(sample);
  }

  /// 10 steps; the machine reads 10 GB/s, that is 10,000 bytes a microsecond.
  void SetUp() override {
    add("layers.0.fast", 300, 2800000, 0);
    add("layers.1.fast", 100, 800000, 0);    // together 90 % of the limit
    add("layers.0.slow", 100, 400000, 0);    // 40 %
    add("layers.0.attend", 200, 0, 1000000); // 50 %
    add("layers.0.small", 100, 80000, 0);    // 8 %, but few bytes
    add("layers.0.norm", 150, 4000, 0);      // less than 0.1 % of 4.084 MB
    add("layers.0.route", 50, 0, 0);
  }

  std::string print(BenchFormat format, double ceiling) {
    dsv4_program program = {};
    program.phases = phases.data();
    program.num_phases = static_cast<int64_t>(phases.size());
    testing::internal::CaptureStdout();
    printPhases(format, program, samples.data(), 10, ceiling);
    fflush(stdout);
    return testing::internal::GetCapturedStdout();
  }

  std::vector<dsv4_phase> phases;
  std::vector<PhaseSample> samples;
};

bool has(const std::string &text, const char *part) {
  return text.find(part) != std::string::npos;
}

TEST_F(PhaseReportTest, MarksWhatReadsMuchAndSlowly) {
  std::string out = print(BenchFormat::Markdown, 10e9);
  EXPECT_TRUE(has(out, "\n| fast | linear | 2 | 40.0 | 40.0 | 0.360 | 9.00 | "
                       "90 % | 0.0 |\n"))
      << out;
  EXPECT_TRUE(has(out, "\n| slow * | linear |")) << out;
  EXPECT_TRUE(has(out, "\n| attend * | linear |")) << out;
  EXPECT_TRUE(has(out, "\n| small | linear |")) << out;
  EXPECT_TRUE(has(out, "\n| norm | linear |")) << out;
  EXPECT_TRUE(has(out, "\n\n`*` reads more than 2 % of the bytes, at less than "
                       "80 % of the read limit\n"))
      << out;
}

TEST_F(PhaseReportTest, SummaryIsWeightedByBytesOfWeights) {
  // Times: 600 of 1,000. Percent: (90 x 3.6 + 40 x 0.4 + 8 x 0.08) / 4.08.
  std::string out = print(BenchFormat::Markdown, 10e9);
  EXPECT_TRUE(has(out, "\n\nphases that read weights: 60.0 % of the time, "
                       "others (each less than 0.1 % of the weights): 40.0 %; "
                       "weights are read at 83.5 % of the read "
                       "limit\n"))
      << out;
  out = print(BenchFormat::JsonLines, 10e9);
  EXPECT_TRUE(has(out, "\n{\"summary\": \"phases\", \"pct_time_weights\": "
                       "60.00, \"pct_time_other\": 40.00, "
                       "\"pct_read_ceiling_weights\": 83.49}\n"))
      << out;
  EXPECT_FALSE(has(out, "*")) << out;
}

TEST_F(PhaseReportTest, WithoutALimitNothingIsSetAgainstIt) {
  std::string out = print(BenchFormat::Markdown, 0);
  EXPECT_FALSE(has(out, "*")) << out;
  EXPECT_TRUE(has(out, ": 40.0 %\n")) << out;
  EXPECT_TRUE(has(print(BenchFormat::JsonLines, 0),
                  "\"pct_read_ceiling_weights\": null}\n"));
}

} // namespace
} // namespace dsv4::serve
