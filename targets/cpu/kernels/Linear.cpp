// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.linear and kern.expert_linear: items are tiles; a call takes
// neighbouring tiles of one matrix together. The arithmetic is in
// TileProduct.cpp.

#include "dialects/kern/IR/KernOps.h"
#include "dialects/kern/IR/KernPacking.h"
#include "targets/cpu/kernels/Kernels.h"
#include "targets/cpu/kernels/TileProduct.h"

using namespace mlir;
using dsv4::qfmt::WeightType;

namespace dsv4::cpu {

static kern::BufferType bufferOf(Value V) {
  return cast<kern::BufferType>(V.getType());
}

static int64_t rowBytes(Value Buffer) {
  return bufferOf(Buffer).getRowBytes().fixed;
}

/// Shape of the products of a weight with rows that go to `Y`, and the same for
/// its last tile, where fewer rows may exist.
static TileShape shapeOf(WeightType W, Value Y, bool Last) {
  ArrayRef<int64_t> Shape = W.getShape();
  int64_t Rest = Shape[Shape.size() - 2] % TileRows;
  return {tileFormat(W.getFormat()), Shape.back(),
          bufferOf(Y).getElement().isF32(), Last && Rest ? Rest : TileRows};
}

/// Emits the functions for whole tiles and, where there is one, for the last.
static void needProducts(KernelBuilder &K, WeightType W, Value Y) {
  assert(productScratchBytes(W.getShape().back()) <=
             kern::getProductScratchBytes(W.getShape().back()) &&
         "the plan gives products less scratch than they use");
  if (W.getShape()[W.getShape().size() - 2] >= TileRows)
    needTileProduct(K, shapeOf(W, Y, false));
  needTileProduct(K, shapeOf(W, Y, true));
}

/// Tiles [From, To) of one matrix with the rows [Lo, Hi); `Address` is of
/// tile From.
static void someTiles(KernelBuilder &K, WeightType W, Value Y, Val Matrix,
                      Val From, Val To, Val Lo, Val Hi, RowAddress Address) {
  int64_t Size = kern::getTileBytes(W), Tiles = kern::getNumTiles(W);
  TileShape Whole = shapeOf(W, Y, false), Last = shapeOf(W, Y, true);
  Val First = Matrix + From * Size;
  if (Last.rows == TileRows)
    return multiplyTiles(K, Whole, {First, To - From, Lo, Hi, Address});
  Val Full = min(To, K.c64(Tiles - 1));
  if (Tiles > 1)
    multiplyTiles(K, Whole,
                  {First, max(Full - From, K.c64(0)), Lo, Hi, Address});
  K.ifThen(To == Tiles, [&] {
    Val Before = (Full - From) * Whole.resultBytes();
    multiplyTiles(K, Last,
                  {Matrix + Full * Size, K.c64(1), Lo, Hi, [&](Val Row) {
                     auto [X, Y] = Address(Row);
                     return std::pair(X, Y + Before);
                   }});
  });
}

/// Body(i, from, to) for the parts [from, to) of [Lo, Hi) in each of the
/// stretches of `Size` items: all that one call has to do at once.
static void forStretches(KernelBuilder &K, Val Lo, Val Hi, int64_t Size,
                         llvm::function_ref<void(Val, Val, Val)> Body) {
  K.forRange(Lo / Size, (Hi + (Size - 1)) / Size, 1, [&](Val I) {
    Val Begin = I * Size;
    Body(I, max(Lo - Begin, K.c64(0)), min(Hi - Begin, K.c64(Size)));
  });
}

static void emitJob(KernelBuilder &K, kern::LinearOp Op, unsigned Job,
                    int64_t First, Val Rows) {
  Value XV = Op.getX(Job), YV = Op.getY(Job);
  auto W = cast<WeightType>(Op.getW(Job).getType());
  int64_t Inner = W.getShape()[1];
  int64_t PerGroup = Op.getTiles(Job) / Op.getGroups()[Job];
  int64_t TileResult = TileRows * bufferOf(YV).getElementBytes();
  Val Lo = max(K.begin() - First, K.c64(0));
  Val Hi = max(min(K.end() - First, K.c64(Op.getTiles(Job))), Lo);
  forStretches(K, Lo, Hi, PerGroup, [&](Val Group, Val From, Val To) {
    Val Tile = Group * PerGroup;
    Val X = K.operand(3 * Job) + Group * (Inner * 2);
    Val Y = K.operand(3 * Job + 2) + (Tile + From) * TileResult;
    someTiles(K, W, YV, K.operand(3 * Job + 1), Tile + From, Tile + To,
              K.c64(0), Rows, [&](Val Row) {
                return std::pair(X + Row * rowBytes(XV),
                                 Y + Row * rowBytes(YV));
              });
  });
}

void emitLinear(KernelBuilder &K, Operation *Phase, llvm::StringRef Name) {
  auto Op = cast<kern::LinearOp>(Phase);
  for (unsigned Job = 0; Job < Op.getNumJobs(); ++Job)
    needProducts(K, cast<WeightType>(Op.getW(Job).getType()), Op.getY(Job));
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
  int64_t Matrices = Op.getWOther() ? 2 : 1; // of an expert
  needProducts(K, W, Op.getY());
  K.beginKernel(Name, Op->getNumOperands());

  // Operand table: x, lists, w, w_other?, y, y_other?.
  Val X = K.operand(0), Lists = K.operand(1);
  int64_t RowBytes = rowBytes(Op.getY());
  forStretches(K, K.begin(), K.end(), Tiles, [&](Val I, Val From, Val To) {
    Val Active = I / Matrices;
    Val Expert = K.sext64(K.loadI32(Lists + (Active + 1) * 4));
    Val Weight = K.operand(2), Y = K.operand(Matrices + 2);
    if (Matrices == 2) {
      Val IsOther = I % 2 == 1;
      Weight = select(IsOther, K.operand(3), Weight);
      Y = select(IsOther, K.operand(5), Y);
    }
    Val Lo = K.sext64(K.loadI32(Lists + (Active + (1 + Experts)) * 4));
    Val Hi = K.sext64(K.loadI32(Lists + (Active + (2 + Experts)) * 4));
    Val Slots = Lists + (2 + 2 * Experts) * 4;
    someTiles(K, W, Op.getY(), Weight + Expert * Matrix, From, To, Lo, Hi,
              [&](Val R) {
                Val Slot = K.sext64(K.loadI32(Slots + R * 4));
                Val Row = PerToken == 1 ? Slot : Slot / PerToken;
                return std::pair(X + Row * rowBytes(Op.getX()),
                                 Y + (Slot * RowBytes + From * (TileRows * 2)));
              });
  });
  K.endFunction();
}

} // namespace dsv4::cpu
