// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layouts and places of weights for a GPU: what kern-assign-packing is for a
// CPU. Products get tiles of 64 rows (targets/cuda/Packing.h), everything else
// lies as in the checkpoint.

#ifndef DSV4_TARGETS_CUDA_LOWER_ASSIGNPACKING_H
#define DSV4_TARGETS_CUDA_LOWER_ASSIGNPACKING_H

#include "dialects/kern/IR/KernOps.h"
#include "targets/cuda/Packing.h"

namespace dsv4::cuda {

/// Alignment of weights: bulk copies read whole lines.
inline constexpr int64_t WeightAlignment = 128;

/// Whether a matrix product reads this weight.
bool isProductWeight(kern::WeightOp weight);

/// The layout of one matrix of a product's weight (of an expert, in a stack).
llvm::Expected<MatrixLayout> layoutOf(qfmt::WeightType type);

/// Matrices of a weight, and bytes of each: with room for the weight's
/// `escapes`, a multiple of WeightAlignment.
int64_t matricesOf(qfmt::WeightType type);
llvm::Expected<int64_t> matrixStride(kern::WeightOp weight);

/// Registers cuda-assign-packing, which sets `packing`, `offset` and `bytes` of
/// every kern.weight and `weight_bytes` of the program.
void registerAssignPackingPass();

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_ASSIGNPACKING_H
