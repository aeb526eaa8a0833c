// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.linear and kern.expert_linear: loops over packed tiles; the arithmetic
// is in Dot.cpp.

#include "dialects/kern/IR/KernOps.h"
#include "dialects/kern/IR/KernPacking.h"
#include "targets/cpu/kernels/Kernels.h"
#include "targets/cpu/kernels/TileHelper.h"

using namespace mlir;
using dsv4::qfmt::WeightType;

namespace dsv4::cpu {

static kern::BufferType bufferOf(Value V) {
  return cast<kern::BufferType>(V.getType());
}

static int64_t rowBytes(Value Buffer) {
  return bufferOf(Buffer).getRowBytes().fixed;
}

/// Tile shape of the product of a weight with rows that go to `Y`, and the same
/// for its last tile, where fewer rows may exist.
static TileShape shapeOf(WeightType W, Value Y, bool Last) {
  ArrayRef<int64_t> Shape = W.getShape();
  int64_t N = Shape[Shape.size() - 2];
  int64_t Rest = N % TileRows;
  return {tileFormat(W.getFormat()), Shape.back(),
          bufferOf(Y).getElement().isF32(), Last && Rest ? Rest : TileRows};
}

/// Emits the helpers for whole tiles and, where there is one, for the last.
static void needHelpers(KernelBuilder &K, WeightType W, Value Y) {
  if (W.getShape()[W.getShape().size() - 2] >= TileRows)
    needTileHelpers(K, shapeOf(W, Y, false));
  needTileHelpers(K, shapeOf(W, Y, true));
}

/// One tile of a matrix with `Tiles` tiles: `Number` is its number there.
static void oneTile(KernelBuilder &K, WeightType W, Value Y, Val Matrix,
                    Val Number, Val Lo, Val Hi, RowAddress Address) {
  Val Tile = Matrix + Number * kern::getTileBytes(W);
  auto Run = [&](bool Last) {
    tileRows(K, shapeOf(W, Y, Last), Tile, Lo, Hi, Address);
  };
  int64_t Tiles = kern::getNumTiles(W);
  bool Partial = shapeOf(W, Y, true).rows != TileRows;
  if (!Partial || Tiles == 1)
    return Run(Partial);
  K.ifElse(Number == Tiles - 1, [&] { Run(true); }, [&] { Run(false); });
}

static void emitJob(KernelBuilder &K, kern::LinearOp Op, unsigned Job,
                    int64_t First, Val Rows) {
  Value XV = Op.getX(Job), YV = Op.getY(Job);
  auto W = cast<WeightType>(Op.getW(Job).getType());
  int64_t Inner = W.getShape()[1];
  int64_t Element = bufferOf(YV).getElementBytes();
  int64_t PerGroup = Op.getTiles(Job) / Op.getGroups()[Job];
  Val X = K.operand(3 * Job), Y = K.operand(3 * Job + 2);
  Val Lo = max(K.begin(), K.c64(First));
  Val Hi = min(K.end(), K.c64(First + Op.getTiles(Job)));
  K.forRange(Lo, Hi, 1, [&](Val Item) {
    Val Tile = Item - First;
    Val XTile = X;
    if (Op.getGroups()[Job] > 1)
      XTile = X + Tile / PerGroup * (Inner * 2);
    Val YTile = Y + Tile * (TileRows * Element);
    oneTile(K, W, YV, K.operand(3 * Job + 1), Tile, K.c64(0), Rows,
            [&](Val Row) {
              return std::pair(XTile + Row * rowBytes(XV),
                               YTile + Row * rowBytes(YV));
            });
  });
}

void emitLinear(KernelBuilder &K, Operation *Phase, llvm::StringRef Name) {
  auto Op = cast<kern::LinearOp>(Phase);
  for (unsigned Job = 0; Job < Op.getNumJobs(); ++Job)
    needHelpers(K, cast<WeightType>(Op.getW(Job).getType()), Op.getY(Job));
  K.beginKernel(Name, Op->getNumOperands());
  Val Rows = Op.getRows() == kern::RowsOf::Outputs ? K.outputs() : K.tokens();
  int64_t First = 0;
  for (unsigned Job = 0; Job < Op.getNumJobs(); ++Job) {
    emitJob(K, Op, Job, First, Rows);
    First += Op.getTiles(Job);
  }
  K.endFunction();
}

void emitExpertLinear(KernelBuilder &K, Operation *Phase,
                      llvm::StringRef Name) {
  auto Op = cast<kern::ExpertLinearOp>(Phase);
  auto W = cast<WeightType>(Op.getW().getType());
  int64_t Experts = W.getShape()[0], Tiles = kern::getNumTiles(W);
  int64_t Matrix = kern::getMatrixBytes(W, kern::Layout::Tile16);
  auto Program = Op->getParentOfType<kern::ProgramOp>();
  bool OfSlots = bufferOf(Op.getX()).getPer() == kern::Per::Slot;
  int64_t PerToken = OfSlots ? 1 : Program.getExpertsPerToken();
  bool Two = bool(Op.getWOther());
  needHelpers(K, W, Op.getY());
  K.beginKernel(Name, Op->getNumOperands());

  // Operand table: x, lists, w, w_other?, y, y_other?.
  Val X = K.operand(0), Lists = K.operand(1);
  int64_t RowBytes = rowBytes(Op.getY());
  auto Run = [&](Val Weight, Val Y, Val Expert, Val Active, Val Tile) {
    Val Lo = K.sext64(K.loadI32(Lists + (Active + (1 + Experts)) * 4));
    Val Hi = K.sext64(K.loadI32(Lists + (Active + (2 + Experts)) * 4));
    Val Slots = Lists + (2 + 2 * Experts) * 4;
    oneTile(K, W, Op.getY(), Weight + Expert * Matrix, Tile, Lo, Hi,
            [&](Val I) {
              Val Slot = K.sext64(K.loadI32(Slots + I * 4));
              Val Row = PerToken == 1 ? Slot : Slot / PerToken;
              return std::pair(X + Row * rowBytes(Op.getX()),
                               Y + (Slot * RowBytes + Tile * (TileRows * 2)));
            });
  };
  K.forItems([&](Val Item) {
    int64_t PerExpert = Two ? 2 * Tiles : Tiles;
    Val Active = Item / PerExpert, Tile = Item % PerExpert;
    Val Expert = K.sext64(K.loadI32(Lists + (Active + 1) * 4));
    if (!Two)
      return Run(K.operand(2), K.operand(3), Expert, Active, Tile);
    Val IsOther = Tile >= Tiles;
    Val Weight = select(IsOther, K.operand(3), K.operand(2));
    Val Y = select(IsOther, K.operand(5), K.operand(4));
    Run(Weight, Y, Expert, Active, select(IsOther, Tile - Tiles, Tile));
  });
  K.endFunction();
}

} // namespace dsv4::cpu
