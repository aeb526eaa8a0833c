// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces that several kernels share, each the vector form of a function of
// runtime/numerics: norms, block quantisation, RoPE, Hadamard transform. Rows
// are BF16 in memory unless said otherwise; all sizes are compile-time numbers.

#ifndef DSV4_TARGETS_CPU_KERNELS_ROWOPS_H
#define DSV4_TARGETS_CPU_KERNELS_ROWOPS_H

#include "targets/cpu/KernelBuilder.h"

namespace dsv4::cpu {

/// A buffer of this worker's stack, 64-byte aligned, for the whole kernel; for
/// small fixed sizes (larger ones are planned scratch).
Val stackBuffer(KernelBuilder &K, int64_t Bytes);

/// Sum of squares of n BF16 elements, n a multiple of 16 (numerics R3).
Val sumOfSquares(KernelBuilder &K, Val Row, int64_t N);

/// 1 / sqrt(sum / n + eps), scalar (R12).
Val inverseRms(KernelBuilder &K, Val Sum, int64_t N, double Eps);

/// Dst = bf16(W * (Src * R)) over n elements (R12); Dst may be Src.
void scaleByNorm(KernelBuilder &K, Val Src, Val W, Val R, Val Dst, int64_t N);

/// RMS norm of a row: sumOfSquares, inverseRms, scaleByNorm.
void rmsNormRow(KernelBuilder &K, Val Src, Val W, Val Dst, int64_t N,
                double Eps);

/// The E8M0 byte (i32 scalar) of the block scale 2^ceil(log2(max(Amax,
/// Smallest) * Reciprocal)), reading the bits of that f32 product (R15).
Val scaleByte(KernelBuilder &K, Val Amax, float Smallest, float Reciprocal);

/// 2^(Byte - 127) as f32, and its inverse 2^(127 - Byte).
Val scaleValue(KernelBuilder &K, Val Byte);
Val inverseScale(KernelBuilder &K, Val Byte);

/// Scale byte of one block of N BF16 elements (R15).
Val blockScaleE4M3(KernelBuilder &K, Val Row, int64_t N);
Val blockScaleE2M1(KernelBuilder &K, Val Row, int64_t N);

/// X / scale, clamped and rounded to the grid; Inverse is a splat (R15).
Val quantizeE4M3(KernelBuilder &K, Val X, Val Inverse);
Val quantizeE2M1(KernelBuilder &K, Val X, Val Inverse);

/// Dst = fake-quantised Src, E4M3 in blocks of 128 (R15).
void fakeQuantizeRow(KernelBuilder &K, Val Src, Val Dst, int64_t N);
/// One block of N elements of that.
void fakeQuantizeBlock(KernelBuilder &K, Val Src, Val Dst, int64_t N);
/// E2M1 in blocks of 32, in place (R15).
void fakeQuantizeE2M1(KernelBuilder &K, Val Row, int64_t N);

/// RoPE in place over the R elements (pairs) at Row, cos and sin interleaved
/// f32 at Tab (R13); Inverse negates the sine.
void ropeRow(KernelBuilder &K, Val Row, Val Tab, int64_t R, bool Inverse);

/// Writes cos and sin, interleaved, of Position (f32 scalar) times each
/// frequency to Tab (R13); at least two frequencies.
void cosSinRow(KernelBuilder &K, Val Position, llvm::ArrayRef<float> Freqs,
               Val Tab);

/// Walsh-Hadamard transform of N BF16 elements in place, N a power of two >= 16
/// (R7).
void hadamardRow(KernelBuilder &K, Val Row, int64_t N);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_ROWOPS_H
