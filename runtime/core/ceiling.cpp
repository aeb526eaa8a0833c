// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ceiling.h. The loops are plain vector code, compiled once per instruction
// set by a target attribute.

#include "runtime/core/ceiling.h"

#include "runtime/abi/program.h"
#include "runtime/base/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dsv4 {

namespace {

double now() {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

/// A cache line.
typedef uint64_t Line __attribute__((vector_size(64)));

/// Ways to read: streams per worker, and how far ahead lines are asked for.
struct Pattern {
  int streams;
  int ahead; // bytes; 0: no prefetch
};
constexpr Pattern patterns[] = {{1, 0}, {2, 0}, {1, 1024}, {1, 4096}};
constexpr int numPatterns = sizeof(patterns) / sizeof(*patterns);

/// Reads `bytes`, a multiple of 1024, at `from`. A macro, because a template
/// cannot take the target attribute of its caller.
#define DSV4_STREAM_BODY                                                       \
  const char *second = from + (pattern.streams == 2 ? bytes / 2 : 512);        \
  int64_t step = pattern.streams == 2 ? 512 : 1024;                            \
  Line a = {}, b = {}, c = {}, d = {};                                         \
  for (int64_t at = 0, n = bytes / 1024; n > 0; --n, at += step) {             \
    const Line *x = reinterpret_cast<const Line *>(from + at);                 \
    const Line *y = reinterpret_cast<const Line *>(second + at);               \
    if (pattern.ahead)                                                         \
      for (int i = 0; i < 16; ++i)                                             \
        __builtin_prefetch(from + at + pattern.ahead + i * 64);                \
    a ^= x[0] ^ x[4];                                                          \
    b ^= x[1] ^ x[5];                                                          \
    c ^= x[2] ^ x[6];                                                          \
    d ^= x[3] ^ x[7];                                                          \
    a ^= y[0] ^ y[4];                                                          \
    b ^= y[1] ^ y[5];                                                          \
    c ^= y[2] ^ y[6];                                                          \
    d ^= y[3] ^ y[7];                                                          \
  }                                                                            \
  a ^= b ^ c ^ d;                                                              \
  return a[0] ^ a[7];

uint64_t streamBase(const char *from, int64_t bytes, Pattern pattern) {
  DSV4_STREAM_BODY
}

#if defined(__x86_64__)
__attribute__((target("avx2")))
uint64_t streamAvx2(const char *from, int64_t bytes, Pattern pattern) {
  DSV4_STREAM_BODY
}

__attribute__((target("avx512f"))) uint64_t
streamAvx512(const char *from, int64_t bytes, Pattern pattern){DSV4_STREAM_BODY}
#endif

#undef DSV4_STREAM_BODY

uint64_t stream(uint32_t features, const char *from, int64_t bytes,
                Pattern pattern) {
#if defined(__x86_64__)
  if (features & DSV4_CPU_AVX512F)
    return streamAvx512(from, bytes, pattern);
  if (features & DSV4_CPU_AVX2)
    return streamAvx2(from, bytes, pattern);
#endif
  (void)features;
  return streamBase(from, bytes, pattern);
}

constexpr int chains = 16; // more than latency times throughput of any CPU

/// `rounds` multiply-adds in each lane of `chains` accumulators.
template <class Vector, class Step>
__attribute__((always_inline)) inline void
runChains(Vector (&sums)[chains], int64_t rounds, Step step) {
  for (; rounds > 0; --rounds)
    for (int i = 0; i < chains; ++i)
      sums[i] = step(sums[i]);
  for (int i = 0; i < chains; ++i)
    __asm__ volatile("" : : "m"(sums[i]));
}

typedef float Lanes16 __attribute__((vector_size(64)));
typedef float Lanes4 __attribute__((vector_size(16)));

/// Multiply-adds of one round, in the widest way that the program uses.
int64_t dotsPerRound(uint32_t features) {
  int lanes = features & DSV4_CPU_AVX512BF16 ? 32
              : features & DSV4_CPU_AVX512F  ? 16
              : features & DSV4_CPU_FMA      ? 8
                                             : 4;
  return int64_t(lanes) * chains;
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bf16"))) void dotsBf16(int64_t rounds) {
  __m512 sums[chains] = {};
  __m512bh one = (__m512bh)_mm512_set1_epi16(0x3f80);
  __asm__ volatile("" : "+v"(one));
  for (; rounds > 0; --rounds)
    for (int i = 0; i < chains; ++i)
      sums[i] = _mm512_dpbf16_ps(sums[i], one, one);
  for (int i = 0; i < chains; ++i)
    __asm__ volatile("" : : "v"(sums[i]));
}

__attribute__((target("avx512f"))) void dotsAvx512(int64_t rounds) {
  __m512 sums[chains] = {}, one = _mm512_set1_ps(1);
  __asm__ volatile("" : "+v"(one));
  for (; rounds > 0; --rounds)
    for (int i = 0; i < chains; ++i)
      sums[i] = _mm512_fmadd_ps(sums[i], one, one);
  for (int i = 0; i < chains; ++i)
    __asm__ volatile("" : : "v"(sums[i]));
}

__attribute__((target("avx2,fma"))) void dotsAvx2(int64_t rounds) {
  __m256 sums[chains] = {}, one = _mm256_set1_ps(1);
  __asm__ volatile("" : "+x"(one));
  for (; rounds > 0; --rounds)
    for (int i = 0; i < chains; ++i)
      sums[i] = _mm256_fmadd_ps(sums[i], one, one);
  for (int i = 0; i < chains; ++i)
    __asm__ volatile("" : : "m"(sums[i]));
}
#endif

void dotsBase(int64_t rounds) {
  Lanes4 sums[chains] = {}, one = {1, 1, 1, 1};
  runChains(sums, rounds, [one](Lanes4 x) { return x * one + one; });
}

void dots(uint32_t features, int64_t rounds) {
#if defined(__x86_64__)
  if (features & DSV4_CPU_AVX512BF16)
    return dotsBf16(rounds);
  if (features & DSV4_CPU_AVX512F)
    return dotsAvx512(rounds);
  if (features & DSV4_CPU_FMA)
    return dotsAvx2(rounds);
#endif
  (void)features;
  dotsBase(rounds);
}

struct ReadCall {
  const char *buffer;
  uint64_t slice, cursor, bytes; // of each worker
  uint32_t features;
  Pattern pattern;
};

void readJob(void *context, int worker, int64_t, int64_t) {
  const ReadCall &call = *static_cast<const ReadCall *>(context);
  const char *slice = call.buffer + uint64_t(worker) * call.slice;
  uint64_t at = call.cursor;
  for (uint64_t left = call.bytes; left > 0;) {
    uint64_t part = call.slice - at < left ? call.slice - at : left;
    uint64_t sum =
        stream(call.features, slice + at, int64_t(part), call.pattern);
    __asm__ volatile("" : : "r"(sum));
    left -= part;
    at = (at + part) % call.slice;
  }
}

struct DotCall {
  uint32_t features;
  int64_t rounds;
};

void dotJob(void *context, int, int64_t, int64_t) {
  const DotCall &call = *static_cast<const DotCall *>(context);
  dots(call.features, call.rounds);
}

} // namespace

Status Ceiling::open(ThreadPool &workers, uint32_t mask) {
  pool = &workers;
  features = mask;
  // Every page is touched, so the system's word that it maps is not enough.
  void *memory = availableMemory() < bufferBytes
                     ? MAP_FAILED
                     : mmap(nullptr, bufferBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return makeError(Code::OutOfMemory,
                     "too little memory: measuring it takes %llu MiB, %llu MiB "
                     "are left; use --no-ceiling",
                     (unsigned long long)(bufferBytes >> 20),
                     (unsigned long long)(availableMemory() >> 20));
  madvise(memory, bufferBytes, MADV_HUGEPAGE);
  buffer = static_cast<char *>(memory);
  // Each worker touches its own slice first.
  struct Fill {
    char *buffer;
    uint64_t slice;
  } fill = {buffer, bufferBytes / uint64_t(pool->threads())};
  pool->runOnEach(
      [](void *context, int worker, int64_t, int64_t) {
        auto &f = *static_cast<Fill *>(context);
        memset(f.buffer + uint64_t(worker) * f.slice, 1, f.slice);
      },
      &fill);
  double rates[numPatterns] = {};
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < numPatterns; ++i) {
      double rate = readOnce(i, (64u << 20) / uint64_t(pool->threads()));
      rates[i] = rate > rates[i] ? rate : rates[i];
      if (rates[i] > rates[best])
        best = i;
    }
  lastRate = rates[best];
  return okStatus();
}

void Ceiling::close() {
  if (buffer)
    munmap(buffer, bufferBytes);
  buffer = nullptr;
}

double Ceiling::readOnce(int pattern, uint64_t bytesEach) {
  uint64_t slice = bufferBytes / uint64_t(pool->threads()) & ~uint64_t(4095);
  bytesEach = (bytesEach & ~uint64_t(4095)) + 4096;
  ReadCall call = {buffer,    slice,    cursor,
                   bytesEach, features, patterns[pattern]};
  double start = now();
  pool->runOnEach(readJob, &call);
  double took = now() - start;
  cursor = (cursor + bytesEach) % slice;
  return double(bytesEach) * pool->threads() / took;
}

double Ceiling::readBytes(double seconds) {
  lastRate =
      readOnce(best, uint64_t(lastRate * seconds) / uint64_t(pool->threads()));
  return lastRate;
}

double Ceiling::multiplyAdds(double seconds) {
  int64_t perRound = dotsPerRound(features);
  double known = lastDots > 0 ? lastDots / pool->threads() : 1e9;
  DotCall call = {features, int64_t(known * seconds / double(perRound)) + 1};
  double start = now();
  pool->runOnEach(dotJob, &call);
  double took = now() - start;
  bool isFirst = lastDots == 0;
  lastDots = double(call.rounds) * double(perRound) * pool->threads() / took;
  return isFirst ? multiplyAdds(seconds) : lastDots;
}

} // namespace dsv4
