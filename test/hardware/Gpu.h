// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPU of the hardware tests: one context, one arena, the kernels of one
// cubin, and launches as graphs. Uses the runtime's own driver loader. A
// failure that the context does not survive, and a launch that does not end,
// end the process with a code of their own: main.cpp goes on in another one.

#ifndef DSV4_TEST_HARDWARE_GPU_H
#define DSV4_TEST_HARDWARE_GPU_H

#include "runtime/device/device.h"
#include "test/hardware/Kernels.h"

#include <map>

namespace dsv4::cuda::test {

enum ExitCode { NoGpu = 3, FaultExit = 77, HangExit = 78 };

struct LaunchSpec {
  std::string name;
  emu::Dim grid, block;
  u32 sharedBytes;
  Phase phase;
};

class Gpu {
public:
  static constexpr u64 testBytes = u64(64) << 20, timeBytes = u64(4) << 30;

  /// Finds the driver and a device, loads the kernels, takes the arena.
  Status open(const char *cubin, u64 bytes);
  /// Notes kernels instead, and has addresses without memory behind them.
  void openList(KernelList &list) { listing = &list; }

  bool isListing() const { return listing; }
  const DeviceInfo &info() const { return device.info(); }
  u32 multiprocessors() const {
    return listing ? 132 : u32(device.info().multiprocessors);
  }
  Address arena() const { return base; }
  u64 arenaBytes() const { return size; }

  void upload(Address to, const void *from, u64 bytes);
  void download(void *to, Address from, u64 bytes);
  void fill(Address to, u8 value, u64 bytes);
  void copy(Address to, Address from, u64 bytes);

  /// Runs the launches one behind the other, as compiled models do: an edge
  /// from each to the next, programmatic ones or full.
  void run(const std::vector<LaunchSpec> &launches, bool programmatic);
  /// Microseconds of the whole chain, for each of `times` runs behind one.
  std::vector<double> time(const std::vector<LaunchSpec> &launches,
                           bool programmatic, int times);

  /// Registers and local memory of a phase's kernel, as the driver has them.
  std::string resources(const Phase &phase);

private:
  Function find(const Phase &phase, u32 sharedBytes);
  GraphExec build(const std::vector<LaunchSpec> &launches, bool programmatic);
  void wait(const std::vector<LaunchSpec> &launches);
  void require(Result result, const char *what);

  Driver api;
  Device device;
  Module module = nullptr;
  Stream stream = nullptr;
  Address base = 0x100000000;
  u64 size = timeBytes;
  std::vector<char> image;
  std::map<std::string, Function> functions;
  KernelList *listing = nullptr;
};

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_HARDWARE_GPU_H
