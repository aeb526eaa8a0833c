// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fake program for a GPU: the same "model" as FakeProgram.h, with kernels
// that the fake driver plays (FakeCudaKernels.cpp). Its weights are the four
// factors of the head and bytes that nobody reads.

#ifndef DSV4_TEST_UNIT_RUNTIME_FAKECUDAPROGRAM_H
#define DSV4_TEST_UNIT_RUNTIME_FAKECUDAPROGRAM_H

#include "runtime/abi/cuda_program.h"

namespace fakecuda {
class Control;
}

namespace fake {

inline constexpr int64_t cudaWeightBytes = 10000;

/// Tests copy it and change fields.
extern const dsv4_cuda_program cudaProgram;

/// What every kernel of it takes.
struct CudaParams {
  uint64_t step, state, weights, buffers;
};

// Step buffers, in bytes. The head uses the place of the count again, as
// buffers planned by lifetime do.
inline constexpr int64_t cudaSumsAt = 0;    // i64 [maxStepTokens]
inline constexpr int64_t cudaCountAt = 512; // i32, active experts
inline constexpr int64_t cudaLogitsAt = 1024;

/// `program` with this one as its half for a GPU. `cuda` stays with the caller.
dsv4_program onDevice(dsv4_program program, const dsv4_cuda_program &cuda);

/// Makes the fake driver play the kernels.
void setCudaKernels(fakecuda::Control &control);

} // namespace fake

#endif // DSV4_TEST_UNIT_RUNTIME_FAKECUDAPROGRAM_H
