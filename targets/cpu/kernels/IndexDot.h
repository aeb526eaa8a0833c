// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot products of the index scores in integers (numerics R1, R8). Keys are
// E2M1 codes; queries come from E2M1 in blocks of 32, so inside a group both
// are small integers times powers of two, and the chain of 32 fused
// multiply-adds is exact: whatever sums the integers gives its bits.
//
//   chain = 2^u * sum (q_i * k_i),  |q_i| <= 15, |k_i| <= 12: |sum| <= 5760
//
// Every partial sum of the chain is a multiple of 2^u below 2^(u + 13): it fits
// 24 bits, so no fma of the chain rounds, and with 2^u a normal float nothing
// is flushed. A sum of zero is +0, as the chain's is: it starts from +0, which
// no product can make -0. The total then takes the same fma of the same floats.
//
// Queries are any BF16 as far as the types know. prepareQuery() finds out
// whether they fit; where a block does not (its largest value is 2^E and
// another is no multiple of 2^(E - 3), or a power is out of range), the caller
// has to take the other way.

#ifndef DSV4_TARGETS_CPU_KERNELS_INDEXDOT_H
#define DSV4_TARGETS_CPU_KERNELS_INDEXDOT_H

#include "targets/cpu/KernelBuilder.h"

#include <utility>

namespace dsv4::cpu {

class IndexDot {
public:
  /// Tiles that dots() takes together.
  static constexpr int64_t Tiles = 2;

  /// For `Heads` queries of N elements. `Room`: 64-byte aligned, as
  /// kern::IndexScoreOp::getScratchBytes says.
  IndexDot(KernelBuilder &K, int64_t Heads, int64_t N, Val Room);
  static int64_t roomBytes(int64_t Heads, int64_t N);

  /// Of a step's queries, each i1: whether all of them fit, and whether the
  /// largest of every block lies within 2^-50 to 2^50 as well, or is 0.
  struct Fitness {
    Val fits, isNear;
  };
  /// Reads the queries (BF16 at `Q`).
  Fitness prepareQuery(Val Q);
  /// Decodes the tile at `Tile` as number `Slot` of those that dots() takes.
  void decodeTile(Val Tile, int64_t Slot);
  /// Groups of 32 elements.
  int64_t groups() const;
  /// q . k of `Count` heads from head H on with the decoded tiles:
  /// [tiles][heads]. `Between` writes other work in after each group, which
  /// then fills what the multiplications leave free.
  Vals dots(Val H, int64_t Count,
            llvm::function_ref<void(int64_t Group)> Between);

private:
  std::pair<Val, Val> prepareBlock(Val X, Val Block);
  Val signedCodes(Val Codes);
  Val multiply(Val Sums, Val Q, Val Line);
  Val widen(Val Sums);
  Vals addDots(Val H, int64_t Count, int64_t Group, Vals Totals);
  Val addGroup(Val Sums, Val Total, Val H, int64_t Group, int64_t Slot);

  Val keys(int64_t Slot) { return Keys + Slot * SlotBytes; }
  Val starts(int64_t Slot) { return keys(Slot) + N * 16; }
  Val scales(int64_t Slot) { return starts(Slot) + N * 2; }

  KernelBuilder &K;
  int64_t Heads, N, SlotBytes;
  bool HasDot; // the instruction for four products a lane
  mlir::Type SumType;
  Val Codes, Units, Keys; // in the room
};

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_INDEXDOT_H
