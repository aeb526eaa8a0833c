// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See thread_pool.h.

#include "runtime/base/thread_pool.h"

#include "runtime/base/system_limits.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
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
struct alignas(64) Counter {
  int64_t value = 0;
};

struct Shared {
  Word generation; // raised for each job; negative: stop
  Word pending;    // workers that have not finished the job
  Word sleepers;
  Counter next;
  ThreadPool::Job job = nullptr;
  void *context = nullptr;
  int64_t items = 0, grain = 1;
};

Shared shared;
pthread_t handles[ThreadPool::MaxThreads];
struct Start {
  ThreadPool *pool;
  int worker;
} starts[ThreadPool::MaxThreads];

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

} // namespace

int defaultThreads() {
  int cores = defaultThreadCount();
  return cores < ThreadPool::MaxThreads ? cores : ThreadPool::MaxThreads;
}

void flushDenormals() {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#elif defined(__aarch64__)
  uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  __asm__ volatile("msr fpcr, %0" : : "r"(control | 1u << 24));
#endif
}

Status ThreadPool::start(int threads) {
  if (threads < 1 || threads > MaxThreads)
    return makeError(Code::InvalidArgument, "expected 1 to %d threads, got %d",
                     MaxThreads, threads);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, StackBytes);
  count = threads;
  spins = threads <= allowedProcessors() ? Spins : 0;
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
  }
  pthread_attr_destroy(&attributes);
  return okStatus();
}

void ThreadPool::stop() {
  raise(shared.generation.value, -1);
  for (int i = 1; i < count; ++i)
    pthread_join(handles[i], nullptr);
  __atomic_store_n(&shared.generation.value, 0, __ATOMIC_SEQ_CST);
  count = 1;
}

void *ThreadPool::enter(void *argument) {
  auto *start = static_cast<Start *>(argument);
  flushDenormals();
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
    // The caller may already be in the next job when this wakes it: harmless,
    // because it looks at the word again.
    if (__atomic_sub_fetch(&shared.pending.value, 1, __ATOMIC_SEQ_CST) == 0)
      wake(shared.pending.value);
  }
}

void ThreadPool::claim(int worker) {
  while (true) {
    int64_t begin =
        __atomic_fetch_add(&shared.next.value, shared.grain, __ATOMIC_RELAXED);
    if (begin >= shared.items)
      return;
    int64_t end = begin + shared.grain;
    shared.job(shared.context, worker, begin,
               end < shared.items ? end : shared.items);
  }
}

void ThreadPool::run(Job job, void *context, int64_t items, int64_t grain) {
  flushDenormals();
  if (count == 1 || items <= grain) {
    if (items > 0)
      job(context, 0, 0, items);
    return;
  }
  shared.job = job;
  shared.context = context;
  shared.items = items;
  shared.grain = grain;
  shared.next.value = 0;
  shared.pending.value = count - 1;
  // Generations wrap in the positive half; two in a row always differ.
  raise(shared.generation.value, (shared.generation.value % 0x3fffffff) + 1);
  claim(0);
  for (int32_t left; (left = load(shared.pending.value)) != 0;)
    wait(shared.pending.value, left);
}

} // namespace dsv4
