// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this machine can do at most, measured by the same workers that run the
// model: the memory read bandwidth, which bounds decode, and the peak of BF16
// products with f32 sums, which bounds prefill: by AMX where the program uses
// it, else by the BF16 dot instruction or by fused multiply-adds, whichever is
// faster here. Both move on shared
// machines (by 2x within seconds was seen), so they are measured beside every
// repetition, not once.

#ifndef DSV4_RUNTIME_CORE_CEILING_H
#define DSV4_RUNTIME_CORE_CEILING_H

#include "runtime/base/memory.h"
#include "runtime/base/thread_pool.h"

#include <stdint.h>

namespace dsv4 {

class Ceiling {
public:
  /// Bytes that open() maps: larger than the caches of any machine so far.
  static constexpr uint64_t bufferBytes = uint64_t(1) << 30;

  /// Ways of reading that are compared.
  static constexpr int numPatterns = 7;

  /// Maps and fills the buffer, and finds the two fastest ways to read it.
  /// `workers` may start again with another number of threads.
  /// `features` is the mask of dsv4_cpu_feature of the compiled program.
  /// OutOfMemory: no room for the buffer.
  Status open(ThreadPool &workers, uint32_t features);
  void close();

  /// Bytes per second that all workers together read from memory, over about
  /// `duration` seconds of reading: the better of the two ways.
  double readBytes(double duration = 0.1);

  /// Multiply-adds per second of all workers together.
  double multiplyAdds(double duration = 0.05);

private:
  void rankPatterns();
  double readOnce(int pattern, uint64_t bytesEach);
  void chooseDots();
  double dotsOnce(uint32_t mask, double duration, double known);

  ThreadPool *pool = nullptr;
  uint32_t features = 0;
  Reservation memory;
  char *buffer = nullptr;
  uint64_t cursor = 0;       // where in its slice each worker goes on reading
  int first = 0, second = 1; // patterns
  double rates[numPatterns] = {}; // of each pattern, when it was last used
  double lastDots = 0;
  uint32_t dotFeatures = 0; // of the faster form
};

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_CEILING_H
