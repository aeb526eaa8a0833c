// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of many rows with neighbouring tiles on the matrix unit: rows are
// gathered once into the second cache, then tiles stream past them, each
// decoded once. What TileProduct.h does where there is AMX.

#ifndef DSV4_TARGETS_CPU_KERNELS_UNITPRODUCT_H
#define DSV4_TARGETS_CPU_KERNELS_UNITPRODUCT_H

#include "targets/cpu/kernels/TileProduct.h"

namespace dsv4::cpu {

/// Bytes of a worker's scratch that this takes.
int64_t unitScratchBytes(int64_t Inner);

/// Emits the helpers that runOnUnit calls; before beginKernel.
void needUnitProduct(KernelBuilder &K, const TileShape &Shape);

/// The products of the run, with the kernel's scratch.
void runOnUnit(KernelBuilder &K, const TileShape &Shape, const TileRun &Run);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_UNITPRODUCT_H
