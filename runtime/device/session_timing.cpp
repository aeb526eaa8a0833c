// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a session measures: graphs, their nodes alone, and how fast the GPU's
// memory is.

#include "runtime/device/session.h"

namespace dsv4::cuda {

Status Session::openTimers() {
  return timers.open(driver, events, 2 * mostNodes);
}

Status Session::runTimed(int64_t graph, double &microseconds) {
  DSV4_RETURN_IF_ERROR(openTimers());
  DSV4_RETURN_IF_ERROR(timers.record(0, memory.stream()));
  DSV4_RETURN_IF_ERROR(graphs[graph].launch());
  DSV4_RETURN_IF_ERROR(timers.record(1, memory.stream()));
  DSV4_RETURN_IF_ERROR(memory.wait());
  return timers.between(0, 1, microseconds);
}

/// All of them are queued before anything is waited for, so that the GPU does
/// not wait for the host.
Status Session::runNodes(int64_t graph, const NodeProbe &probe,
                         NodeResult *results) {
  DSV4_RETURN_IF_ERROR(openTimers());
  int64_t count = root->graphs[graph].num_nodes, part;
  uint64_t offset;
  for (int64_t i = 0; i < count; ++i) {
    results[i] = {};
    if (probe.wants && i < DeviceMemory::numPlaces &&
        probe.wants(probe.context, i, part, offset)) {
      results[i].probed = 1;
      DSV4_RETURN_IF_ERROR(memory.peek(part, offset, i));
    }
    DSV4_RETURN_IF_ERROR(timers.record(2 * i, memory.stream()));
    DSV4_RETURN_IF_ERROR(graphs[graph].launchNode(i));
    DSV4_RETURN_IF_ERROR(timers.record(2 * i + 1, memory.stream()));
  }
  DSV4_RETURN_IF_ERROR(memory.wait());
  for (int64_t i = 0; i < count; ++i) {
    if (results[i].probed)
      results[i].probed = memory.peeked(i);
    DSV4_RETURN_IF_ERROR(
        timers.between(2 * i, 2 * i + 1, results[i].microseconds));
  }
  return okStatus();
}

Status Session::openCopies(uint64_t bytes) {
  closeCopies();
  Result result = driver.memAlloc(&copies, 2 * bytes);
  if (!result)
    copyBytes = bytes;
  return result && result != NoMemory
             ? driver.failure(result,
                              "cannot take %llu MiB of the GPU's "
                              "memory to measure copies with",
                              (unsigned long long)(2 * bytes >> 20))
             : okStatus();
}

void Session::closeCopies() {
  if (copyBytes) {
    // A failure of what is on its way has been reported.
    (void)driver.streamSynchronize(memory.stream());
    (void)driver.memFree(copies);
  }
  copyBytes = 0;
}

/// One copy that does not count, then some in a row.
Status Session::measureCopies(double &rate) {
  constexpr int repeats = 4;
  rate = 0;
  if (!copyBytes)
    return okStatus();
  DSV4_RETURN_IF_ERROR(openTimers());
  Stream stream = memory.stream();
  for (int i = 0; i <= repeats; ++i) {
    if (i == 1)
      DSV4_RETURN_IF_ERROR(timers.record(0, stream));
    DSV4_CUDA_TRY(
        driver, memcpyDtoDAsync(copies + copyBytes, copies, copyBytes, stream),
        "cannot copy on the GPU");
  }
  DSV4_RETURN_IF_ERROR(timers.record(1, stream));
  DSV4_RETURN_IF_ERROR(memory.wait());
  double microseconds = 0;
  DSV4_RETURN_IF_ERROR(timers.between(0, 1, microseconds));
  if (microseconds > 0)
    rate = 2.0 * repeats * double(copyBytes) / (microseconds * 1e-6);
  return okStatus();
}

} // namespace dsv4::cuda
