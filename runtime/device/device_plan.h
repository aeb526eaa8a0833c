// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a CUDA program takes from the GPU and from the host: sizes and offsets
// of its parts for one context, and whether they fit. Takes nothing itself, so
// that a smaller context can be tried.

#ifndef DSV4_RUNTIME_DEVICE_DEVICE_PLAN_H
#define DSV4_RUNTIME_DEVICE_DEVICE_PLAN_H

#include "runtime/abi/cuda_program.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"

#include <stdint.h>

namespace dsv4::cuda {

/// Blocks of a context, at most (268 million tokens).
inline constexpr int64_t maxBlocks = int64_t(1) << 21;

struct DevicePlan {
  struct Part {
    uint64_t bytes = 0;  // of all sequences
    uint64_t stride = 0; // between two sequences, for state
    uint64_t offset = 0; // in the arena of its tier; a mapped part has none
  };
  Part parts[DSV4_CUDA_MAX_PARTS];
  int64_t blocks = 0, sequences = 0;
  uint64_t deviceBytes = 0; // one arena
  uint64_t pinnedBytes = 0; // one arena
  uint64_t mappedBytes = 0; // of the weights' file, read where they are
  uint64_t deviceBytesOf[DSV4_CUDA_NUM_PART_KINDS] = {};
};

/// Bytes of the two buffers that weights go through.
inline constexpr uint64_t stagingBytes = 16u << 20; // of each
inline constexpr int numStaging = 2;

/// `program` has passed checkProgram(). InvalidArgument: no such context or
/// number of sequences. OutOfMemory: no machine has so much.
Status planDevice(const dsv4_cuda_program &program, int64_t context,
                  int64_t sequences, DevicePlan &plan);

/// Whether the plan fits the GPU's free memory, and `hostAvailable` bytes of
/// the host. OutOfMemory: says what for, what there is and what to do.
Status checkFits(const dsv4_cuda_program &program, const DevicePlan &plan,
                 const DeviceInfo &device, uint64_t hostAvailable);

/// fixed + per_block * blocks of something that checkProgram() has seen.
inline uint64_t evaluate(const dsv4_affine &size, int64_t blocks) {
  return uint64_t(size.fixed + size.per_block * blocks);
}

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_DEVICE_PLAN_H
