// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The device code that this compiler carries: headers of targets/cuda/device
// and, because device and host share their definitions, runtime/numerics and
// runtime/abi/program.h. Embedded when the compiler is built, so that compiling
// a model needs no source tree.

#ifndef DSV4_TARGETS_CUDA_DEVICESOURCES_H
#define DSV4_TARGETS_CUDA_DEVICESOURCES_H

#include "targets/cuda/toolchain/NvrtcCompiler.h"

namespace dsv4::cuda {

/// Name as included ("targets/cuda/device/ptx.h") to text; with "stdint.h",
/// which NVRTC does not have.
const std::map<std::string, std::string> &deviceHeaders();

/// Adds them to a request, and the option that they need: functions without a
/// qualifier are device functions.
void addDeviceHeaders(CompileRequest &request);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICESOURCES_H
