// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this process may use: memory (free memory, cgroup limits v1 and v2,
// RLIMIT_AS) and processors (affinity, cgroup quota, physical cores). Reads
// /proc and /sys where they are there and does without them otherwise.

#ifndef DSV4_RUNTIME_BASE_SYSTEM_LIMITS_H
#define DSV4_RUNTIME_BASE_SYSTEM_LIMITS_H

#include <stdint.h>

namespace dsv4 {

/// Bytes that may still be taken, with the tightest of the limits and its name.
struct MemoryLimits {
  uint64_t available = 0;       // of anonymous memory
  const char *availableBy = ""; // "MemAvailable", "cgroup limit", ...
  uint64_t total = 0;           // memory, cgroup limit included: for page cache
  uint64_t addressSpace = UINT64_MAX; // left under RLIMIT_AS
};

/// `root` is put before /proc and /sys; tests give a folder of their own.
MemoryLimits readMemoryLimits(const char *root = "");

/// Physical cores within the affinity mask, cut to the cgroup's quota (rounded
/// up), at least 1.
int defaultThreadCount(const char *root = "");

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_SYSTEM_LIMITS_H
