// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See UnitProduct.h.
//
// Scratch: the panel, totals, inputs.

#include "targets/cpu/kernels/UnitProduct.h"

#include "targets/cpu/kernels/MatrixUnit.h"

namespace dsv4::cpu {

/// Room for gathered inputs, which stay in the second cache (2 MiB for two
/// threads on the CPUs that have AMX) while weights stream through it.
static constexpr int64_t InputBytes = 512 << 10;

/// Rows that are gathered at once: as many as there is room for.
static int64_t mostRows(int64_t Inner) {
  int64_t Fit = InputBytes / (Inner * 2) / UnitRows * UnitRows;
  return std::clamp<int64_t>(Fit, UnitRows, 256);
}

int64_t unitScratchBytes(int64_t Inner) {
  return UnitPanelBytes + UnitTotalsBytes + mostRows(Inner) * (Inner * 2);
}

/// Up to 16 rows: four streams of weights, each input for all of them.
static constexpr UnitShape FewRows{4, 1};

/// More rows: products that share what is decoded, and what is loaded. FP8
/// takes longest to decode.
static UnitShape manyRows(TileFormat Format) {
  return Format == TileFormat::Fp8 ? UnitShape{1, 4} : UnitShape{2, 2};
}

namespace {
/// The rows from `Begin` on, at most as many as are gathered at once.
class UnitRun {
public:
  UnitRun(KernelBuilder &K, const TileShape &Shape, const TileRun &Run,
          Val Begin)
      : K(K), Shape(Shape), Run(Run), Layout{Shape.format, Shape.inner},
        Begin(Begin), Rows(min(Run.hi - Begin, K.c64(mostRows(Shape.inner)))),
        Panel(K.scratch()), Totals(Panel + UnitPanelBytes),
        Inputs(Totals + UnitTotalsBytes) {}

  void emit() {
    K.forRange(K.c64(0), Rows, 1, [&](Val R) { gather(R); });
    K.ifElse(
        Rows > UnitRows, [&] { sweep(manyRows(Shape.format)); },
        [&] { sweep(FewRows); });
  }

private:
  Val row(Val R) { return Run.address(Begin + R).first; }

  void gather(Val R) {
    Val X = row(R), Next = row(min(R + 1, Rows - 1));
    Val To = unitInput(Inputs, R, Shape.inner);
    K.forRange(K.c64(0), K.c64(Shape.inner / GroupK), 1, [&](Val G) {
      K.prefetch(Next + G * LineBytes);
      K.store(K.loadVI(X + G * LineBytes), To + G * UnitGroupStride, LineBytes);
    });
  }

  /// All tiles, as many at once as the shape has; the last ones alone.
  void sweep(UnitShape Together) {
    auto Tiles = [&](Val From, Val To, int64_t Count) {
      K.forRange(From, To, Count,
                 [&](Val T) { rows(T, {Count, Together.blocks}); });
    };
    if (Shape.rows != TileRows) // a last tile, always alone
      return Tiles(K.c64(0), Run.count, 1);
    Val Even = Run.count & -Together.tiles;
    Tiles(K.c64(0), Even, Together.tiles);
    if (Together.tiles > 1)
      Tiles(Even, Run.count, 1);
  }

  /// All rows with the tiles from number `First` on: their weights come from
  /// memory once, then from a cache.
  void rows(Val First, UnitShape Shape) {
    K.forRange(K.c64(0), Rows, Shape.blocks * UnitRows, [&](Val R) {
      Val Blocks = (Rows - R + (UnitRows - 1)) / UnitRows;
      K.ifOneOf(min(Blocks, K.c64(Shape.blocks)), Shape.blocks,
                [&](int64_t N) { product(First, R, {Shape.tiles, N}); });
    });
  }

  void product(Val First, Val R, UnitShape Some) {
    Val Tile = Run.first + First * tileBytes(Shape.format, Shape.inner);
    callUnit(K, Layout, Some,
             {Tile, unitInput(Inputs, R, Shape.inner), Panel, Totals});
    Val End = min(R + Some.blocks * UnitRows, Rows);
    K.forRange(R, End, 1, [&](Val Row) {
      Val Y = Run.address(Begin + Row).second + First * Shape.resultBytes();
      for (int64_t T = 0; T < Some.tiles; ++T)
        storeTotal(
            K, Shape, Y + T * Shape.resultBytes(),
            K.loadVF(Totals + (Row - R) * 64 + T * Some.blocks * UnitTotalBytes,
                     64));
    });
  }

  KernelBuilder &K;
  const TileShape &Shape;
  const TileRun &Run;
  TileLayout Layout;
  Val Begin, Rows;
  Val Panel, Totals, Inputs;
};
} // namespace

void needUnitProduct(KernelBuilder &K, const TileShape &Shape) {
  auto Form = K.useForm(DotForm::Bf16);
  TileLayout Layout{Shape.format, Shape.inner};
  bool IsLast = Shape.rows != TileRows;
  for (UnitShape Together : {FewRows, manyRows(Shape.format)})
    for (int64_t Blocks = 1; Blocks <= Together.blocks; ++Blocks)
      for (int64_t Tiles : {int64_t(1), IsLast ? 1 : Together.tiles})
        needUnit(K, Layout, {Tiles, Blocks});
}

void runOnUnit(KernelBuilder &K, const TileShape &Shape, const TileRun &Run) {
  beginUnit(K);
  K.forRange(Run.lo, Run.hi, mostRows(Shape.inner),
             [&](Val Begin) { UnitRun(K, Shape, Run, Begin).emit(); });
  endUnit(K);
}

} // namespace dsv4::cpu
