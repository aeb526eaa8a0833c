// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See memory.h.

#include "runtime/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace dsv4 {

namespace {

/// Reads a small file of the system; returns false if it is not there.
bool readFile(const char *path, char *text, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  ssize_t got = read(file, text, size - 1);
  close(file);
  text[got > 0 ? got : 0] = 0;
  return got > 0;
}

/// A number in a file, UINT64_MAX for "max" or no file.
uint64_t numberIn(const char *path) {
  char text[64];
  if (!readFile(path, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
    return UINT64_MAX;
  return strtoull(text, nullptr, 10);
}

/// The value in bytes of a "Name:  N kB" line, or UINT64_MAX.
uint64_t lineOf(const char *text, const char *name) {
  const char *at = strstr(text, name);
  return at ? strtoull(at + strlen(name), nullptr, 10) * 1024 : UINT64_MAX;
}

uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t cgroupLeft(const char *limit, const char *used) {
  uint64_t most = numberIn(limit), now = numberIn(used);
  if (most == UINT64_MAX || now == UINT64_MAX)
    return UINT64_MAX;
  return most > now ? most - now : 0;
}

uint64_t addressSpaceLeft() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return UINT64_MAX;
  char text[128];
  uint64_t used = 0;
  if (readFile("/proc/self/statm", text, sizeof(text)))
    used = strtoull(text, nullptr, 10) * uint64_t(sysconf(_SC_PAGESIZE));
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

} // namespace

uint64_t availableMemory() {
  char text[4096];
  uint64_t left = UINT64_MAX;
  if (readFile("/proc/meminfo", text, sizeof(text)))
    left = lineOf(text, "MemAvailable:");
  left = least(left, cgroupLeft("/sys/fs/cgroup/memory.max",
                                "/sys/fs/cgroup/memory.current"));
  left = least(left, cgroupLeft("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                "/sys/fs/cgroup/memory/memory.usage_in_bytes"));
  return least(left, addressSpaceLeft());
}

size_t Reservation::add(uint64_t bytes) {
  offsets[parts] = total;
  uint64_t rounded = (bytes + 63) & ~uint64_t(63);
  overflow |= rounded < bytes || total + rounded < total ||
              total + rounded > (uint64_t(1) << 62) || parts + 1 == MaxParts;
  total += overflow ? 0 : rounded;
  return parts++;
}

Status Reservation::reserve() {
  uint64_t left = availableMemory();
  if (overflow || total > left)
    return makeError(Code::OutOfMemory,
                     "too little memory: state, buffers and scratch need %llu "
                     "MiB, %llu MiB are left; use a smaller --context",
                     (unsigned long long)(total >> 20),
                     (unsigned long long)(left >> 20));
  constexpr uint64_t huge = 2u << 20;
  void *got = mmap(nullptr, total + huge, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED)
    return makeSystemError(Code::OutOfMemory, errno,
                           "too little memory: cannot reserve %llu MiB; use a "
                           "smaller --context",
                           (unsigned long long)(total >> 20));
  memory = (char *)(((uintptr_t)got + huge - 1) & ~(uintptr_t)(huge - 1));
  madvise(memory, total, MADV_HUGEPAGE); // advice: failing is no error
  return okStatus();
}

} // namespace dsv4
