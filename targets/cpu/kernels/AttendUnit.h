// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two products of sparse attention for 16 heads on Intel's matrix unit
// (numerics R4 in the order Split): scores = rows x query, values =
// probabilities x rows. Everything is BF16 as AttendKernel.cpp decodes it.

#ifndef DSV4_TARGETS_CPU_KERNELS_ATTENDUNIT_H
#define DSV4_TARGETS_CPU_KERNELS_ATTENDUNIT_H

#include "targets/cpu/kernels/MatrixUnit.h"

namespace dsv4::cpu {

/// scores f32 [16 Blocks rows][16 heads] = rows . query: rows of N values lie
/// `Pitch` bytes apart, the query as [N / 2 pairs][16 heads]; Blocks 1 to 4.
void unitScores(KernelBuilder &K, int64_t N, int64_t Blocks, Val Rows,
                int64_t Pitch, Val Query, Val Scores);

/// Probabilities of 32 rows at `Ptr`, 16 pairs of rows [16 heads], a pair every
/// 128 bytes, become [16 heads][16 pairs], 64 bytes a head.
void transposePairs(KernelBuilder &K, Val Ptr);

/// acc f32 [16 heads][N], `AccPitch` bytes a head, += probabilities x values,
/// for `Groups` of 32 rows: probabilities of a group as transposePairs leaves
/// them, 2 KiB apart; values as pairs of rows [N], `PairPitch` bytes apart.
void unitValues(KernelBuilder &K, int64_t N, Val Groups, Val Probabilities,
                Val Values, int64_t PairPitch, Val Acc, int64_t AccPitch);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_ATTENDUNIT_H
