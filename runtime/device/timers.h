// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times on the GPU: events in a stream, and how long one came behind another.

#ifndef DSV4_RUNTIME_DEVICE_TIMERS_H
#define DSV4_RUNTIME_DEVICE_TIMERS_H

#include "runtime/device/driver.h"

namespace dsv4::cuda {

class Timers {
public:
  Timers() = default;
  Timers(const Timers &) = delete;
  Timers &operator=(const Timers &) = delete;
  ~Timers() { close(); }

  /// Makes `count` events in `room`, which stays with the caller. What is open
  /// stays as it is.
  Status open(const Driver &driver, Event *room, int64_t count);
  void close();

  /// Event `number` happens when the work before it in the stream is done.
  Status record(int64_t number, Stream stream);
  /// From one event to another; the stream has been waited for.
  Status between(int64_t first, int64_t second, double &microseconds) const;

private:
  const Driver *api = nullptr;
  Event *events = nullptr;
  int64_t made = 0;
};

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_TIMERS_H
