// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See thread_pool.h.

#include "runtime/base/thread_pool.h"

#include "runtime/base/system_limits.h"
#include "runtime/numerics/denormals.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dsv4 {

namespace {

/// Polls before a worker sleeps: some hundred microseconds, longer than the
/// serial part between two phases. With more threads than processors a spinning
/// worker keeps another from its work, so it sleeps at once.
constexpr int Spins = 4000;
int spins = Spins;

/// One line of memory per shared word: they are written by different threads.
struct alignas(64) Word {
  int32_t value = 0;
};
/// The next portion of a worker's own run: low half; the job that it belongs
/// to: high half. A cursor of an older job stands at the start of the run, so
/// nobody resets cursors between jobs.
struct alignas(64) Cursor {
  uint64_t value = 0;
};

/// Workers that report to the same word; the last of them reports to the root.
constexpr int GroupSize = 16;
struct alignas(64) Arrivals {
  uint64_t value = 0; // since the start, of all jobs
};

struct Shared {
  Word generation; // raised for each job; negative: stop
  Word groupsLeft; // groups of workers that have not finished the job
  Word sleepers;
  ThreadPool::Job job = nullptr;
  void *context = nullptr;
  int64_t items = 0, grain = 1, portions = 0;
  int threads = 1;
  bool each = false; // one portion per worker, nothing to take from others
};

Shared shared;
Cursor cursors[ThreadPool::MaxThreads];
Arrivals arrivals[ThreadPool::MaxThreads / GroupSize + 1];
pthread_t handles[ThreadPool::MaxThreads];
struct Start {
  ThreadPool *pool;
  int worker;
} starts[ThreadPool::MaxThreads];

Topology topology;
int places[ThreadPool::MaxThreads];
cpu_set_t maskBefore; // of the thread that started the pool

int32_t load(const int32_t &word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

void wait(int32_t &word, int32_t seen) {
  for (int i = 0; i < spins; ++i) {
    if (load(word) != seen)
      return;
    pause();
  }
  __atomic_add_fetch(&shared.sleepers.value, 1, __ATOMIC_SEQ_CST);
  while (load(word) == seen)
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
  __atomic_sub_fetch(&shared.sleepers.value, 1, __ATOMIC_SEQ_CST);
}

void wake(int32_t &word) {
  if (__atomic_load_n(&shared.sleepers.value, __ATOMIC_SEQ_CST))
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr,
            0);
}

void raise(int32_t &word, int32_t value) {
  __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
  wake(word);
}

/// First portion of a worker's run.
int64_t firstOf(int worker) {
  return shared.portions * worker / shared.threads;
}

/// Portions that one claim takes of `left`: a quarter, so that a kernel gets
/// many neighbouring items at first and workers still end together; in fours or
/// pairs, because kernels take so many tiles at once.
int64_t claimOf(int64_t left) {
  int64_t count = left / 4 < 16 ? left / 4 : 16;
  return count >= 4 ? count & -4 : left >= 2 ? 2 : left;
}

/// Portions [first, first + count); none: count 0.
struct Claimed {
  int64_t first, count;
};

/// Takes the next portions of `owner`'s run for this job.
Claimed take(int owner, uint64_t job) {
  uint64_t &cursor = cursors[owner].value;
  int64_t end = firstOf(owner + 1);
  uint64_t seen = __atomic_load_n(&cursor, __ATOMIC_RELAXED);
  while (true) {
    int64_t next =
        seen >> 32 == job ? int64_t(seen & 0xffffffff) : firstOf(owner);
    if (next >= end)
      return {0, 0};
    int64_t count = claimOf(end - next);
    if (__atomic_compare_exchange_n(&cursor, &seen,
                                    job << 32 | uint64_t(next + count), true,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      return {next, count};
  }
}

int groupsOf(int threads) { return (threads - 1 + GroupSize - 1) / GroupSize; }

/// Worker's report that it is done with the job.
void arrive(int worker) {
  int group = (worker - 1) / GroupSize;
  int size = shared.threads - 1 - group * GroupSize;
  size = size < GroupSize ? size : GroupSize;
  if (__atomic_add_fetch(&arrivals[group].value, 1, __ATOMIC_SEQ_CST) %
          uint64_t(size) !=
      0)
    return;
  // The caller may already be in the next job when this wakes it: harmless,
  // because it looks at the word again.
  if (__atomic_sub_fetch(&shared.groupsLeft.value, 1, __ATOMIC_SEQ_CST) == 0)
    wake(shared.groupsLeft.value);
}

void pinTo(pthread_t thread, int place) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(size_t(topology.processors[place].number), &one);
  pthread_setaffinity_np(thread, sizeof(one), &one);
}

} // namespace

int defaultThreads() {
  int cores = defaultThreadCount();
  return cores < ThreadPool::MaxThreads ? cores : ThreadPool::MaxThreads;
}

Status ThreadPool::start(int threads, bool pin) {
  if (threads < 1 || threads > MaxThreads)
    return makeError(Code::InvalidArgument, "expected 1 to %d threads, got %d",
                     MaxThreads, threads);
  readTopology(topology);
  pinned = pin && threads <= topology.count;
  if (pinned) {
    placeWorkers(topology, threads, places);
    pthread_getaffinity_np(pthread_self(), sizeof(maskBefore), &maskBefore);
    pinTo(pthread_self(), places[0]);
  }
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, StackBytes);
  count = shared.threads = threads;
  // Jobs are numbered from 1 again: nothing of an earlier pool may remain.
  memset(cursors, 0, sizeof(cursors));
  memset(arrivals, 0, sizeof(arrivals));
  spins = threads <= topology.count ? Spins : 0;
  for (int i = 1; i < threads; ++i) {
    starts[i] = {this, i};
    int error = pthread_create(&handles[i], &attributes, enter, &starts[i]);
    if (error) {
      count = i;
      stop();
      return makeSystemError(Code::OutOfMemory, error,
                             "cannot start thread %d of %d; use --threads", i,
                             threads);
    }
    if (pinned)
      pinTo(handles[i], places[i]);
  }
  pthread_attr_destroy(&attributes);
  return okStatus();
}

