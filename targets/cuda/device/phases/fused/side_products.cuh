// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products that need nothing of each other as rows of one grid: the shared
// expert's last one beside the experts'.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SIDE_PRODUCTS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SIDE_PRODUCTS_CUH

#include "targets/cuda/device/phases/fused/product_tails.cuh"
#include "targets/cuda/device/phases/fused/side_by_side.cuh"

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SIDE_PRODUCTS_CUH
