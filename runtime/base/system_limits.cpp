// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See system_limits.h.

#include "runtime/base/system_limits.h"

#include "runtime/base/read_text.h"
#include "runtime/base/topology.h"

#include <initializer_list>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

namespace dsv4 {
namespace {

/// The number after `key` at the start of a line, in KiB; 0 when absent.
uint64_t meminfoBytes(const char *text, const char *key) {
  const char *at = strstr(text, key);
  return at ? strtoull(at + strlen(key), nullptr, 10) << 10 : 0;
}

/// Whether `name` is an item of a comma-separated list.
bool isListed(const char *list, const char *name) {
  size_t length = strlen(name);
  for (const char *at = list; at; at = strchr(at, ',')) {
    at += *at == ',';
    if (!strncmp(at, name, length) && (at[length] == ',' || !at[length]))
      return true;
  }
  return false;
}

/// Path of this process in the hierarchy of `controller` ("" for version 2),
/// from /proc/self/cgroup: lines "ID:CONTROLLERS:PATH".
bool cgroupPath(const char *root, const char *controller, char *path,
                size_t size) {
  char text[4096];
  if (!readText(root, "/proc/self/cgroup", text, sizeof(text)))
    return false;
  for (char *line = text; line && *line;) {
    char *next = strchr(line, '\n');
    if (next)
      *next++ = 0;
    char *first = strchr(line, ':');
    char *second = first ? strchr(first + 1, ':') : nullptr;
    if (second) {
      *second = 0;
      const char *list = first + 1;
      bool wanted = *controller ? isListed(list, controller) : *list == 0;
      if (wanted &&
          snprintf(path, size, "%s", second + 1) < static_cast<int>(size))
        return true;
    }
    line = next;
  }
  return false;
}

/// Calls visit(folder) for the process's cgroup and everything above it.
template <typename Visit>
void forEachCgroup(const char *root, const char *mount, const char *controller,
                   Visit visit) {
  char path[512], folder[640];
  if (!cgroupPath(root, controller, path, sizeof(path)))
    snprintf(path, sizeof(path), "/");
  for (;;) {
    bool top = strcmp(path, "/") == 0 || path[0] == 0;
    snprintf(folder, sizeof(folder), "%s%s", mount, top ? "" : path);
    visit(folder);
    if (top)
      return;
    char *slash = strrchr(path, '/');
    if (!slash)
      return;
    *slash = 0;
  }
}

bool readNumber(const char *root, const char *folder, const char *file,
                int64_t &value) {
  char path[768], text[64];
  snprintf(path, sizeof(path), "%s/%s", folder, file);
  if (!readText(root, path, text, sizeof(text)))
    return false;
  char *end = nullptr;
  value = strtoll(text, &end, 10);
  return end != text;
}

void tighten(MemoryLimits &limits, int64_t limit, int64_t used,
             const char *by) {
  // Version 1 writes a huge number for "no limit".
  if (limit <= 0 || limit >= (int64_t{1} << 60))
    return;
  uint64_t left = limit > used ? static_cast<uint64_t>(limit - used) : 0;
  if (left < limits.available) {
    limits.available = left;
    limits.availableBy = by;
  }
  if (static_cast<uint64_t>(limit) < limits.total)
    limits.total = static_cast<uint64_t>(limit);
}

/// Page cache counts as used in a cgroup but gives way to anonymous memory.
int64_t cgroupCache(const char *root, const char *folder) {
  char path[768], text[8192];
  snprintf(path, sizeof(path), "%s/memory.stat", folder);
  if (!readText(root, path, text, sizeof(text)))
    return 0;
  int64_t bytes = 0;
  for (const char *key : {"\ninactive_file ", "\nactive_file "})
    if (const char *at = strstr(text, key))
      bytes += strtoll(at + strlen(key), nullptr, 10);
  return bytes;
}

void addCgroupMemory(const char *root, MemoryLimits &limits) {
  auto visit = [&](const char *folder, const char *limitFile,
                   const char *usedFile) {
    int64_t limit = 0, used = 0;
    if (!readNumber(root, folder, limitFile, limit))
      return;
    readNumber(root, folder, usedFile, used);
    used -= cgroupCache(root, folder);
    tighten(limits, limit, used > 0 ? used : 0, "cgroup limit");
  };
  forEachCgroup(root, "/sys/fs/cgroup", "", [&](const char *folder) {
    visit(folder, "memory.max", "memory.current");
  });
  forEachCgroup(
      root, "/sys/fs/cgroup/memory", "memory", [&](const char *folder) {
        visit(folder, "memory.limit_in_bytes", "memory.usage_in_bytes");
      });
}

uint64_t addressSpaceLeft(const char *root) {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return UINT64_MAX;
  char text[128];
  uint64_t used = 0;
  if (readText(root, "/proc/self/statm", text, sizeof(text)))
    used = strtoull(text, nullptr, 10) *
           static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

/// Processors that the cgroup's quota allows, rounded up; 0: no quota.
int cgroupProcessors(const char *root) {
  int64_t best = 0;
  auto take = [&](int64_t quota, int64_t period) {
    if (quota <= 0 || period <= 0)
      return;
    int64_t count = (quota + period - 1) / period;
    if (best == 0 || count < best)
      best = count;
  };
  forEachCgroup(root, "/sys/fs/cgroup", "", [&](const char *folder) {
    char path[768], text[64];
    snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (!readText(root, path, text, sizeof(text)))
      return;
    char *end = nullptr;
    int64_t quota = strtoll(text, &end, 10); // "max 100000" gives end == text
    if (end != text)
      take(quota, strtoll(end, nullptr, 10));
  });
  for (const char *mount : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"})
    forEachCgroup(root, mount, "cpu", [&](const char *folder) {
      int64_t quota = 0, period = 0;
      if (readNumber(root, folder, "cpu.cfs_quota_us", quota) &&
          readNumber(root, folder, "cpu.cfs_period_us", period))
        take(quota, period);
    });
  return static_cast<int>(best);
}

} // namespace

MemoryLimits readMemoryLimits(const char *root) {
  MemoryLimits limits;
  limits.availableBy = "free memory";
  char text[4096];
  if (readText(root, "/proc/meminfo", text, sizeof(text))) {
    limits.total = meminfoBytes(text, "MemTotal:");
    limits.available = meminfoBytes(text, "MemAvailable:");
    limits.availableBy = "MemAvailable";
  }
  if (limits.total == 0) {
    struct sysinfo info;
    if (sysinfo(&info) == 0) {
      limits.total = uint64_t{info.totalram} * info.mem_unit;
      limits.available =
          (uint64_t{info.freeram} + info.bufferram) * info.mem_unit;
    }
  }
  addCgroupMemory(root, limits);
  limits.addressSpace = addressSpaceLeft(root);
  return limits;
}

int defaultThreadCount(const char *root) {
  Topology topology;
  readTopology(topology, root);
  int cores = topology.cores(), quota = cgroupProcessors(root);
  if (quota > 0 && quota < cores)
    cores = quota;
  return cores > 0 ? cores : 1;
}

} // namespace dsv4
