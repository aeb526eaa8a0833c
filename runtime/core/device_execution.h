// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps on a GPU: what HostExecution is for the CPU, over a session of
// runtime/device. The engine fills the columns of a step where the GPU's copy
// begins, in pinned memory, and finds the logits in pinned memory too.

#ifndef DSV4_RUNTIME_CORE_DEVICE_EXECUTION_H
#define DSV4_RUNTIME_CORE_DEVICE_EXECUTION_H

#include "runtime/core/executor.h"
#include "runtime/core/weights_file.h"
#include "runtime/device/session.h"

namespace dsv4 {

/// Where a step's time goes on the GPU. `nodes` is [nodes of the graph], of
/// DeviceExecution, until the next call.
struct StepProfile {
  int64_t graph = 0; // number
  double graphMicroseconds = 0;
  const cuda::NodeResult *nodes = nullptr;
};

class DeviceExecution {
public:
  /// Whether the program's tables are what an engine needs, and driver and
  /// device can run it, in this order. Takes no memory; close() gives back what
  /// is held after an error, here and below.
  Status prepare(const dsv4_program &program, int device, const char *library);
  /// Whether a context fits beside `hostBytes` of the host that the engine
  /// takes itself. May be asked again for less.
  Status planFor(int64_t tokens, int64_t sequences, uint64_t hostBytes) {
    return session.planFor(tokens, sequences, hostBytes);
  }
  /// Takes the planned memory and copies the weights.
  Status load(const WeightsFile &weights, const cuda::UploadOptions &upload);
  void close();

  /// Bytes between two slots' state.
  int64_t stateStride() const {
    return int64_t(session.devicePlan().parts[DSV4_CUDA_PART_STATE].stride);
  }
  /// Where the engine writes the columns of a step, so many rows apart.
  int32_t *columns() const;
  int64_t columnRows() const;

  /// With `samples` ([num_phases]) the nodes run one by one, and add to those
  /// of the phase whose name they have: the time that they took alone, and the
  /// phase's work.
  Status run(const dsv4_step &step, PhaseSample *samples);

  /// Runs a step so often as a graph, then so often node by node; averages.
  /// What the step writes to state is written each time.
  Status profile(const dsv4_step &step, int repeats, StepProfile &profile);
  const float *logits() const {
    return (const float *)session.host(DSV4_CUDA_PART_HOST_LOGITS);
  }

  Status clear(int64_t slot) { return session.reset(slot); }
  Status save(int64_t slot, void *to);
  Status restore(int64_t slot, const void *from);
  Status repeat(int64_t slot, int64_t operand, int64_t period, int64_t bytes);

  cuda::Session session;

private:
  Status writeStep(const dsv4_step &step, int64_t &graph);
  Status runNodes(int64_t graph, cuda::NodeResult *results);
  void addSamples(const dsv4_step &step, int64_t graph, PhaseSample *samples);

  const dsv4_program *root = nullptr;
  // For each node of a graph; the results of one run, and sums of some.
  Reservation room;
  cuda::NodeResult *results = nullptr, *sums = nullptr;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_DEVICE_EXECUTION_H
