// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The clock of every measurement: it does not jump.

#ifndef DSV4_RUNTIME_BASE_CLOCK_H
#define DSV4_RUNTIME_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

namespace dsv4 {

inline int64_t nanoseconds() {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

inline double seconds() { return double(nanoseconds()) * 1e-9; }

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_CLOCK_H
