// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product of numerics R1 over packed tiles: 16 output rows in lanes,
// the inner dimension in sequence, weights decoded in registers. For one or two
// input rows, where the weights' way from memory is what takes time; Panel.h is
// for more. Every level and form gives the same bits.

#ifndef DSV4_TARGETS_CPU_KERNELS_DOT_H
#define DSV4_TARGETS_CPU_KERNELS_DOT_H

#include "targets/cpu/kernels/Decode.h"

namespace dsv4::cpu {

/// How input rows lie in memory: BF16 as phases store them, or as f32, which
/// saves two instructions per pair where the dot form is F32.
enum class InputForm { Bf16, F32 };

/// The form that expandInput writes: what this level's dot product wants.
InputForm wantedInput(KernelBuilder &K);
inline int64_t inputBytes(InputForm Form) {
  return Form == InputForm::F32 ? 4 : 2;
}

/// Copies `Count` (a multiple of 32) BF16 values to `Dst` in the wanted form.
void expandInput(KernelBuilder &K, Val Src, Val Dst, int64_t Count);

/// The pair at `Ptr` in all lanes.
Pair broadcastPair(KernelBuilder &K, Val Ptr, InputForm Form = InputForm::Bf16);

/// chain = fma(a.odd, b.odd, chain), then the same with even; denormals count
/// as zero.
Val dotPair(KernelBuilder &K, Val Chain, const Pair &A, const Pair &B);

/// Vectors that a group's sum takes in the order of the program's linears: one
/// chain, or that of the even elements and that of the odd ones.
int64_t chainVectors(KernelBuilder &K);

/// Adds the products of A and B to the chain, which begins at Chain[0].
void addPair(KernelBuilder &K, Val *Chain, const Pair &A, const Pair &B);

/// What the chains that lie one after another have summed.
Vals chainSums(KernelBuilder &K, llvm::ArrayRef<Val> Chains);

/// Totals (vector<16xf32>) of `Tiles` tiles that follow each other, from `Tile`
/// on, with the rows of `Inner` values at X[0], X[1], ...: [tiles][rows].
/// Weights are decoded once for all rows. BF16: Inner a multiple of 32; FP4 and
/// FP8: of 128, or FP4 32, 64, 96.
Vals dotTiles(KernelBuilder &K, TileLayout Layout, int64_t Tiles, Val Tile,
              llvm::ArrayRef<Val> X, InputForm Form = InputForm::Bf16);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_DOT_H
