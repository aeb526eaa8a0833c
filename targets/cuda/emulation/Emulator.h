// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a graph of kernels on the CPU, one fibre per CUDA thread, in an order
// drawn from a seed, and reports what a GPU would answer with wrong numbers now
// and then: races, missing waits, accesses out of bounds, deadlocks.
//
//   Emulator emu({.seed = 7});
//   auto x = emu.input("x", values);            // the kernel may only read it
//   auto y = emu.scratch<float>("y", 1024);     // unwritten until it is
//   written auto a = emu.launch("a", {4}, {128}, 4096, [=] { kernelA(x, y); });
//   emu.launch("b", {1}, {128}, 0, [=] { kernelB(y); }, {{a,
//   Edge::Programmatic}}); Result result = emu.run(); ASSERT_TRUE(result.ok())
//   << result.text();
//
// One emulator at a time runs in a process. docs/cuda-emulation.md says what is
// modelled and what is not.

#ifndef DSV4_TARGETS_CUDA_EMULATION_EMULATOR_H
#define DSV4_TARGETS_CUDA_EMULATION_EMULATOR_H

#include "targets/cuda/device/memory.h"

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dsv4::cuda::emu {

struct Options {
  u64 seed = 1;
  /// Blocks that run at the same time, over all launches: SMs of the GPU times
  /// blocks that fit on one.
  u32 residentBlocks = 8;
  u32 stackBytes = 64 * 1024;
  /// Different findings that are kept; others are only counted.
  u32 maxReports = 16;
};

enum class FaultKind {
  Race,        ///< two accesses that nothing orders, one of them a write
  Unwritten,   ///< read of memory that nobody has written
  OutOfBounds, ///< outside of every buffer, or a write to one that is constant
  Misaligned,  ///< address or size that the instruction refuses
  Misuse,      ///< of a barrier, a copy or wgmma
  Deadlock,    ///< nobody can go on; the text is the wait graph
  Livelock,    ///< everybody polls and nothing changes
  Trap,
  Limit, ///< of the emulator itself
};

struct Report {
  FaultKind kind;
  std::string text;
  u64 count; ///< how often, with other threads or bytes
};

struct Result {
  std::vector<Report> reports;
  u64 switches = 0;
  bool ok() const { return reports.empty(); }
  bool has(FaultKind kind) const;
  std::string text() const;
};

using LaunchId = u32;

/// What a launch waits for. Full: it starts when the other has finished.
/// Programmatic: it may start when every block of the other has called
/// gridDepLaunch or ended; gridDepWait waits for the rest.
struct Edge {
  enum Kind { Full, Programmatic };
  LaunchId from;
  Kind kind = Full;
};

struct Machine;

class Emulator {
public:
  explicit Emulator(const Options &options = {});
  ~Emulator();
  Emulator(const Emulator &) = delete;
  Emulator &operator=(const Emulator &) = delete;

  /// Memory of the emulated device, with guards around it. Kernels find random
  /// bytes in a scratch buffer and are reported when they read them unwritten.
  template <class T> Global<T> scratch(const char *name, size_t count) {
    return Global<T>(static_cast<T *>(allocate(name, count * sizeof(T), true)));
  }
  /// Written by the host: a copy of `values`.
  template <class T>
  Global<T> buffer(const char *name, const std::vector<T> &values) {
    void *p = allocate(name, values.size() * sizeof(T), false);
    if (!values.empty())
      std::memcpy(p, values.data(), values.size() * sizeof(T));
    return Global<T>(static_cast<T *>(p));
  }
  /// The same for what kernels only read; costs no shadow.
  template <class T>
  Global<const T> input(const char *name, const std::vector<T> &values) {
    auto p = buffer(name, values);
    makeConstant(p.raw());
    return p;
  }
  /// Memory of the caller, which stays his; constant memory has no shadow.
  void adopt(const char *name, const void *memory, size_t bytes, bool constant);

  /// Shared memory per block in bytes; `body` calls the kernel.
  LaunchId launch(const char *name, Dim grid, Dim block, u32 sharedBytes,
                  std::function<void()> body, std::vector<Edge> edges = {});

  /// Runs and forgets the launches. Buffers keep their contents, and what was
  /// written counts as ordered before the next run.
  Result run();
  /// The order of later runs.
  void reseed(u64 seed);

private:
  void *allocate(const char *name, size_t bytes, bool scratch);
  void makeConstant(const void *memory);
  std::unique_ptr<Machine> machine;
};

} // namespace dsv4::cuda::emu

#endif // DSV4_TARGETS_CUDA_EMULATION_EMULATOR_H
