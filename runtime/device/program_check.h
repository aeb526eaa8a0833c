// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether the tables of a CUDA program fit each other: every index, size and
// kind, before anything is done with them. Nothing behind this checks again.

#ifndef DSV4_RUNTIME_DEVICE_PROGRAM_CHECK_H
#define DSV4_RUNTIME_DEVICE_PROGRAM_CHECK_H

#include "runtime/abi/cuda_program.h"
#include "runtime/base/status.h"

namespace dsv4::cuda {

/// Mismatch: another ABI. Corrupt: says which table, which row and what.
Status checkProgram(const dsv4_cuda_program &program);

} // namespace dsv4::cuda

#endif // DSV4_RUNTIME_DEVICE_PROGRAM_CHECK_H
