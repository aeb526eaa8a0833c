// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TileProduct.h.

#include "targets/cpu/kernels/TileProduct.h"

#include "targets/cpu/kernels/FewRows.h"
#include "targets/cpu/kernels/UnitProduct.h"

#include <string>

using namespace mlir;

namespace dsv4::cpu {

/// Rows whose inputs are widened to f32 where there is no dot instruction.
static constexpr int64_t ExpandedRows = 2;

/// Rows that are multiplied straight from packed weights, one tile after the
/// other. The dot instruction takes inputs where they lie, so that more rows
/// stay on this way while reading weights costs more than sharing their
/// decoding over tiles would save (measured on Zen 4, docs/kernels.md).
static int64_t directRows(KernelBuilder &K, TileFormat Format) {
  if (K.dotForm() != DotForm::Bf16 || Format == TileFormat::Fp4)
    return ExpandedRows;
  return Format == TileFormat::Fp8 ? 4 : 8;
}

static int64_t expandedBytes(int64_t Inner) { return ExpandedRows * Inner * 4; }

int64_t productScratchBytes(int64_t Inner) {
  return std::max(
      {panelBytes(), expandedBytes(Inner), unitScratchBytes(Inner)});
}

void storeTotal(KernelBuilder &K, const TileShape &Shape, Val Ptr, Val Total) {
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

//===----------------------------------------------------------------------===//
// One or two rows
//===----------------------------------------------------------------------===//

static std::string directName(const TileShape &Shape, int64_t Rows,
                              int64_t Tiles) {
  std::string Name =
      std::string("direct_") + TileFormatNames[int(Shape.format)] + "_k" +
      std::to_string(Shape.inner) + "_x" + std::to_string(Rows) + "_t" +
      std::to_string(Tiles) + (Shape.single ? "_f32" : "_bf16");
  if (Shape.rows != TileRows)
    Name += "_n" + std::to_string(Shape.rows);
  return Name;
}

/// direct(first tile, x..., y...), x in the wanted form
static void emitDirect(KernelBuilder &K, const TileShape &Shape, int64_t Rows,
                       int64_t Tiles) {
  std::string Name = directName(Shape, Rows, Tiles);
  if (K.hasFunction(Name))
    return;
  K.beginHelper(Name, SmallVector<Type>(1 + 2 * Rows, K.ptr()));
  SmallVector<Val> X;
  for (int64_t R = 0; R < Rows; ++R)
    X.push_back(K.param(1 + R));
  Vals Totals = dotTiles(K, {Shape.format, Shape.inner}, Tiles, K.param(0), X,
                         wantedInput(K));
  for (int64_t T = 0; T < Tiles; ++T)
    for (int64_t R = 0; R < Rows; ++R)
      storeTotal(K, Shape, K.param(1 + Rows + R) + T * Shape.resultBytes(),
                 Totals[T * Rows + R]);
  K.endFunction();
}

/// Tiles that one call takes: each input that is loaded meets all of them, so
/// that inputs stay in the first cache beside the stream of weights.
static int64_t directTiles(KernelBuilder &K, const TileShape &Shape) {
  return Shape.rows == TileRows ? K.streamTiles() : 1;
}

/// All tiles of the run with the rows Lo .. Lo + Rows - 1.
static void runDirect(KernelBuilder &K, const TileShape &Shape,
                      const TileRun &Run, int64_t Rows) {
  SmallVector<Val> X, Y;
  for (int64_t R = 0; R < Rows; ++R) {
    auto [From, To] = Run.address(Run.lo + R);
    if (wantedInput(K) == InputForm::F32) {
      Val Copy = K.scratch() + R * Shape.inner * 4;
      expandInput(K, From, Copy, Shape.inner);
      From = Copy;
    }
    X.push_back(From);
    Y.push_back(To);
  }
  auto Sweep = [&](int64_t Tiles, Val From, Val To) {
    K.forRange(From, To, Tiles, [&](Val I) {
      SmallVector<Val> Args{Run.first +
                            I * tileBytes(Shape.format, Shape.inner)};
      Args.append(X);
      for (Val Results : Y)
        Args.push_back(Results + I * Shape.resultBytes());
      K.call(directName(Shape, Rows, Tiles), Args);
    });
  };
  int64_t Tiles = directTiles(K, Shape);
  Val Even = Run.count - (Run.count & (Tiles - 1));
  Sweep(Tiles, K.c64(0), Even);
  if (Tiles > 1)
    Sweep(1, Even, Run.count);
}

//===----------------------------------------------------------------------===//
// More rows
//===----------------------------------------------------------------------===//

/// Tiles that one call of the helpers takes: the last one of a matrix is alone.
static int64_t tilesTogether(const TileShape &Shape) {
  return Shape.rows == TileRows ? PanelTiles : 1;
}

static std::string blockName(const TileShape &Shape, int64_t Size) {
  std::string Name = std::string("block_") +
                     TileFormatNames[int(Shape.format)] + "_k" +
                     std::to_string(Shape.inner) + "_s" + std::to_string(Size);
  return Shape.rows == TileRows ? Name : Name + "_last";
}

/// block(first tile, number of the block, scratch, tiles, rows, inputs, ahead):
/// adds a block of `Size` k to the totals of all tiles; meanwhile brings the
/// bytes from `ahead` on closer, as many as a block's inputs have in a row.
static void emitBlock(KernelBuilder &K, const TileShape &Shape, int64_t Size) {
  std::string Name = blockName(Shape, Size);
  if (K.hasFunction(Name))
    return;
  K.beginHelper(
      Name, {K.ptr(), K.i64(), K.ptr(), K.i64(), K.i64(), K.ptr(), K.i64()});
  TileLayout Layout{Shape.format, Shape.inner};
  Val I = K.param(1), Tiles = K.param(3), Rows = K.param(4);
  Panel P = placePanel(K, K.param(2));
  P.inputs = K.param(5);
  Val Stride = Rows * 64;
  // Of the lines ahead, those that fall to the tiles before number T.
  auto linesBefore = [&](Val T) {
    return min(T, Tiles) * (BlockK * 2 / LineBytes) / Tiles * LineBytes;
  };
  auto Sweep = [&](Val From, Val To, int64_t Step, auto Body) {
    K.forRange(From, To, Step, [&](Val T) {
      Panel Here = P;
      Here.totals = P.totals + T * Stride;
      Here.ahead.from = K.param(6) + linesBefore(T);
      Here.ahead.to = K.param(6) + linesBefore(T + Step);
      Body(K.param(0) + T * tileBytes(Shape.format, Shape.inner), Step, Here);
    });
  };
  // As many tiles at once as can be, and then what is left over.
  auto Together = [&](auto Body) {
    int64_t Most = tilesTogether(Shape);
    Val Even = Tiles & -Most;
    Sweep(K.c64(0), Even, Most, Body);
    if (Most > 1)
      Sweep(Even, Tiles, 1, Body);
  };
  auto Lines = [&](Val First, int64_t Count, const Panel &Here) {
    multiplyLines(K, Layout, Count, First, I, Rows, Stride, Size, Here);
  };
  auto Decoded = [&](Val First, int64_t Count, const Panel &Here) {
    decodePanel(K, Layout, Count, First, I, Size, Here);
    multiplyPanel(K, Count, Rows, Stride, Size, Here);
  };
  if (int64_t Few = mostFewRows(K)) {
    K.ifElse(
        Rows > Few, [&] { Together(Decoded); },
        [&] {
          K.ifElse(
              Rows > FewRowsOfTwoTiles,
              [&] { Sweep(K.c64(0), Tiles, 1, Lines); },
              [&] { Together(Lines); });
        });
  } else {
    Together(Decoded);
  }
  K.endFunction();
}

namespace {
/// At most PanelRunTiles tiles from number `From` of the run on with at most
/// panelRows() rows from `Begin` on.
class PanelRun {
  static constexpr int64_t RowsAhead = 5;

public:
  PanelRun(KernelBuilder &K, const TileShape &Shape, const TileRun &Run,
           Val From, Val Begin)
      : K(K), Shape(Shape), Run(Run), Layout{Shape.format, Shape.inner},
        From(From), Begin(Begin),
        Tiles(min(Run.count - From, K.c64(PanelRunTiles))),
        Rows(min(Run.hi - Begin, K.c64(panelRows(K)))),
        P(placePanel(K, K.scratch())) {}

  void emit() {
    K.forRange(K.c64(0), Rows * Tiles, 1,
               [&](Val I) { K.store(K.vf(0), P.totals + I * 64, 64); });
    int64_t Even = Layout.blocks() / gathered() * gathered();
    if (Even)
      K.forRange(K.c64(0), K.c64(Even), gathered(),
                 [&](Val I) { blocks(I, gathered(), BlockK); });
    if (Even < Layout.blocks())
      blocks(K.c64(Even), 1, BlockK);
    if (Layout.rest())
      blocks(K.c64(Layout.blocks()), 1, Layout.rest());
    K.forRange(K.c64(0), Rows, 1, [&](Val R) { storeRow(R); });
  }

private:
  int64_t inputRow() const { return BlockK * inputBytes(wantedInput(K)); }

  /// Blocks whose inputs the panel holds: what is 4 bytes an input there.
  int64_t gathered() const { return 4 / inputBytes(wantedInput(K)); }

  Val inputsOf(int64_t Block) {
    return P.inputs + Block * (panelRows(K) * inputRow());
  }

  /// `Count` blocks of `Size` k from number I on: inputs gathered once for all
  /// tiles.
  void blocks(Val I, int64_t Count, int64_t Size) {
    K.forRange(K.c64(0), Rows, 1, [&](Val R) { gather(I, Count, Size, R); });
    Val First = Run.first + From * tileBytes(Shape.format, Shape.inner);
    for (int64_t N = 0; N < Count; ++N)
      K.call(blockName(Shape, Size), {First, I + N, K.scratch(), Tiles, Rows,
                                      inputsOf(N), K.c64(N * (BlockK * 2))});
  }

  void gather(Val I, int64_t Count, int64_t Size, Val R) {
    auto RowOf = [&](Val Row) {
      return Run.address(Begin + Row).first + I * (BlockK * 2);
    };
    Val X = RowOf(R), Soon = RowOf(min(R + RowsAhead, Rows - 1));
    int64_t Bytes = Count * BlockK * 2;
    // Rows lie far apart, so nothing but this, and what multiplies, brings
    // their next blocks closer. Often so by a multiple of 4 KiB that the first
    // cache keeps eight rows: these are fetched once more when they are near.
    K.store(X + Bytes, P.ahead.rows + R * 8);
    for (int64_t Line = 0; Line < Bytes; Line += LineBytes)
      K.prefetch(Soon + Line);
    if (int64_t Few = mostFewRows(K))
      K.ifThen(Rows <= Few, [&] {
        for (int64_t Line = 0; Line < Bytes; Line += LineBytes)
          K.prefetch(X + Bytes + Line);
      });
    for (int64_t N = 0; N < Count; ++N)
      expandInput(K, X + N * (BlockK * 2), inputsOf(N) + R * inputRow(), Size);
  }

  void storeRow(Val R) {
    Val Y = Run.address(Begin + R).second + From * Shape.resultBytes();
    K.forRange(K.c64(0), Tiles, 1, [&](Val T) {
      storeTotal(K, Shape, Y + T * Shape.resultBytes(),
                 K.loadVF(P.totals + (T * Rows + R) * 64, 64));
    });
  }

  KernelBuilder &K;
  const TileShape &Shape;
  const TileRun &Run;
  TileLayout Layout;
  Val From, Begin;
  Val Tiles, Rows; // how many
  Panel P;
};
} // namespace

static void runPanels(KernelBuilder &K, const TileShape &Shape,
                      const TileRun &Run) {
  K.forRange(K.c64(0), Run.count, PanelRunTiles, [&](Val From) {
    K.forRange(Run.lo, Run.hi, panelRows(K),
               [&](Val Begin) { PanelRun(K, Shape, Run, From, Begin).emit(); });
  });
}

void needTileProduct(KernelBuilder &K, const TileShape &Shape) {
  for (int64_t Rows = 1; Rows <= directRows(K, Shape.format); ++Rows)
    for (int64_t Tiles : {directTiles(K, Shape), int64_t(1)})
      emitDirect(K, Shape, Rows, Tiles);
  if (K.hasMatrixUnit())
    return needUnitProduct(K, Shape);
  TileLayout Layout{Shape.format, Shape.inner};
  for (int64_t Tiles = 1; Tiles <= tilesTogether(Shape); ++Tiles) {
    needPanelHelpers(K, Layout, Tiles);
    needFewRows(K, Layout, Tiles);
  }
  if (Layout.blocks())
    emitBlock(K, Shape, BlockK);
  if (Layout.rest())
    emitBlock(K, Shape, Layout.rest());
}

void multiplyTiles(KernelBuilder &K, const TileShape &Shape,
                   const TileRun &Run) {
  Val Rows = Run.hi - Run.lo;
  int64_t Direct = directRows(K, Shape.format);
  K.ifElse(
      Rows > Direct,
      [&] {
        K.hasMatrixUnit() ? runOnUnit(K, Shape, Run) : runPanels(K, Shape, Run);
      },
      [&] {
        K.ifOneOf(Rows, Direct,
                  [&](int64_t N) { runDirect(K, Shape, Run, N); });
      });
}

} // namespace dsv4::cpu
