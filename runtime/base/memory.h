// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory of an executable: one reservation for state, step buffers, scratch,
// input and output buffers (and one for a text that comes before their sizes
// are known). Sizes are compared with what the system has left before anything
// is touched, and never grow.

#ifndef DSV4_RUNTIME_BASE_MEMORY_H
#define DSV4_RUNTIME_BASE_MEMORY_H

#include "runtime/base/status.h"

#include <stddef.h>
#include <stdint.h>

namespace dsv4 {

/// Bytes that this process may still use: the least of the limits that
/// system_limits.h reads.
uint64_t availableMemory();

/// Anonymous memory that this process has, in RAM or swapped out; 0 where the
/// kernel does not say. Pages of files are not in it. Kernels before 6.16 count
/// in batches: some hundred KiB for each processor may be missing. `root` is
/// put before /proc (tests).
uint64_t anonymousBytes(const char *root = "");

/// Collects sizes, then hands out addresses in the same order.
class Reservation {
public:
  /// Of the first part: that of a huge page.
  static constexpr uint64_t alignment = 2u << 20;

  /// Adds a part of `bytes` and returns its number; 64-byte aligned. Overflow
  /// makes reserve() fail.
  size_t add(uint64_t bytes);

  /// Maps zeroed memory for all parts. OutOfMemory says how much was needed and
  /// how much there is.
  Status reserve();

  /// Unmaps everything; the addresses are gone.
  void release();

  void *address(size_t part) const { return memory + offsets[part]; }
  uint64_t bytes() const { return total; }
  /// The sizes overflow: no machine has so much.
  bool isTooLarge() const { return overflow; }

private:
  static constexpr size_t MaxParts = 32;
  uint64_t offsets[MaxParts] = {};
  size_t parts = 0;
  uint64_t total = 0;
  bool overflow = false;
  char *memory = nullptr;
  void *mapping = nullptr;
  size_t mappingBytes = 0;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_MEMORY_H
