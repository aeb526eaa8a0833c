// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block of decoded KV rows and the two products of sparse attention with it
// for 16 heads (numerics R1 and R4), on vectors; AttendUnit.h has the matrix
// unit's. Rows lie in the scratch in one of two ways:
//   scores: rows one by one, [rowStep()] of N values, rowPitch() bytes apart;
//   values: pairs of rows, [valueRows() / 2] of N, pairPitch() bytes apart:
//           BF16 with both rows in a lane, or f32 with one behind the other.

#ifndef DSV4_TARGETS_CPU_KERNELS_ATTENDBLOCK_H
#define DSV4_TARGETS_CPU_KERNELS_ATTENDBLOCK_H

#include "targets/cpu/kernels/Decode.h"
#include "targets/cpu/kernels/Dot.h"

namespace dsv4::cpu {

class AttendBlock {
public:
  /// Rows whose even and odd ones are summed apart in the order Split.
  static constexpr int64_t SplitRows = 32;

  AttendBlock(KernelBuilder &K, int64_t N);

  InputForm form() const { return Form; }
  bool isSplit() const { return IsSplit; }
  int64_t rowStep() const { return RowStep; }
  int64_t valueRows() const { return ValueRows; }
  int64_t rowPitch() const;
  int64_t pairPitch() const;
  /// Room for the rows, however they are decoded.
  int64_t decodedBytes() const;
  /// Where the rows Row and Row + 1 (Row even) of the block at `Rows` lie.
  Val pairOfRows(Val Rows, Val Row) const;

  /// q . k of `rowStep()` rows at `Rows` with 16 heads, lanes are heads. Query:
  /// [N / 2 pairs] of 16 heads.
  Vals dotRows(Val Rows, Val Query);
  /// acc f32 [Heads][N], `AccPitch` bytes a head, += probabilities x values of
  /// `Count` rows. Probabilities: 64 bytes of 16 heads a row, pairs of BF16 in
  /// the first line of each two.
  void addValues(Val Rows, Val Count, Val Probabilities, Val Heads, Val Acc,
                 int64_t AccPitch);

private:
  void addHeads(Val Rows, Val Count, Val Probabilities, Val Sum, Val Dim,
                int64_t AccPitch);
  Vals chains(Val Rows, Val Probabilities, Val From, Val To, Val Dim,
              const Vals &Init);
  Pair columns(Val Rows, Val Row, Val Dim);
  Pair weights(Val Probabilities, Val Row, int64_t Head);

  KernelBuilder &K;
  int64_t N;
  InputForm Form;
  bool IsSplit;
  int64_t Step, RowStep, ValueRows; // heads, rows of scores, rows of values
};

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_ATTENDBLOCK_H
