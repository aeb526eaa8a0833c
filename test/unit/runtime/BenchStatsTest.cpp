// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Percentiles of single steps, also where not all of them are kept.

#include "runtime/serve/bench_stats.h"

#include <gtest/gtest.h>

#include <vector>

using dsv4::serve::StepTimes;

namespace {

TEST(BenchStatsTest, PercentilesByNearestRank) {
  std::vector<double> memory(200);
  StepTimes times;
  times.open(memory.data(), 200);
  EXPECT_EQ(times.percentile(50), 0);
  times.start(200);
  for (int i = 200; i > 0; --i)
    times.add(i);
  EXPECT_EQ(times.percentile(50), 100);
  EXPECT_EQ(times.percentile(99), 198);
  EXPECT_EQ(times.percentile(100), 200);
  times.start(3);
  for (double t : {7.0, 5.0, 6.0})
    times.add(t);
  EXPECT_EQ(times.percentile(50), 6);
  EXPECT_EQ(times.percentile(99), 7);
}

TEST(BenchStatsTest, MoreStepsThanRoomAreThinnedOutEvenly) {
  std::vector<double> memory(101, -1);
  StepTimes times;
  times.open(memory.data(), 100);
  times.start(1000);
  for (int i = 0; i < 1000; ++i)
    times.add(i);
  EXPECT_EQ(memory[100], -1);
  EXPECT_EQ(times.percentile(50), 490); // 0, 10, 20, ... 990
  EXPECT_EQ(times.percentile(99), 980);
  // More than were announced, and no room at all.
  times.start(100);
  for (int i = 0; i < 300; ++i)
    times.add(i);
  EXPECT_EQ(memory[100], -1);
  EXPECT_EQ(times.percentile(100), 99);
  StepTimes none;
  none.start(10);
  none.add(1);
  EXPECT_EQ(none.percentile(50), 0);
}

} // namespace
