// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ceiling.h. The loops are plain vector code, compiled once per instruction
// set by a target attribute.

#include "runtime/core/ceiling.h"

#include "runtime/abi/program.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dsv4 {

namespace {

/// A cache line.
typedef uint64_t Line __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64)));

/// Ways to read: streams per worker (0: one, a line at a time, each waiting for
/// the sum of the one before, which leaves the hardware's prefetcher the pace),
/// how far ahead lines are asked for, and whether they shall pass by the outer
/// caches (PREFETCHNTA: good on AMD's Zen 4, half of the rate on an Intel
/// Xeon).
struct Pattern {
  int streams;
  int ahead; // bytes; 0: no prefetch
  bool passes;
};
constexpr Pattern patterns[Ceiling::numPatterns] = {
    {0, 0, false},    {1, 0, false},   {2, 0, false},  {1, 1024, false},
    {1, 4096, false}, {1, 1024, true}, {1, 4096, true}};

/// Reads `bytes`, a multiple of 1024, at `from`. A macro, because a template
/// cannot take the target attribute of its caller.
#define DSV4_STREAM_BODY                                                       \
  if (pattern.streams == 0) {                                                  \
    Floats sum = {};                                                           \
    for (int64_t at = 0; at < bytes; at += 64)                                 \
      sum += *reinterpret_cast<const Floats *>(from + at);                     \
    __asm__ volatile("" : : "m"(sum));                                         \
    return 0;                                                                  \
  }                                                                            \
  const char *second = from + (pattern.streams == 2 ? bytes / 2 : 512);        \
  int64_t step = pattern.streams == 2 ? 512 : 1024;                            \
  Line a = {}, b = {}, c = {}, d = {};                                         \
  for (int64_t at = 0, n = bytes / 1024; n > 0; --n, at += step) {             \
    const Line *x = reinterpret_cast<const Line *>(from + at);                 \
    const Line *y = reinterpret_cast<const Line *>(second + at);               \
    const char *next = from + at + pattern.ahead;                              \
    if (pattern.ahead && !pattern.passes)                                      \
      for (int i = 0; i < 16; ++i)                                             \
        __builtin_prefetch(next + i * 64);                                     \
    if (pattern.ahead && pattern.passes)                                       \
      for (int i = 0; i < 16; ++i)                                             \
        __builtin_prefetch(next + i * 64, 0, 0);                               \
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

// Sums that grow independently: at least latency times throughput, at most what
// the registers hold beside the factor (32 with AVX-512, 16 below).
constexpr int wideChains = 16, narrowChains = 10;

/// Multiply-adds of one round, in the widest way that the program uses.
int64_t dotsPerRound(uint32_t features) {
  if (features & DSV4_CPU_AMX_BF16)
    return 4 * 16 * 16 * 32;
  if (features & DSV4_CPU_AVX512BF16)
    return 32 * wideChains;
  if (features & DSV4_CPU_AVX512F)
    return 16 * wideChains;
  return (features & DSV4_CPU_FMA ? 8 : 4) * narrowChains;
}

/// `rounds` multiply-adds in each lane of `Chains` accumulators; `Step` is one,
/// of sum and one. A macro for the reason above.
#define DSV4_CHAINS_BODY(Chains, Vector, One, Step)                            \
  Vector sums[Chains] = {};                                                    \
  auto one = One;                                                              \
  __asm__ volatile("" : "+m"(one)); /* unknown to the compiler */              \
  for (; rounds > 0; --rounds)                                                 \
    for (Vector &sum : sums)                                                   \
      sum = Step;                                                              \
  for (const Vector &sum : sums)                                               \
    __asm__ volatile("" : : "m"(sum));

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bf16"))) void dotsBf16(int64_t rounds) {
  DSV4_CHAINS_BODY(wideChains, __m512, (__m512bh)_mm512_set1_epi16(0x3f80),
                   _mm512_dpbf16_ps(sum, one, one))
}

__attribute__((target("avx512f"))) void dotsAvx512(int64_t rounds) {
  DSV4_CHAINS_BODY(wideChains, __m512, _mm512_set1_ps(1),
                   _mm512_fmadd_ps(sum, one, one))
}

__attribute__((target("avx2,fma"))) void dotsAvx2(int64_t rounds) {
  DSV4_CHAINS_BODY(narrowChains, __m256, _mm256_set1_ps(1),
                   _mm256_fmadd_ps(sum, one, one))
}
#endif

