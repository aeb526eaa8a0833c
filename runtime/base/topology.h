// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which processors belong to which core and memory node, and on which of them
// the workers of a pool go. Workers are numbered node by node: the thread pool
// gives neighbouring workers neighbouring parts of every matrix, so each node
// always reads the same part, and the pages that its workers touch first lie in
// its own memory.

#ifndef DSV4_RUNTIME_BASE_TOPOLOGY_H
#define DSV4_RUNTIME_BASE_TOPOLOGY_H

#include <stdint.h>

namespace dsv4 {

inline constexpr int maxProcessors = 1024; // of one machine, and of a pool

/// A processor that this process may use.
struct Processor {
  int number;  // as the kernel counts
  int node;    // of memory; 0 where the kernel names none
  int sibling; // 0 for the first hardware thread of its core, then 1, ...
};

/// Processors in the affinity mask, ascending by number.
struct Topology {
  Processor processors[maxProcessors];
  int count = 0;

  int cores() const; // processors with sibling 0
  int nodes() const; // that have a processor here
};

/// Reads /sys/devices/system; `root` is put before it (tests). `allowed` is a
/// mask of maxProcessors bits, or null for this process's own.
void readTopology(Topology &topology, const char *root = "",
                  const uint64_t *allowed = nullptr);

/// Chooses processors for `threads` workers: all nodes get equally many as far
/// as they have cores, whole cores before second hardware threads. Fills
/// `places` [threads] with indices into topology.processors, node by node; -1
/// for workers beyond the number of processors.
void placeWorkers(const Topology &topology, int threads, int *places);

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_TOPOLOGY_H
