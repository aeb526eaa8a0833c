// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See topology.h.

#include "runtime/base/topology.h"

#include "runtime/base/read_text.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace dsv4 {

namespace {

constexpr int maxNodes = 256;

/// Calls visit(number) for each number of a list such as "0-3,8".
template <typename Visit> void forEachInList(const char *text, Visit visit) {
  while (*text >= '0' && *text <= '9') {
    char *end;
    long first = strtol(text, &end, 10), last = first;
    if (*end == '-')
      last = strtol(end + 1, &end, 10);
    for (long i = first; i <= last && i < maxProcessors; ++i)
      visit(int(i));
    text = *end == ',' ? end + 1 : end;
  }
}

/// How many of the core's hardware threads that are allowed come before `cpu`.
int siblingNumber(const char *root, int cpu, const uint64_t *allowed) {
  char path[128], text[1024];
  snprintf(path, sizeof(path),
           "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  int before = 0;
  if (readText(root, path, text, sizeof(text)))
    forEachInList(text, [&](int other) {
      before += other < cpu && (allowed[other / 64] >> other % 64 & 1);
    });
  return before;
}

} // namespace

int Topology::cores() const {
  int found = 0;
  for (int i = 0; i < count; ++i)
    found += processors[i].sibling == 0;
  return found;
}

int Topology::nodes() const {
  bool seen[maxNodes] = {};
  int found = 0;
  for (int i = 0; i < count; ++i) {
    found += !seen[processors[i].node];
    seen[processors[i].node] = true;
  }
  return found;
}

void readTopology(Topology &topology, const char *root,
                  const uint64_t *allowed) {
  uint64_t own[maxProcessors / 64] = {};
  if (!allowed) {
    static_assert(sizeof(own) == sizeof(cpu_set_t), "one bit per processor");
    if (sched_getaffinity(0, sizeof(own), reinterpret_cast<cpu_set_t *>(own)))
      own[0] = 1;
    allowed = own;
  }
  static uint8_t nodeOf[maxProcessors]; // start-up runs on one thread
  memset(nodeOf, 0, sizeof(nodeOf));
  char nodes[1024], path[128], text[4096];
  if (readText(root, "/sys/devices/system/node/online", nodes, sizeof(nodes)))
    forEachInList(nodes, [&](int node) {
      snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist",
               node);
      if (node < maxNodes && readText(root, path, text, sizeof(text)))
        forEachInList(text, [&](int cpu) { nodeOf[cpu] = uint8_t(node); });
    });
  topology.count = 0;
  for (int cpu = 0; cpu < maxProcessors; ++cpu)
    if (allowed[cpu / 64] >> cpu % 64 & 1)
      topology.processors[topology.count++] = {
          cpu, nodeOf[cpu], siblingNumber(root, cpu, allowed)};
}

void placeWorkers(const Topology &topology, int threads, int *places) {
  // Rounds: in each, every node gives its next processor, whole cores first.
  static bool taken[maxProcessors];
  memset(taken, 0, sizeof(taken));
  int left = threads < topology.count ? threads : topology.count;
  auto nextOf = [&](int node, int sibling) {
    for (int i = 0; i < topology.count; ++i)
      if (!taken[i] && topology.processors[i].node == node &&
          topology.processors[i].sibling == sibling)
        return i;
    return -1;
  };
  bool present[maxNodes] = {};
  for (int i = 0; i < topology.count; ++i)
    present[topology.processors[i].node] = true;
  for (int sibling = 0; left > 0; ++sibling)
    for (bool any = true; any && left > 0;) {
      any = false;
      for (int node = 0; node < maxNodes && left > 0; ++node)
        if (int i = present[node] ? nextOf(node, sibling) : -1; i >= 0) {
          taken[i] = any = true;
          --left;
        }
    }
  int placed = 0;
  for (int node = 0; node < maxNodes; ++node)
    for (int i = 0; i < topology.count; ++i)
      if (taken[i] && topology.processors[i].node == node)
        places[placed++] = i;
  while (placed < threads)
    places[placed++] = -1;
}

} // namespace dsv4