#if defined(__x86_64__)
/// Four products of tile registers a round, of bits that are not alike: a
/// matrix unit that is fed with zeros gets a faster clock.
__attribute__((target("amx-tile,amx-bf16"))) void dotsAmx(int64_t rounds) {
  alignas(64) static const uint8_t config[64] = {
      1, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0,  0,  0,  0,  0,  0,  64, 0, 64,
      0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,  64, 0,  0,  0,  0,  0,  0, 0,
      0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  16, 16, 16, 16, 16, 16, 16, 16};
  alignas(64) uint16_t values[512];
  uint32_t bits = 1;
  for (uint16_t &value : values) {
    bits = bits * 1664525u + 1013904223u;
    value = uint16_t(0x3f80 | (bits >> 16 & 0x807f)); // 1 to 2, both signs
  }
  _tile_loadconfig(config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, values, 64);
  _tile_loadd(5, values, 64);
  _tile_loadd(6, values, 64);
  _tile_loadd(7, values, 64);
  for (; rounds > 0; --rounds) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}
#endif

typedef float Lanes4 __attribute__((vector_size(16)));

void dotsBase(int64_t rounds) {
  DSV4_CHAINS_BODY(narrowChains, Lanes4, (Lanes4{1, 1, 1, 1}), sum * one + one)
}

#undef DSV4_CHAINS_BODY

void dots(uint32_t features, int64_t rounds) {
#if defined(__x86_64__)
  if (features & DSV4_CPU_AMX_BF16)
    return dotsAmx(rounds);
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
  *this = Ceiling(); // may have been open with other workers
  pool = &workers;
  features = mask;
  size_t part = memory.add(bufferBytes);
  DSV4_RETURN_IF_ERROR(memory.reserve());
  buffer = static_cast<char *>(memory.address(part));
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
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < numPatterns; ++i) {
      double rate = readOnce(i, (64u << 20) / uint64_t(pool->threads()));
      rates[i] = rate > rates[i] ? rate : rates[i];
    }
  rankPatterns();
  return okStatus();
}

void Ceiling::rankPatterns() {
  first = 0;
  for (int i = 1; i < numPatterns; ++i)
    first = rates[i] > rates[first] ? i : first;
  second = first == 0 ? 1 : 0;
  for (int i = 0; i < numPatterns; ++i)
    if (i != first)
      second = rates[i] > rates[second] ? i : second;
}

void Ceiling::close() { memory.release(); }

double Ceiling::readOnce(int pattern, uint64_t bytesEach) {
  uint64_t slice = bufferBytes / uint64_t(pool->threads()) & ~uint64_t(4095);
  bytesEach = (bytesEach & ~uint64_t(4095)) + 4096;
  cursor %= slice; // of another number of workers, perhaps
  ReadCall call = {buffer,    slice,    cursor,
                   bytesEach, features, patterns[pattern]};
  double start = seconds();
  pool->runOnEach(readJob, &call);
  double took = seconds() - start;
  cursor = (cursor + bytesEach) % slice;
  return double(bytesEach) * pool->threads() / took;
}

double Ceiling::readBytes(double duration) {
  // The limit is what the better way reaches: which one that is moves with the
  // machine's neighbours.
  double most = 0;
  const int ways[] = {first, second};
  for (int i : ways) {
    uint64_t bytes = uint64_t(rates[i] * duration / 2);
    rates[i] = readOnce(i, bytes / uint64_t(pool->threads()));
    most = rates[i] > most ? rates[i] : most;
  }
  return most;
}

double Ceiling::dotsOnce(uint32_t mask, double duration, double known) {
  int64_t perRound = dotsPerRound(mask);
  DotCall call = {mask, int64_t(known * duration / double(perRound)) + 1};
  double start = seconds();
  pool->runOnEach(dotJob, &call);
  return double(call.rounds) * double(perRound) * pool->threads() /
         (seconds() - start);
}

/// Not every core gains by its BF16 dot instruction. The choice is for good, so
/// one interruption must not make it: the best of several, in turns.
void Ceiling::chooseDots() {
  const uint32_t ways[] = {features, features & ~uint32_t(DSV4_CPU_AVX512BF16)};
  double best[2] = {1e9, 1e9}; // of all threads
  for (int round = 0; round < 5; ++round)
    for (int i = 0; i < (ways[1] == ways[0] ? 1 : 2); ++i) {
      double rate = dotsOnce(ways[i], 0.002, best[i] / pool->threads());
      best[i] = rate > best[i] ? rate : best[i];
    }
  int first = best[1] > best[0] ? 1 : 0;
  dotFeatures = ways[first];
  lastDots = best[first];
}

double Ceiling::multiplyAdds(double duration) {
  if (lastDots == 0)
    chooseDots();
  lastDots = dotsOnce(dotFeatures, duration, lastDots / pool->threads());
  return lastDots;
}

} // namespace dsv4
