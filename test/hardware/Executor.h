// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulator's interface with a choice behind it: the emulator itself, which
// notes what kernels there are, or a GPU. On the GPU a run is one graph, a
// chain in the order of the launches; buffers have guards around them, and what
// a kernel may only read is compared afterwards.

#ifndef DSV4_TEST_HARDWARE_EXECUTOR_H
#define DSV4_TEST_HARDWARE_EXECUTOR_H

#include "test/hardware/Phase.h"

namespace dsv4::cuda::test {

using emu::Dim, emu::Edge, emu::LaunchId, emu::Result;

class Gpu;
class KernelList;

/// How all tests of this process run; main.cpp sets it.
struct Setting {
  Gpu *gpu = nullptr;         // null: the emulator
  KernelList *list = nullptr; // what the emulator runs is noted here
  bool programmatic = true;   // edges between launches of a run
};
extern Setting setting;

class Executor {
public:
  explicit Executor(const emu::Options &options = {});
  ~Executor();
  Executor(const Executor &) = delete;
  Executor &operator=(const Executor &) = delete;

  template <class T> Global<T> scratch(const char *name, size_t count) {
    return Global<T>(
        static_cast<T *>(allocate(name, nullptr, count * sizeof(T), false)));
  }
  template <class T>
  Global<T> buffer(const char *name, const std::vector<T> &values) {
    return Global<T>(static_cast<T *>(
        allocate(name, values.data(), values.size() * sizeof(T), false)));
  }
  template <class T>
  Global<const T> input(const char *name, const std::vector<T> &values) {
    return Global<const T>(static_cast<const T *>(
        allocate(name, values.data(), values.size() * sizeof(T), true)));
  }

  LaunchId launch(const char *name, Dim grid, Dim block, u32 sharedBytes,
                  const Phase &phase, std::vector<Edge> edges = {});
  Result run();

  /// What lies at `from`, an address of the executor that is alive.
  static void read(void *to, const void *from, size_t bytes);

private:
  struct Backend;
  struct EmulatorBackend;
  struct GpuBackend;
  /// `from` null: unwritten.
  void *allocate(const char *name, const void *from, size_t bytes,
                 bool constant);
  static Backend *alive;
  std::unique_ptr<Backend> backend;
};

using Emulator = Executor;

template <class T>
std::vector<Bare<T>> contents(Global<T> buffer, size_t count) {
  std::vector<Bare<T>> values(count);
  Executor::read(values.data(), buffer.raw(), count * sizeof(T));
  return values;
}

inline bool onHardware() { return setting.gpu; }
/// Schedules out of `most`: one is enough to note kernels.
inline u64 schedules(u64 most) { return setting.list ? 1 : most; }

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_HARDWARE_EXECUTOR_H
