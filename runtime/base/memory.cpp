// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See memory.h.

#include "runtime/base/memory.h"

#include "runtime/base/read_text.h"
#include "runtime/base/system_limits.h"

#include <errno.h>
#include <initializer_list>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace dsv4 {

uint64_t availableMemory() {
  MemoryLimits limits = readMemoryLimits();
  return limits.available < limits.addressSpace ? limits.available
                                                : limits.addressSpace;
}

uint64_t anonymousBytes(const char *root) {
  char text[4096];
  if (!readText(root, "/proc/self/status", text, sizeof(text)))
    return 0;
  uint64_t bytes = 0;
  for (const char *key : {"\nRssAnon:", "\nVmSwap:"})
    if (const char *at = strstr(text, key))
      bytes += strtoull(at + strlen(key), nullptr, 10) << 10;
  return bytes;
}

size_t Reservation::add(uint64_t bytes) {
  offsets[parts] = total;
  uint64_t rounded = (bytes + 63) & ~uint64_t(63);
  overflow |= rounded < bytes || total + rounded < total ||
              total + rounded > (uint64_t(1) << 62) || parts + 1 == MaxParts;
  total += overflow ? 0 : rounded;
  return overflow ? parts : parts++;
}

Status Reservation::reserve() {
  uint64_t left = availableMemory();
  if (overflow || total > left)
    return makeError(
        Code::OutOfMemory,
        "too little memory: %llu MiB are needed, %llu MiB are left",
        (unsigned long long)((total + (1 << 20) - 1) >> 20),
        (unsigned long long)(left >> 20));
  void *got = mmap(nullptr, total + alignment, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED)
    return makeSystemError(Code::OutOfMemory, errno,
                           "too little memory: cannot reserve %llu MiB",
                           (unsigned long long)(total >> 20));
  mapping = got;
  mappingBytes = total + alignment;
  memory =
      (char *)(((uintptr_t)got + alignment - 1) & ~(uintptr_t)(alignment - 1));
  madvise(memory, total, MADV_HUGEPAGE); // advice: failing is no error
  return okStatus();
}

void Reservation::release() {
  if (mapping)
    munmap(mapping, mappingBytes);
  mapping = nullptr;
  memory = nullptr;
}

} // namespace dsv4
