// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See device_memory.h.

#include "runtime/device/device_memory.h"

#include <string.h>
#include <unistd.h>

namespace dsv4::cuda {

static unsigned long long mib(uint64_t bytes) { return bytes >> 20; }

Status DeviceMemory::reserve(const Driver &driver,
                             const dsv4_cuda_program &program,
                             const DevicePlan &plan, const void *weights,
                             uint64_t bytes, bool canReadPages) {
  release();
  if (bytes < uint64_t(program.weight_bytes))
    return makeError(Code::Corrupt,
                     "expected %lld bytes of weights, found %llu; compile the "
                     "model again",
                     (long long)program.weight_bytes,
                     (unsigned long long)bytes);
  api = &driver;
  root = &program;
  sizes = &plan;
  source = static_cast<const char *>(weights);
  readsPages = canReadPages;
  Status status = take();
  if (!status.isOk())
    release();
  return status;
}

Status DeviceMemory::take() {
  // Not the default stream, which would wait for others in the process.
  DSV4_CUDA_TRY(*api, streamCreate(&queue, StreamNonBlocking),
                "cannot open a stream");
  DSV4_RETURN_IF_ERROR(takeArenas());
  DSV4_RETURN_IF_ERROR(takeStaging());
  for (int64_t i = 0; i < root->num_parts; ++i)
    if (root->parts[i].tier == DSV4_CUDA_MAPPED)
      DSV4_RETURN_IF_ERROR(mapWeights(i));
  return zero();
}

Status DeviceMemory::takeArenas() {
  Address base[DSV4_CUDA_MAPPED] = {}; // by tier
  if (sizes->deviceBytes) {
    DSV4_CUDA_TRY(*api, memAlloc(&arena, sizes->deviceBytes),
                  "cannot take %llu MiB of the GPU's memory",
                  mib(sizes->deviceBytes));
    base[DSV4_CUDA_DEVICE] = arena;
  }
  if (sizes->pinnedBytes) {
    DSV4_CUDA_TRY(
        *api, memHostAlloc(&pinned, sizes->pinnedBytes, HostAllocDeviceMap),
        "cannot pin %llu MiB of the host's memory", mib(sizes->pinnedBytes));
    DSV4_CUDA_TRY(*api,
                  memHostGetDevicePointer(&base[DSV4_CUDA_PINNED], pinned, 0),
                  "cannot map pinned memory on the GPU");
  }
  for (int64_t i = 0; i < root->num_parts; ++i)
    if (root->parts[i].tier != DSV4_CUDA_MAPPED)
      bases[i] = base[root->parts[i].tier] + sizes->parts[i].offset;
  return okStatus();
}

Status DeviceMemory::mapWeights(int64_t part) {
  const dsv4_cuda_segment *segment = root->segments;
  while (segment->part != part)
    ++segment; // checkProgram() has seen one
  const char *begin = source + segment->source;
  if (!readsPages)
    return pinWeights(part, begin, uint64_t(segment->bytes));
  bases[part] = Address(uintptr_t(begin));
  return okStatus();
}

/// Registers the pages around a mapped part: the mapping has whole ones.
Status DeviceMemory::pinWeights(int64_t part, const char *from,
                                uint64_t bytes) {
  uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
  uintptr_t begin = uintptr_t(from);
  uintptr_t first = begin & ~(page - 1);
  uintptr_t end = (begin + bytes + page - 1) & ~(page - 1);
  void *pages = reinterpret_cast<void *>(first);
  DSV4_CUDA_TRY(*api,
                memHostRegister(pages, end - first,
                                HostRegisterDeviceMap | HostRegisterReadOnly),
                "cannot pin %llu MiB of the mapped weights (%s)",
                mib(end - first), root->parts[part].name);
  mapped[part] = pages;
  Address base = 0;
  DSV4_CUDA_TRY(*api, memHostGetDevicePointer(&base, pages, 0),
                "cannot map weights on the GPU (%s)", root->parts[part].name);
  bases[part] = base + (begin - first);
  return okStatus();
}

/// State starts as zero, and buffers must not show what was there before.
Status DeviceMemory::zero() {
  for (int64_t i = 0; i < root->num_parts; ++i) {
    const dsv4_cuda_part &part = root->parts[i];
    uint64_t bytes = sizes->parts[i].bytes;
    if (part.kind == DSV4_CUDA_WEIGHTS || bytes == 0)
      continue;
    if (part.tier == DSV4_CUDA_DEVICE)
      DSV4_RETURN_IF_ERROR(clear(i, 0, bytes));
    else
      memset(host(i), 0, bytes);
  }
  return wait();
}

Status DeviceMemory::clear(int64_t part, uint64_t offset, uint64_t bytes) {
  DSV4_CUDA_TRY(*api, memsetD8Async(address(part, offset), 0, bytes, queue),
                "cannot clear %s on the GPU", root->parts[part].name);
  return okStatus();
}

Status DeviceMemory::wait() {
  DSV4_CUDA_TRY(*api, streamSynchronize(queue), "the GPU failed");
  return okStatus();
}

char *DeviceMemory::host(int64_t part) const {
  return root->parts[part].tier == DSV4_CUDA_PINNED
             ? static_cast<char *>(pinned) + sizes->parts[part].offset
             : nullptr;
}

Status DeviceMemory::takeStaging() {
  for (Staging &one : staging) {
    void *buffer = nullptr;
    DSV4_CUDA_TRY(*api, memHostAlloc(&buffer, stagingBytes, 0),
                  "cannot pin %llu MiB to copy through", mib(stagingBytes));
    one.buffer = static_cast<char *>(buffer);
    DSV4_CUDA_TRY(*api, eventCreate(&one.event, EventDisableTiming),
                  "cannot make an event");
  }
  return okStatus();
}

void DeviceMemory::releaseStaging() {
  for (Staging &one : staging) {
    if (one.event)
      (void)api->eventDestroy(one.event);
    if (one.buffer)
      (void)api->memFreeHost(one.buffer);
    one = {};
  }
}

Status DeviceMemory::upload(const UploadOptions &options) {
  Status status = copySegments(options);
  // Copies on their way read the buffers, whatever has happened.
  Result result = api->streamSynchronize(queue);
  for (Staging &one : staging)
    one.isBusy = false;
  if (status.isOk() && result)
    return api->failure(result, "cannot copy weights to the GPU");
  return status;
}

Status DeviceMemory::copySegments(const UploadOptions &options) {
  uint64_t all = 0, done = 0;
  for (int64_t i = 0; i < root->num_segments; ++i)
    if (root->parts[root->segments[i].part].tier != DSV4_CUDA_MAPPED)
      all += uint64_t(root->segments[i].bytes);
  for (int64_t i = 0; i < root->num_segments; ++i) {
    const dsv4_cuda_segment &segment = root->segments[i];
    if (root->parts[segment.part].tier == DSV4_CUDA_MAPPED)
      continue;
    uint64_t size = uint64_t(segment.bytes);
    for (uint64_t at = 0; at < size; at += options.chunkBytes) {
      if (options.isStopped && options.isStopped(options.context))
        return makeError(Code::Interrupted,
                         "interrupted after %llu of %llu MiB of weights",
                         mib(done), mib(all));
      uint64_t left = size - at;
      uint64_t bytes = left < options.chunkBytes ? left : options.chunkBytes;
      DSV4_RETURN_IF_ERROR(copyChunk(segment, at, bytes));
      done += bytes;
      if (options.progress)
        options.progress(options.context, done, all);
    }
  }
  return okStatus();
}

Status DeviceMemory::copyChunk(const dsv4_cuda_segment &segment, uint64_t at,
                               uint64_t bytes) {
  const char *from = source + segment.source + at;
  uint64_t offset = uint64_t(segment.offset) + at;
  if (char *to = host(segment.part)) {
    memcpy(to + offset, from, bytes);
    return okStatus();
  }
  Staging &one = staging[next];
  next = (next + 1) % numStaging;
  if (one.isBusy)
    DSV4_CUDA_TRY(*api, eventSynchronize(one.event),
                  "cannot copy weights to the GPU");
  one.isBusy = true;
  memcpy(one.buffer, from, bytes); // reads the file
  DSV4_CUDA_TRY(
      *api,
      memcpyHtoDAsync(address(segment.part, offset), one.buffer, bytes, queue),
      "cannot copy weights to the GPU (%s)", root->parts[segment.part].name);
  DSV4_CUDA_TRY(*api, eventRecord(one.event, queue),
                "cannot copy weights to the GPU");
  return okStatus();
}

Status DeviceMemory::read(int64_t part, uint64_t offset, void *to,
                          uint64_t bytes) {
  if (const char *from = host(part)) {
    memcpy(to, from + offset, bytes);
    return okStatus();
  }
  for (uint64_t at = 0; at < bytes; at += stagingBytes) {
    uint64_t size = bytes - at < stagingBytes ? bytes - at : stagingBytes;
    char *buffer = staging[0].buffer;
    DSV4_CUDA_TRY(
        *api, memcpyDtoHAsync(buffer, address(part, offset + at), size, queue),
        "cannot copy %s from the GPU", root->parts[part].name);
    DSV4_RETURN_IF_ERROR(wait());
    memcpy(static_cast<char *>(to) + at, buffer, size);
  }
  return okStatus();
}

Status DeviceMemory::write(int64_t part, uint64_t offset, const void *from,
                           uint64_t bytes) {
  if (char *to = host(part)) {
    memcpy(to + offset, from, bytes);
    return okStatus();
  }
  for (uint64_t at = 0; at < bytes; at += stagingBytes) {
    uint64_t size = bytes - at < stagingBytes ? bytes - at : stagingBytes;
    char *buffer = staging[0].buffer;
    memcpy(buffer, static_cast<const char *>(from) + at, size);
    DSV4_CUDA_TRY(
        *api, memcpyHtoDAsync(address(part, offset + at), buffer, size, queue),
        "cannot copy %s to the GPU", root->parts[part].name);
    DSV4_RETURN_IF_ERROR(wait());
  }
  return okStatus();
}

Status DeviceMemory::peek(int64_t part, uint64_t offset, int64_t place) {
  char *to = staging[0].buffer + uint64_t(place) * sizeof(int32_t);
  DSV4_CUDA_TRY(
      *api, memcpyDtoHAsync(to, address(part, offset), sizeof(int32_t), queue),
      "cannot copy %s from the GPU", root->parts[part].name);
  return okStatus();
}

Status DeviceMemory::move(int64_t part, uint64_t from, uint64_t to,
                          uint64_t bytes) {
  DSV4_CUDA_TRY(
      *api,
      memcpyDtoDAsync(address(part, to), address(part, from), bytes, queue),
      "cannot copy %s on the GPU", root->parts[part].name);
  return okStatus();
}

void DeviceMemory::release() {
  if (!api)
    return;
  // Nothing may be on its way to memory that goes. Errors are those of earlier
  // work, which has been reported.
  if (queue)
    (void)api->streamSynchronize(queue);
  for (void *&pages : mapped) {
    if (pages)
      (void)api->memHostUnregister(pages);
    pages = nullptr;
  }
  releaseStaging();
  if (pinned)
    (void)api->memFreeHost(pinned);
  if (arena)
    (void)api->memFree(arena);
  if (queue)
    (void)api->streamDestroy(queue);
  queue = nullptr;
  pinned = nullptr;
  arena = 0;
  api = nullptr;
}

} // namespace dsv4::cuda
