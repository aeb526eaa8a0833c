// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fake quantisation of activations, for the kernels that end in it.

#ifndef DSV4_TARGETS_CPU_KERNELS_QUANTIZEBLOCK_H
#define DSV4_TARGETS_CPU_KERNELS_QUANTIZEBLOCK_H

#include "targets/cpu/KernelBuilder.h"

namespace dsv4::cpu {

/// Activations that share a scale.
inline constexpr int64_t QuantBlock = 128;

/// Replaces the values of one block (vectors of 16, any number of them) by
/// e4m3(x / s) * s, which BF16 holds exactly.
void quantizeBlock(KernelBuilder &K, Vals &X);

/// The same for a row of N (a multiple of 128) BF16 values in memory.
void quantizeRow(KernelBuilder &K, Val From, Val To, int64_t N);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_QUANTIZEBLOCK_H
