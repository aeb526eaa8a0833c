// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See timers.h.

#include "runtime/device/timers.h"

namespace dsv4::cuda {

Status Timers::open(const Driver &driver, Event *room, int64_t count) {
  if (made)
    return okStatus();
  api = &driver;
  events = room;
  for (; made < count; ++made)
    if (Result result = driver.eventCreate(&events[made], EventTimed)) {
      close();
      return driver.failure(result, "cannot make an event");
    }
  return okStatus();
}

void Timers::close() {
  for (int64_t i = 0; i < made; ++i)
    (void)api->eventDestroy(events[i]);
  made = 0;
}

Status Timers::record(int64_t number, Stream stream) {
  DSV4_CUDA_TRY(*api, eventRecord(events[number], stream),
                "cannot record an event");
  return okStatus();
}

Status Timers::between(int64_t first, int64_t second,
                       double &microseconds) const {
  float milliseconds = 0;
  DSV4_CUDA_TRY(*api,
                eventElapsedTime(&milliseconds, events[first], events[second]),
                "cannot read a time of the GPU");
  microseconds = double(milliseconds) * 1e3;
  return okStatus();
}

} // namespace dsv4::cuda
