// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CUDA program opened for use: driver, device, memory, code and graphs in the
// order in which one needs the other. Every check comes before the first large
// copy.

#ifndef DSV4_RUNTIME_DEVICE_SESSION_H
#define DSV4_RUNTIME_DEVICE_SESSION_H

#include "runtime/base/memory.h"
#include "runtime/device/device.h"
#include "runtime/device/device_memory.h"
#include "runtime/device/graph.h"
#include "runtime/device/module.h"
#include "runtime/device/timers.h"

namespace dsv4::cuda {

/// The packed weights, mapped while the session is open, and how they are
/// copied.
struct SessionWeights {
  const void *data = nullptr;
  uint64_t bytes = 0;
  UploadOptions upload;
};

struct SessionOptions {
  int device = 0;
  int64_t context = 0; // tokens
  int64_t sequences = 1;
  SessionWeights weights;
  const char *library = "libcuda.so.1";
};

/// A number of a part in device memory that is wanted as it is before a node
/// runs; `wants` is false where there is none.
struct NodeProbe {
  void *context = nullptr;
  bool (*wants)(void *context, int64_t node, int64_t &part,
                uint64_t &offset) = nullptr;
};

/// What a node did when it ran alone.
struct NodeResult {
  double microseconds = 0;
  int32_t probed = 0;
};

/// All calls come from the thread that opened it.
class Session {
public:
  Session() = default;
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;
  ~Session() { close(); }

  /// prepare(), plan() and load() in one. On an error nothing is held.
  Status open(const dsv4_cuda_program &program, const SessionOptions &options);
  void close();

  /// Checks the tables, finds driver and device, and whether the device can run
  /// the program. Takes the device's context and no other memory. Errors here
  /// and below are those of the parts, and leave close() to the caller.
  Status prepare(const dsv4_cuda_program &program, int device,
                 const char *library);
  /// Whether so much state fits beside the rest, and beside `hostBytes` that
  /// the caller will take of the host. May be asked again for less.
  Status planFor(int64_t context, int64_t sequences, uint64_t hostBytes = 0);
  /// Takes memory by the last plan, loads code, builds graphs, copies weights.
  Status load(const SessionWeights &weights);

  /// The smallest graph that takes such a step: its number. InvalidArgument:
  /// none does.
  Status findGraph(int64_t tokens, int64_t outputs, int64_t &graph) const;

  /// Runs graph `graph` and waits: pinned parts then hold its results. What the
  /// step is about has been written to pinned parts before.
  Status run(int64_t graph);

  /// The same between two events on the GPU.
  Status runTimed(int64_t graph, double &microseconds);
  /// Runs the graph's nodes one by one, each between two events: `results` has
  /// one for each. Nothing overlaps, and a time has what a launch costs in it.
  Status runNodes(int64_t graph, const NodeProbe &probe, NodeResult *results);
  /// Takes two buffers of `bytes` to measure copies between. Without room for
  /// them there is nothing to measure, which is no error.
  Status openCopies(uint64_t bytes);
  /// Bytes per second that copies within the GPU's memory read and write; 0
  /// without buffers.
  Status measureCopies(double &rate);

  /// Zeroes the state of one sequence.
  Status reset(int64_t sequence);

  /// Of a pinned part.
  char *host(int64_t part) const { return memory.host(part); }
  /// Of any part, as kernels see it.
  Address address(int64_t part, uint64_t offset = 0) const {
    return memory.address(part, offset);
  }
  DeviceMemory &parts() { return memory; }

  const DeviceInfo &device() const { return gpu.info(); }
  const DevicePlan &devicePlan() const { return plan; }
  const LoadedModule &code() const { return module; }

private:
  Status takeRoom();
  Status openTimers();
  void closeCopies();
  Status buildGraphs();

  const dsv4_cuda_program *root = nullptr;
  Driver driver;
  Device gpu;
  DevicePlan plan;
  DeviceMemory memory;
  LoadedModule module;
  Graph graphs[DSV4_CUDA_MAX_GRAPHS];
  Reservation room; // of handles
  Function *functions = nullptr;
  GraphNode *nodes = nullptr;
  Timers timers;
  Event *events = nullptr; // two for each node of the largest graph
  int64_t mostNodes = 0;
  Address copies = 0; // two buffers of copyBytes
  uint64_t copyBytes = 0;
  int64_t image = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_SESSION_H
