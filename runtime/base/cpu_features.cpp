// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See cpu_features.h.

#include "runtime/base/cpu_features.h"

#include "runtime/abi/program.h"
#include "runtime/numerics/tile_registers.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dsv4 {

#if defined(__x86_64__)

static uint64_t extendedState() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

uint32_t cpuFeatures() {
  uint32_t a, b, c, d, found = 0;
  auto add = [&](bool there, uint32_t feature) {
    found |= there ? feature : 0;
  };
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
    return 0; // no XSAVE: no wide registers
  uint64_t state = extendedState();
  bool ymm = (state & 6) == 6, zmm = (state & 0xe6) == 0xe6;
  add(ymm && (c >> 12 & 1), DSV4_CPU_FMA);
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return found;
  add(ymm && (b >> 5 & 1), DSV4_CPU_AVX2);
  add(zmm && (b >> 16 & 1), DSV4_CPU_AVX512F);
  add(zmm && (b >> 17 & 1), DSV4_CPU_AVX512DQ);
  add(zmm && (b >> 30 & 1), DSV4_CPU_AVX512BW);
  add(zmm && (b >> 31 & 1), DSV4_CPU_AVX512VL);
  add(zmm && (c >> 1 & 1), DSV4_CPU_AVX512VBMI);
  add(zmm && (c >> 11 & 1), DSV4_CPU_AVX512VNNI);
  bool tiles = (state >> 17 & 3) == 3 && (d >> 24 & 1);
  add(tiles && (d >> 22 & 1) && num::requestTileRegisters(), DSV4_CPU_AMX_BF16);
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d))
    add(zmm && (a >> 5 & 1), DSV4_CPU_AVX512BF16);
  return found;
}

void cpuName(char *name, size_t room) {
  uint32_t words[13] = {};
  for (uint32_t leaf = 0; leaf < 3; ++leaf)
    if (!__get_cpuid(0x80000002u + leaf, &words[4 * leaf], &words[4 * leaf + 1],
                     &words[4 * leaf + 2], &words[4 * leaf + 3]))
      words[0] = 0;
  const char *text = reinterpret_cast<const char *>(words);
  snprintf(name, room, "%s", text + strspn(text, " "));
}

#else

uint32_t cpuFeatures() { return 0; }

void cpuName(char *name, size_t room) {
  if (room)
    name[0] = 0;
}

#endif

static const struct {
  uint32_t feature;
  const char *name;
} names[] = {
    {DSV4_CPU_AVX2, "avx2"},
    {DSV4_CPU_FMA, "fma"},
    {DSV4_CPU_AVX512F, "avx512f"},
    {DSV4_CPU_AVX512BW, "avx512bw"},
    {DSV4_CPU_AVX512VL, "avx512vl"},
    {DSV4_CPU_AVX512DQ, "avx512dq"},
    {DSV4_CPU_AVX512BF16, "avx512bf16"},
    {DSV4_CPU_AVX512VBMI, "avx512vbmi"},
    {DSV4_CPU_AVX512VNNI, "avx512vnni"},
    {DSV4_CPU_AMX_BF16, "amx_bf16"},
};

/// Whether `name` is an item of a comma-separated list.
static bool isListed(const char *list, const char *name) {
  size_t length = strlen(name);
  for (const char *at = list; at && *at; at = strchr(at, ',')) {
    at += *at == ',';
    if (strncmp(at, name, length) == 0 && (at[length] == ',' || !at[length]))
      return true;
  }
  return false;
}

Status checkCpu(uint32_t needed, const char *target, const char *hidden) {
  uint32_t there = cpuFeatures();
  char missing[128] = "";
  for (const auto &f : names) {
    if (!(needed & f.feature) ||
        ((there & f.feature) && !isListed(hidden, f.name)))
      continue;
    size_t used = strlen(missing);
    snprintf(missing + used, sizeof(missing) - used, "%s%s", used ? " " : "",
             f.name);
  }
  if (!missing[0])
    return okStatus();
  return makeError(Code::Unsupported,
                   "this executable was compiled for %s; this CPU lacks %s; "
                   "compile the model here, or with --target cpu:x86-64",
                   target, missing);
}

} // namespace dsv4
