// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every item of a job runs exactly once, whatever the number of threads and the
// grain; jobs follow each other without gaps; workers flush denormals.

#include "runtime/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace dsv4 {
namespace {

/// In this thread's affinity mask.
int processorsHere() {
  Topology topology;
  readTopology(topology);
  return topology.count;
}

struct Hits {
  std::vector<std::atomic<int>> count;
  std::atomic<int> denormals{0};
  std::atomic<int> badWorker{0};
  int threads = 0;
  explicit Hits(size_t n) : count(n) {}
};

void hit(void *context, int worker, int64_t begin, int64_t end) {
  auto &hits = *static_cast<Hits *>(context);
  volatile float tiny = 1e-38f;
  hits.denormals += tiny * 0.01f != 0.0f;
  hits.badWorker += worker < 0 || worker >= hits.threads;
  for (int64_t i = begin; i < end; ++i)
    ++hits.count[static_cast<size_t>(i)];
}

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsEveryItemOnce) {
  ThreadPool pool;
  ASSERT_TRUE(pool.start(GetParam()).isOk());
  EXPECT_EQ(pool.threads(), GetParam());
  for (int64_t items : {0, 1, 2, 7, 64, 1000})
    for (int64_t grain : {1, 3, 64, 5000}) {
      Hits hits(static_cast<size_t>(items));
      hits.threads = GetParam();
      pool.run(hit, &hits, items, grain);
      for (auto &count : hits.count)
        ASSERT_EQ(count, 1) << items << " items, grain " << grain;
      EXPECT_EQ(hits.denormals, 0);
      EXPECT_EQ(hits.badWorker, 0);
    }
  pool.stop();
}

TEST_P(ThreadPoolTest, ManyShortJobsInARow) {
  ThreadPool pool;
  ASSERT_TRUE(pool.start(GetParam()).isOk());
  Hits hits(16);
  hits.threads = GetParam();
  for (int job = 0; job < 3000; ++job)
    pool.run(hit, &hits, 16, 1);
  for (auto &count : hits.count)
    EXPECT_EQ(count, 3000);
  pool.stop();
}

TEST_P(ThreadPoolTest, EachWorkerOnce) {
  ThreadPool pool;
  ASSERT_TRUE(pool.start(GetParam(), /*pin=*/true).isOk());
  for (int job = 0; job < 100; ++job) {
    Hits hits(static_cast<size_t>(GetParam()));
    hits.threads = GetParam();
    pool.runOnEach(hit, &hits);
    for (auto &count : hits.count)
      ASSERT_EQ(count, 1);
    pool.run(hit, &hits, GetParam(), 1);
  }
  pool.stop();
}

// A worker keeps where it was in a job; jobs of the next pool have the same
// numbers again.
TEST(ThreadPool, APoolAfterAPool) {
  for (int threads : {8, 3, 5, 2}) {
    ThreadPool pool;
    ASSERT_TRUE(pool.start(threads).isOk());
    for (int64_t items : {1000, 9, 77}) {
      Hits hits(static_cast<size_t>(items));
      hits.threads = threads;
      pool.run(hit, &hits, items, 1);
      for (auto &count : hits.count)
        ASSERT_EQ(count, 1) << threads << " threads, " << items << " items";
    }
    pool.stop();
  }
}

TEST(ThreadPool, GivesTheCallersProcessorsBack) {
  int before = processorsHere();
  ThreadPool pool;
  ASSERT_TRUE(pool.start(1, /*pin=*/true).isOk());
  EXPECT_EQ(processorsHere(), 1);
  pool.stop();
  EXPECT_EQ(processorsHere(), before);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, RefusesAbsurdCounts) {
  ThreadPool pool;
  EXPECT_EQ(pool.start(0).code, Code::InvalidArgument);
  EXPECT_EQ(pool.start(1 << 20).code, Code::InvalidArgument);
}

TEST(ThreadPool, DefaultIsPositive) { EXPECT_GE(defaultThreads(), 1); }

} // namespace
} // namespace dsv4
