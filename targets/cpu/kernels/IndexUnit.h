// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot products of the index scores on Intel's matrix unit (numerics R1,
// R8), for queries that IndexDot's integers fit and scales near 1. There
// TDPBF16PS has the bits of R1's chain although it sums in another order:
//
//   q_i = 2^a * (at most 15), k_i = 2^b * (at most 12), a and b in Near
//
// so the sums of even and odd elements and their sum are multiples of 2^(a + b)
// below 2^(a + b + 13): nothing of a group rounds, overflows or is flushed.
// What is added to the total is the chain times the key's scale, exact too, and
// that addition rounds as R1's fma does.

#ifndef DSV4_TARGETS_CPU_KERNELS_INDEXUNIT_H
#define DSV4_TARGETS_CPU_KERNELS_INDEXUNIT_H

#include "targets/cpu/kernels/MatrixUnit.h"

namespace dsv4::cpu {

class IndexUnit {
public:
  /// Tiles of 16 entries that meet the heads together.
  static constexpr int64_t Tiles = 2;
  /// Exponents of scales, and of the largest value of a query's block.
  static constexpr int64_t MostExponent = 50;

  /// For `Heads` queries of N elements. `Room`: 64-byte aligned, as
  /// kern::IndexScoreOp::getScratchBytes says.
  IndexUnit(KernelBuilder &K, int64_t Heads, int64_t N, Val Room);

  /// Heads are a multiple of 16, and the CPU has the unit.
  bool exists() const { return K.hasMatrixUnit() && Heads % UnitRows == 0; }
  /// Lanes are negative where a scale of the tile at `Tile` is not near.
  Val farScales(Val Tile);
  /// Decodes the tile at `Tile` as number `Slot`.
  void decodeTile(Val Tile, int64_t Slot);

  /// Heads of a part, and parts.
  int64_t partHeads() const { return Heads % 32 ? UnitRows : 32; }
  int64_t parts() const { return Heads / partHeads(); }
  /// Queries (BF16 at `Q`) of a part times the decoded tiles. `Between` writes
  /// other work in after each group of 32 elements; until multiply() returns
  /// result() is what it was before.
  void multiply(Val Q, int64_t Part,
                llvm::function_ref<void(int64_t Group)> Between);
  int64_t groups() const { return N / GroupK; }
  /// q . k of a part's head with the 16 entries of tile `Slot`.
  Val result(int64_t Head, int64_t Slot);

private:
  Val keys(int64_t Slot, int64_t Group) {
    return Room + (Slot * groups() + Group) * (GroupK / 2 * LineBytes);
  }
  Val results(int64_t Slot) {
    return Room + N * (32 * Tiles) + Slot * (32 * LineBytes);
  }

  KernelBuilder &K;
  int64_t Heads, N;
  TileLayout Layout;
  Val Room; // decoded tiles, then results [tiles][32 heads][16]
};

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_INDEXUNIT_H
