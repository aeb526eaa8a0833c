// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The memory of a CUDA program: one arena on the GPU and one of pinned host
// memory, taken once, and the mapped weights where the plan leaves some there.

#ifndef DSV4_RUNTIME_DEVICE_DEVICE_MEMORY_H
#define DSV4_RUNTIME_DEVICE_DEVICE_MEMORY_H

#include "runtime/device/device_plan.h"
#include "runtime/device/driver.h"

namespace dsv4::cuda {

/// Functions are optional and called between chunks, on the caller's thread.
struct UploadOptions {
  uint64_t chunkBytes = stagingBytes; // at most that
  void *context = nullptr;
  void (*progress)(void *context, uint64_t done, uint64_t all) = nullptr;
  bool (*isStopped)(void *context) = nullptr; // Ctrl-C
};

class DeviceMemory {
public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  ~DeviceMemory() { release(); }

  /// Takes everything, buffers to copy through included, and zeroes what is no
  /// weights. `weights` are the packed weights (`bytes` of them), mapped until
  /// release(); with `canReadPages` the GPU reads mapped parts as they are,
  /// else their pages are pinned. Both `program` and `plan` stay with the
  /// caller. On an error nothing is held.
  Status reserve(const Driver &driver, const dsv4_cuda_program &program,
                 const DevicePlan &plan, const void *weights, uint64_t bytes,
                 bool canReadPages);

  /// Copies weights to where they belong, chunk by chunk through two buffers:
  /// one is filled from the file while the other is on its way. Interrupted
  /// when isStopped() says so. What was reserved stays until release().
  Status upload(const UploadOptions &options = {});

  /// Zeroes `bytes` of a part in device memory, behind the work before it.
  Status clear(int64_t part, uint64_t offset, uint64_t bytes);

  /// Copy `bytes` of a part to or from any memory of the host, and wait.
  Status read(int64_t part, uint64_t offset, void *to, uint64_t bytes);
  Status write(int64_t part, uint64_t offset, const void *from, uint64_t bytes);
  /// Copies a number of a part in device memory to a place of its own, behind
  /// the work before it; peeked() has it after wait(). Places count from 0.
  Status peek(int64_t part, uint64_t offset, int64_t place);
  int32_t peeked(int64_t place) const {
    return reinterpret_cast<const int32_t *>(staging[0].buffer)[place];
  }
  static constexpr int64_t numPlaces = int64_t(stagingBytes / sizeof(int32_t));
  /// Copies within device memory, where the two ends do not overlap, behind the
  /// work before it.
  Status move(int64_t part, uint64_t from, uint64_t to, uint64_t bytes);

  /// Waits for work of this stream.
  Status wait();

  /// Waits for the GPU and gives everything back.
  void release();

  /// Of byte `offset` of a part, as kernels see it.
  Address address(int64_t part, uint64_t offset) const {
    return bases[part] + offset;
  }
  /// Of a pinned part, as the host sees it; null for other tiers.
  char *host(int64_t part) const;

  Stream stream() const { return queue; }

private:
  struct Staging {
    char *buffer = nullptr;
    Event event = nullptr;
    bool isBusy = false;
  };

  Status take();
  Status takeArenas();
  Status mapWeights(int64_t part);
  Status pinWeights(int64_t part, const char *begin, uint64_t bytes);
  Status zero();
  Status takeStaging();
  void releaseStaging();
  Status copySegments(const UploadOptions &options);
  Status copyChunk(const dsv4_cuda_segment &segment, uint64_t at,
                   uint64_t bytes);

  const Driver *api = nullptr;
  const dsv4_cuda_program *root = nullptr;
  const DevicePlan *sizes = nullptr;
  const char *source = nullptr; // packed weights
  bool readsPages = false;      // mapped parts need no pinning
  Stream queue = nullptr;
  Address arena = 0;
  void *pinned = nullptr;
  void *mapped[DSV4_CUDA_MAX_PARTS] = {}; // what was registered
  Address bases[DSV4_CUDA_MAX_PARTS] = {};
  Staging staging[numStaging];
  int next = 0; // staging buffer
};

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_DEVICE_MEMORY_H
