// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel behind a matrix phase that left parts of K (linear.cuh).

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_REDUCE_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_REDUCE_CUH

#include "targets/cuda/device/phases/linear.cuh"

namespace dsv4::cuda {

/// C: RowsPer, experts per token behind expertLinear, else 1.
template <class C, class Params> DSV4_DEVICE void reduce(const Params &p) {
  reducePartials(p, C::RowsPer);
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_REDUCE_CUH
