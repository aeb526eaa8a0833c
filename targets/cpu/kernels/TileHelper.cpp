// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tile helpers: emission and calls.

#include "targets/cpu/kernels/TileHelper.h"

#include "targets/cpu/kernels/Dot.h"

using namespace mlir;

namespace dsv4::cpu {

SmallVector<int64_t, 4> tokenBlocks(KernelBuilder &K, TileFormat Format) {
  SmallVector<int64_t, 4> Blocks;
  for (int64_t Rows = K.tokenBlock(Format); Rows >= 1; Rows /= 2)
    Blocks.push_back(Rows);
  return Blocks;
}

static std::string helperName(const TileShape &Shape, int64_t Rows) {
  static constexpr const char *Formats[] = {"fp4", "fp8", "bf16", "f32"};
  std::string Name = std::string("tile_") + Formats[int(Shape.format)] + "_k" +
                     std::to_string(Shape.inner) + "_x" + std::to_string(Rows) +
                     (Shape.single ? "_f32" : "_bf16");
  if (Shape.rows != TileRows)
    Name += "_n" + std::to_string(Shape.rows);
  return Name;
}

static void storeTile(KernelBuilder &K, const TileShape &Shape, Val Ptr,
                      Val Total) {
  if (Shape.rows != TileRows) {
    SmallVector<int64_t> Mask;
    for (int64_t I = 0; I < Shape.rows; ++I)
      Mask.push_back(I);
    Total = K.shuffle(Total, Total, Mask);
  }
  if (Shape.single)
    K.store(Total, Ptr);
  else
    K.storeBf16(Ptr, Total);
}

static void emitHelper(KernelBuilder &K, const TileShape &Shape, int64_t Rows) {
  std::string Name = helperName(Shape, Rows);
  if (K.hasFunction(Name))
    return;
  K.beginHelper(Name, SmallVector<Type>(1 + 2 * Rows, K.ptr()));
  SmallVector<Val> X;
  for (int64_t T = 0; T < Rows; ++T)
    X.push_back(K.param(1 + T));
  Vals Totals = dotTile(K, Shape.format, Shape.inner, K.param(0), X);
  for (int64_t T = 0; T < Rows; ++T)
    storeTile(K, Shape, K.param(1 + Rows + T), Totals[T]);
  K.endFunction();
}

void needTileHelpers(KernelBuilder &K, const TileShape &Shape) {
  for (int64_t Rows : tokenBlocks(K, Shape.format))
    emitHelper(K, Shape, Rows);
}

void tileRows(KernelBuilder &K, const TileShape &Shape, Val Tile, Val Lo,
              Val Hi, RowAddress Address) {
  for (int64_t Rows : tokenBlocks(K, Shape.format)) {
    Val Count = Hi - Lo;
    Val Stop = Rows == 1 ? Hi : Hi - (Count & (Rows - 1));
    K.forRange(Lo, Stop, Rows, [&](Val Row) {
      SmallVector<Val> Args{Tile}, Results;
      for (int64_t T = 0; T < Rows; ++T) {
        auto [X, Y] = Address(Row + T);
        Args.push_back(X);
        Results.push_back(Y);
      }
      Args.append(Results);
      K.call(helperName(Shape, Rows), Args);
    });
    Lo = Stop;
  }
}

} // namespace dsv4::cpu
