// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Workers that stay for the whole run. One job at a time: its items fall into
// portions, and each worker owns a contiguous run of them, the same in every
// step, so that it reads one stream of weights, and on a machine with several
// memory nodes always the same one. A worker that is done takes portions from
// the others. Which worker computes an item never matters for its result, so a
// job may be split in any way.
//
// Workers spin for a short while between jobs, because the phases of a step
// follow each other within microseconds, and then sleep on a futex.

#ifndef DSV4_RUNTIME_BASE_THREAD_POOL_H
#define DSV4_RUNTIME_BASE_THREAD_POOL_H

#include "runtime/base/status.h"
#include "runtime/base/topology.h"

#include <stdint.h>

namespace dsv4 {

/// Physical cores that this process may use: affinity and cgroup quota count,
/// SMT siblings do not.
int defaultThreads();

class ThreadPool {
public:
  using Job = void (*)(void *context, int worker, int64_t begin, int64_t end);

  static constexpr int MaxThreads = maxProcessors;
  static constexpr uint64_t StackBytes = 4u << 20; // of one worker

  /// Starts threads - 1 workers; the caller is worker 0. Once per process. With
  /// `pin`, every worker (the caller too, until stop()) stays on a processor of
  /// its own, chosen by placeWorkers(); ignored where there are fewer of them.
  Status start(int threads, bool pin = false);
  void stop();
  int threads() const { return count; }

  /// Runs job over [0, items) and returns when all are done. A call takes some
  /// neighbouring portions of `grain` items, fewer towards the end. Flushes
  /// denormals in every worker (docs/numerics.md).
  void run(Job job, void *context, int64_t items, int64_t grain);

  /// Runs job once in every worker, with items [worker, worker + 1).
  void runOnEach(Job job, void *context);

private:
  void share(Job job, void *context, int64_t items, int64_t grain, bool each);
  static void *enter(void *argument);
  void work(int worker);
  void claim(int worker);

  int count = 1;
  bool pinned = false;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_THREAD_POOL_H
