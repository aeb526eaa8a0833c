// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See device_plan.h.

#include "runtime/device/device_plan.h"

namespace dsv4::cuda {

namespace {

constexpr uint64_t tooMuch = uint64_t(1) << 62;

uint64_t aligned(uint64_t bytes) {
  constexpr uint64_t mask = DSV4_CUDA_PART_ALIGN - 1;
  return (bytes + mask) & ~mask;
}

unsigned long long mib(uint64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

/// Adds a part to the arena of `total` bytes; false when that grows too large.
bool place(DevicePlan::Part &part, uint64_t &total) {
  part.offset = total;
  total += aligned(part.bytes);
  return total < tooMuch;
}

Status refuseDevice(const dsv4_cuda_program &program, const DevicePlan &plan,
                    const DeviceInfo &device) {
  const uint64_t *of = plan.deviceBytesOf;
  return makeError(
      Code::OutOfMemory,
      "too little memory on device %d (%s): needs %llu MiB for weights, %llu "
      "MiB for state (%lld sequences of %lld tokens), %llu MiB for buffers and "
      "workspace, %llu MiB for the driver; %llu of %llu MiB are free; use a "
      "smaller --context%s, end other programs on the GPU (nvidia-smi shows "
      "them), compile with --device-memory %llu, or take a larger one",
      device.number, device.name, mib(of[DSV4_CUDA_WEIGHTS]),
      mib(of[DSV4_CUDA_STATE]), (long long)plan.sequences,
      (long long)(plan.blocks * DSV4_CONTEXT_BLOCK),
      mib(of[DSV4_CUDA_BUFFERS] + of[DSV4_CUDA_WORKSPACE] + of[DSV4_CUDA_STEP]),
      mib(uint64_t(program.driver_bytes)), mib(device.availableBytes),
      mib(device.totalBytes), plan.sequences > 1 ? " or --sequences" : "",
      (unsigned long long)(device.availableBytes >> 20));
}

} // namespace

Status planDevice(const dsv4_cuda_program &program, int64_t context,
                  int64_t sequences, DevicePlan &plan) {
  plan = {};
  if (context < 1 || context > maxBlocks * DSV4_CONTEXT_BLOCK || sequences < 1)
    return makeError(Code::InvalidArgument,
                     "expected a context of 1 to %lld tokens and a sequence, "
                     "found %lld and %lld",
                     (long long)(maxBlocks * DSV4_CONTEXT_BLOCK),
                     (long long)context, (long long)sequences);
  plan.blocks = (context + DSV4_CONTEXT_BLOCK - 1) / DSV4_CONTEXT_BLOCK;
  plan.sequences = sequences;
  bool fits = true;
  for (int64_t i = 0; i < program.num_parts; ++i) {
    const dsv4_cuda_part &part = program.parts[i];
    DevicePlan::Part &place_ = plan.parts[i];
    place_.bytes = place_.stride = evaluate(part.bytes, plan.blocks);
    if (part.kind == DSV4_CUDA_STATE) {
      place_.stride = aligned(place_.bytes);
      fits &= !__builtin_mul_overflow(place_.stride, uint64_t(sequences),
                                      &place_.bytes);
    }
    fits = fits && place_.bytes < tooMuch;
    if (!fits)
      break;
    if (part.tier == DSV4_CUDA_MAPPED) {
      plan.mappedBytes += place_.bytes;
    } else if (part.tier == DSV4_CUDA_PINNED) {
      fits = place(place_, plan.pinnedBytes);
    } else {
      plan.deviceBytesOf[part.kind] += aligned(place_.bytes);
      fits = place(place_, plan.deviceBytes);
    }
  }
  if (fits)
    return okStatus();
  return makeError(Code::OutOfMemory,
                   "too little memory: %lld sequences of %lld tokens need more "
                   "than any machine has; use a smaller --context or "
                   "--sequences",
                   (long long)sequences, (long long)context);
}

Status checkFits(const dsv4_cuda_program &program, const DevicePlan &plan,
                 const DeviceInfo &device, uint64_t hostAvailable) {
  if (plan.deviceBytes + uint64_t(program.driver_bytes) > device.availableBytes)
    return refuseDevice(program, plan, device);
  if ((plan.pinnedBytes || plan.mappedBytes) && !device.canMapHost)
    return makeError(Code::Unsupported,
                     "device %d (%s) cannot read the host's memory, which the "
                     "program places parts in; compile for this GPU",
                     device.number, device.name);
  if (plan.mappedBytes && !device.canReadPages && !device.canMapReadOnly)
    return makeError(Code::Unsupported,
                     "device %d (%s) cannot read the mapped file of weights, "
                     "which the program wants; compile without --host-memory, "
                     "for weights in pinned memory",
                     device.number, device.name);
  uint64_t staging = numStaging * stagingBytes;
  uint64_t mapped = device.canReadPages ? 0 : plan.mappedBytes; // pinned, too
  uint64_t host = plan.pinnedBytes + mapped + staging;
  if (host > hostAvailable)
    return makeError(Code::OutOfMemory,
                     "too little memory on the host: needs %llu MiB pinned, "
                     "%llu MiB of mapped weights, %llu MiB to copy through; "
                     "%llu MiB are available; end other programs, or use a GPU "
                     "with more memory",
                     mib(plan.pinnedBytes), mib(mapped), mib(staging),
                     mib(hostAvailable));
  return okStatus();
}

} // namespace dsv4::cuda
