// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes a kernel of a phase body. The compiler emits nothing but a config
// struct and this macro for each kernel:
//
//   struct norm_quant_0 {
//     static constexpr dsv4::cuda::u32 Width = 1024;
//     ...
//   };
//   DSV4_ENTRY(k_norm_quant_0, NormQuantParams, 128, normQuant<norm_quant_0>)
//
// DSV4_ENTRY_OF also says how many blocks a multiprocessor takes, and so how
// many registers there are.
//
// On the GPU that is a kernel which takes the struct by value; in emulation a
// C function that the emulated driver finds by the same name, and
// the size of its parameters.

#ifndef DSV4_TARGETS_CUDA_DEVICE_ENTRY_H
#define DSV4_TARGETS_CUDA_DEVICE_ENTRY_H

#include "targets/cuda/device/config.h"

#ifdef DSV4_CPU_EMU
#define DSV4_ENTRY_OF(NAME, PARAMS, THREADS, BLOCKS, ...)                      \
  extern "C" __attribute__((visibility("default")))                            \
  const unsigned long NAME##_bytes;                                            \
  const unsigned long NAME##_bytes = sizeof(dsv4::cuda::PARAMS);               \
  extern "C" __attribute__((visibility("default"))) void NAME(                 \
      const void *params) {                                                    \
    using namespace dsv4::cuda;                                                \
    __VA_ARGS__(*static_cast<const dsv4::cuda::PARAMS *>(params));             \
  }
#else
#define DSV4_ENTRY_OF(NAME, PARAMS, THREADS, BLOCKS, ...)                      \
  extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                \
      NAME(const __grid_constant__ dsv4::cuda::PARAMS p) {                     \
    using namespace dsv4::cuda;                                                \
    __VA_ARGS__(p);                                                            \
  }
#endif
#define DSV4_ENTRY(NAME, PARAMS, THREADS, ...)                                 \
  DSV4_ENTRY_OF(NAME, PARAMS, THREADS, 1, __VA_ARGS__)

#endif // DSV4_TARGETS_CUDA_DEVICE_ENTRY_H
