// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CUDA program opened for use: driver, device, memory, code and graphs in the
// order in which one needs the other. Every check comes before the first large
// copy. Not run on hardware.

#ifndef DSV4_RUNTIME_DEVICE_SESSION_H
#define DSV4_RUNTIME_DEVICE_SESSION_H

#include "runtime/base/memory.h"
#include "runtime/device/device.h"
#include "runtime/device/device_memory.h"
#include "runtime/device/graph.h"
#include "runtime/device/module.h"

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
  int64_t image = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_SESSION_H
