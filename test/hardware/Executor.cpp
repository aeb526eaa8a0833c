// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Executor.h.

#include "test/hardware/Executor.h"
#include "test/hardware/Gpu.h"

#include <cstdlib>

namespace dsv4::cuda::test {

Setting setting;

struct Executor::Backend {
  virtual ~Backend() = default;
  virtual void *allocate(const char *name, const void *from, size_t bytes,
                         bool constant) = 0;
  virtual LaunchId launch(const LaunchSpec &spec,
                          const std::vector<Edge> &edges) = 0;
  virtual Result run() = 0;
  virtual void read(void *to, const void *from, size_t bytes) = 0;
};
Executor::Backend *Executor::alive = nullptr;

struct Executor::EmulatorBackend : Backend {
  explicit EmulatorBackend(const emu::Options &options) : emulator(options) {}
  void *allocate(const char *name, const void *from, size_t bytes,
                 bool constant) override {
    if (!from)
      return emulator.scratch<u8>(name, bytes).raw();
    auto *first = static_cast<const u8 *>(from);
    std::vector<u8> values(first, first + bytes);
    return constant ? const_cast<u8 *>(emulator.input(name, values).raw())
                    : emulator.buffer(name, values).raw();
  }
  LaunchId launch(const LaunchSpec &spec,
                  const std::vector<Edge> &edges) override {
    if (setting.list)
      setting.list->note(spec.phase, spec.block.count());
    return emulator.launch(spec.name.c_str(), spec.grid, spec.block,
                           spec.sharedBytes, spec.phase.emulated, edges);
  }
  Result run() override { return emulator.run(); }
  void read(void *to, const void *from, size_t bytes) override {
    std::memcpy(to, from, bytes);
  }
  emu::Emulator emulator;
};

/// The used part of the arena, and what it held when it was copied last.
struct Executor::GpuBackend : Backend {
  static constexpr size_t guard = 256;
  static constexpr u8 guardByte = 0xa7;

  struct Buffer {
    std::string name;
    size_t begin, bytes;
    bool constant;
  };

  void *allocate(const char *name, const void *from, size_t bytes,
                 bool constant) override {
    size_t begin = image.size() + guard, end = (begin + bytes + 255) & ~255ull;
    image.resize(end + guard, guardByte);
    // Unwritten floats and BF16 are no numbers.
    if (from)
      std::memcpy(&image[begin], from, bytes);
    else
      std::memset(&image[begin], 0xff, bytes);
    buffers.push_back({name, begin, bytes, constant});
    if (image.size() > setting.gpu->arenaBytes()) {
      fprintf(stderr, "%s: the arena is full; see Gpu::testBytes\n", name);
      abort();
    }
    return reinterpret_cast<void *>(setting.gpu->arena() + begin);
  }
  LaunchId launch(const LaunchSpec &spec, const std::vector<Edge> &) override {
    launches.push_back(spec);
    return LaunchId(launches.size() - 1);
  }
  Result run() override {
    Gpu &gpu = *setting.gpu;
    gpu.upload(gpu.arena() + uploaded, image.data() + uploaded,
               image.size() - uploaded);
    uploaded = image.size();
    gpu.run(launches, setting.programmatic);
    launches.clear();
    std::vector<u8> after(image.size());
    gpu.download(after.data(), gpu.arena(), after.size());
    Result result;
    compare(after, result);
    image = std::move(after);
    return result;
  }
  void read(void *to, const void *from, size_t bytes) override {
    size_t at = reinterpret_cast<Address>(from) - setting.gpu->arena();
    if (at + bytes > image.size())
      abort();
    std::memcpy(to, &image[at], bytes);
  }

  /// Guards, and buffers that nobody may write.
  void compare(const std::vector<u8> &after, Result &result) const {
    size_t end = 0;
    for (const Buffer &b : buffers) {
      report("before", b, end, b.begin, after, result);
      if (b.constant)
        report("inside constant", b, b.begin, b.begin + b.bytes, after, result);
      end = b.begin + b.bytes;
    }
    if (!buffers.empty())
      report("behind", buffers.back(), end, after.size(), after, result);
  }
  void report(const char *where, const Buffer &b, size_t begin, size_t end,
              const std::vector<u8> &after, Result &result) const {
    size_t count = 0, first = 0;
    for (size_t i = begin; i < end; ++i)
      if (after[i] != image[i] && count++ == 0)
        first = i;
    if (count)
      result.reports.push_back(
          {emu::FaultKind::OutOfBounds,
           std::to_string(count) + " bytes written " + where + " " + b.name +
               " of " + std::to_string(b.bytes) + " bytes, the first at " +
               std::to_string(long(first) - long(b.begin)),
           1});
  }

  std::vector<u8> image;
  std::vector<Buffer> buffers;
  std::vector<LaunchSpec> launches;
  size_t uploaded = 0;
};

Executor::Executor(const emu::Options &options) {
  if (setting.gpu)
    backend = std::make_unique<GpuBackend>();
  else
    backend = std::make_unique<EmulatorBackend>(options);
  alive = backend.get();
}
Executor::~Executor() { alive = nullptr; }

void *Executor::allocate(const char *name, const void *from, size_t bytes,
                         bool constant) {
  static const char nothing = 0; // of an empty vector
  return backend->allocate(name, from || !constant ? from : &nothing, bytes,
                           constant);
}
LaunchId Executor::launch(const char *name, Dim grid, Dim block,
                          u32 sharedBytes, const Phase &phase,
                          std::vector<Edge> edges) {
  return backend->launch({name, grid, block, sharedBytes, phase}, edges);
}
Result Executor::run() { return backend->run(); }
void Executor::read(void *to, const void *from, size_t bytes) {
  if (!alive)
    abort();
  alive->read(to, from, bytes);
}

} // namespace dsv4::cuda::test
