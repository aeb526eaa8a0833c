// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See AttendBlock.h.

#include "targets/cpu/kernels/AttendBlock.h"

#include "llvm/ADT/bit.h"

#include <algorithm>

namespace dsv4::cpu {

static constexpr int64_t Lanes = KernelBuilder::Lanes;
/// Decoded pairs of rows for the values: BF16, and f32, which are twice as
/// large. 128 bytes of padding keep columns of pairs in different cache sets.
static constexpr int64_t Bf16Pairs = 32, F32Pairs = 8, PairPadding = 128;

AttendBlock::AttendBlock(KernelBuilder &K, int64_t N)
    : K(K), N(N), Form(wantedInput(K)),
      IsSplit(K.dotOrder() == num::DotOrder::Split) {
  // Heads or rows at a time: a divisor of 16 for which registers are enough.
  Step = K.isa() >= IsaLevel::Avx512
             ? 8
             : int64_t(llvm::bit_floor(uint64_t(K.microRows())));
  ValueRows = 2 * (Form == InputForm::Bf16 ? Bf16Pairs : F32Pairs);
  // With dots that read their input from memory, a score's chain and its
  // operands are all that a row needs of them.
  RowStep = K.dotForm() == DotForm::Bf16 ? Lanes : Step;
  if (IsSplit) { // chains take twice the registers, and whole groups of rows
    Step = RowStep = std::max<int64_t>(Step / 2, 1);
    ValueRows = std::max(ValueRows, SplitRows);
  }
}

/// A line more than a row has, since Zen 5 reads lines 1 KiB apart at two
/// thirds of the rate.
int64_t AttendBlock::rowPitch() const {
  return N * inputBytes(Form) + LineBytes;
}

int64_t AttendBlock::pairPitch() const {
  return 2 * N * inputBytes(Form) + PairPadding;
}

int64_t AttendBlock::decodedBytes() const {
  return Bf16Pairs * (N * 4 + PairPadding);
}

Val AttendBlock::pairOfRows(Val Rows, Val Row) const {
  return Rows + Row * (pairPitch() / 2);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

Vals AttendBlock::dotRows(Val Rows, Val Query) {
  int64_t Vectors = chainVectors(K), GroupPairs = GroupK / 2;
  auto AddGroup = [&](Val Group, llvm::ArrayRef<Val> It) {
    Vals Chains(RowStep * Vectors, K.vf(0));
    Val X = Rows + Group * (GroupK * inputBytes(Form));
    for (int64_t P = 0; P < GroupPairs; ++P) {
      Pair Q = loadPair(K, Query + Group * (GroupPairs * pairBytes(K)) +
                               P * pairBytes(K));
      for (int64_t I = 0; I < RowStep; ++I) {
        int64_t At = I * rowPitch() + P * 2 * inputBytes(Form);
        addPair(K, &Chains[I * Vectors], broadcastPair(K, X + At, Form), Q);
      }
    }
    Vals Sums = chainSums(K, Chains);
    for (int64_t I = 0; I < RowStep; ++I)
      Sums[I] = It[I] + Sums[I];
    return Sums;
  };
  return K.forRange(K.c64(0), K.c64(N / GroupK), 1, Vals(RowStep, K.vf(0)),
                    AddGroup);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

void AttendBlock::addValues(Val Rows, Val Count, Val Probabilities, Val Heads,
                            Val Acc, int64_t AccPitch) {
  K.forRange(K.c64(0), K.c64(N), 2 * Lanes, [&](Val Dim) {
    K.forRange(K.c64(0), Heads, Step, [&](Val H) {
      addHeads(Rows, Count, Probabilities + H * 4, Acc + H * AccPitch + Dim * 4,
               Dim, AccPitch);
    });
  });
}

/// Adds `Count` rows to the dims Dim .. Dim + 31 of `Step` heads, the sums of
/// the first of which lie at `Sum`.
void AttendBlock::addHeads(Val Rows, Val Count, Val Probabilities, Val Sum,
                           Val Dim, int64_t AccPitch) {
  auto At = [&](int64_t I, int64_t T) {
    return Sum + (I * AccPitch + T * LineBytes);
  };
  Vals Sums;
  for (int64_t I = 0; I < Step; ++I)
    for (int64_t T = 0; T < 2; ++T)
      Sums.push_back(K.loadVF(At(I, T)));
  auto AddGroup = [&](Val Row, llvm::ArrayRef<Val> It) {
    Vals Group = chainSums(K, chains(Rows, Probabilities, Row, Row + SplitRows,
                                     Dim, Vals(4 * Step, K.vf(0))));
    for (size_t I = 0; I < Group.size(); ++I)
      Group[I] = It[I] + Group[I];
    return Group;
  };
  if (IsSplit)
    Sums = K.forRange(K.c64(0), Count, SplitRows, Sums, AddGroup);
  else
    Sums = chains(Rows, Probabilities, K.c64(0), Count, Dim, Sums);
  for (int64_t I = 0; I < Step; ++I)
    for (int64_t T = 0; T < 2; ++T)
      K.store(Sums[2 * I + T], At(I, T));
}

/// `Init` plus the rows [From, To) by pairs, the odd row of a pair first.
Vals AttendBlock::chains(Val Rows, Val Probabilities, Val From, Val To, Val Dim,
                         const Vals &Init) {
  int64_t Vectors = Init.size() / (2 * Step);
  return K.forRange(From, To, 2, Init, [&](Val Row, llvm::ArrayRef<Val> It) {
    Vals Out(It.begin(), It.end());
    Pair Columns[2] = {columns(Rows, Row, Dim),
                       columns(Rows, Row, Dim + Lanes)};
    for (int64_t I = 0; I < Step; ++I) {
      Pair P = weights(Probabilities, Row, I);
      for (int64_t T = 0; T < 2; ++T)
        addPair(K, &Out[(2 * I + T) * Vectors], P, Columns[T]);
    }
    return Out;
  });
}

/// 16 dims from Dim on of the rows Row and Row + 1.
Pair AttendBlock::columns(Val Rows, Val Row, Val Dim) {
  auto Role = K.touching("decoded rows");
  Val V = pairOfRows(Rows, Row) + Dim * 4;
  if (Form == InputForm::Bf16)
    return pairOfLanes(K, K.loadVI(V, LineBytes));
  Pair P;
  P.even = K.loadVF(V, LineBytes);
  P.odd = K.loadVF(V + N * 4, LineBytes);
  return P;
}

/// Probabilities of the rows Row and Row + 1 for one head, in all lanes.
Pair AttendBlock::weights(Val Probabilities, Val Row, int64_t Head) {
  Val P = Probabilities + Row * 64 + Head * 4;
  if (Form == InputForm::Bf16)
    return broadcastPair(K, P, Form);
  auto Role = K.touching("scores");
  Pair Both;
  Both.even = K.splat(K.loadF32(P));
  Both.odd = K.splat(K.loadF32(P + 64));
  return Both;
}

} // namespace dsv4::cpu
