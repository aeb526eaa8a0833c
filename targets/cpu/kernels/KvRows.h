// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stored KV rows of D values (model.md 4.2): D - R E4M3 codes, R BF16 rotary
// values, and one E8M0 byte per 64 codes; R is a multiple of 16.

#ifndef DSV4_TARGETS_CPU_KERNELS_KVROWS_H
#define DSV4_TARGETS_CPU_KERNELS_KVROWS_H

#include "targets/cpu/kernels/Dot.h"

namespace dsv4::cpu {

/// Quantises D BF16 elements at Src into the stored row at Row (R15).
void packKvRow(KernelBuilder &K, Val Src, Val Row, int64_t D, int64_t R);

/// The D values of a stored row, in order, as `Form`.
void unpackKvRow(KernelBuilder &K, Val Row, Val Dst, int64_t D, int64_t R,
                 InputForm Form);

/// The values of two rows for sums over rows: BF16 pairs (First[d], Second[d])
/// in D lanes of 32 bits; as f32 one row behind the other.
void unpackKvRows(KernelBuilder &K, Val First, Val Second, Val Dst, int64_t D,
                  int64_t R, InputForm Form);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_KVROWS_H
