// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything a kernel may use of the machine. Kernels hold no inline assembly:
// each instruction has one wrapper here, with inline PTX on the device and a
// C++ twin in emulation (docs/cuda-emulation.md).

#ifndef DSV4_TARGETS_CUDA_DEVICE_PTX_H
#define DSV4_TARGETS_CUDA_DEVICE_PTX_H

#include "targets/cuda/device/config.h"
#include "targets/cuda/device/memory.h"
#include "targets/cuda/device/ptx_copy.h"
#include "targets/cuda/device/ptx_mma.h"
#include "targets/cuda/device/ptx_sync.h"
#include "targets/cuda/device/ptx_wgmma.h"

#endif // DSV4_TARGETS_CUDA_DEVICE_PTX_H