void ThreadPool::stop() {
  raise(shared.generation.value, -1);
  for (int i = 1; i < count; ++i)
    pthread_join(handles[i], nullptr);
  __atomic_store_n(&shared.generation.value, 0, __ATOMIC_SEQ_CST);
  if (pinned)
    pthread_setaffinity_np(pthread_self(), sizeof(maskBefore), &maskBefore);
  pinned = false;
  count = 1;
}

void *ThreadPool::enter(void *argument) {
  auto *start = static_cast<Start *>(argument);
  num::flushDenormals();
  start->pool->work(start->worker);
  return nullptr;
}

void ThreadPool::work(int worker) {
  int32_t seen = 0;
  while (true) {
    wait(shared.generation.value, seen);
    seen = load(shared.generation.value);
    if (seen < 0)
      return;
    claim(worker);
    arrive(worker);
  }
}

void ThreadPool::claim(int worker) {
  if (shared.each)
    return shared.job(shared.context, worker, worker, worker + 1);
  uint64_t job = uint64_t(shared.generation.value);
  for (int i = 0; i < shared.threads; ++i) {
    int owner =
        worker + i < shared.threads ? worker + i : worker + i - shared.threads;
    for (Claimed taken; (taken = take(owner, job)).count > 0;) {
      int64_t begin = taken.first * shared.grain;
      int64_t end = begin + taken.count * shared.grain;
      shared.job(shared.context, worker, begin,
                 end < shared.items ? end : shared.items);
    }
  }
}

void ThreadPool::share(Job job, void *context, int64_t items, int64_t grain,
                       bool each) {
  shared.job = job;
  shared.context = context;
  shared.items = items;
  // Portion numbers fill half a cursor.
  while ((items + grain - 1) / grain > INT32_MAX)
    grain *= 2;
  shared.grain = grain;
  shared.portions = (items + grain - 1) / grain;
  shared.each = each;
  shared.groupsLeft.value = groupsOf(count);
  // Generations wrap in the positive half; two in a row always differ.
  raise(shared.generation.value, (shared.generation.value % 0x3fffffff) + 1);
  claim(0);
  for (int32_t left; (left = load(shared.groupsLeft.value)) != 0;)
    wait(shared.groupsLeft.value, left);
}

void ThreadPool::run(Job job, void *context, int64_t items, int64_t grain) {
  num::flushDenormals();
  if (count > 1 && items > grain)
    return share(job, context, items, grain, false);
  if (items > 0)
    job(context, 0, 0, items);
}

void ThreadPool::runOnEach(Job job, void *context) {
  num::flushDenormals();
  if (count > 1)
    return share(job, context, count, 1, true);
  job(context, 0, 0, 1);
}

} // namespace dsv4
