// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops, branches and lane operations of the kernel language.

#include "targets/cpu/KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace dsv4::cpu {

static SmallVector<Value> valuesOf(ArrayRef<Val> From) {
  SmallVector<Value> Out;
  for (Val V : From)
    Out.push_back(V.value());
  return Out;
}

static Vals valsOf(ValueRange From, KernelBuilder &K) {
  Vals Out;
  for (Value V : From)
    Out.push_back(K.wrap(V));
  return Out;
}

void KernelBuilder::forRange(Val Lo, Val Hi, int64_t Step,
                             llvm::function_ref<void(Val)> Body) {
  forRange(Lo, Hi, Step, {}, [&](Val I, ArrayRef<Val>) {
    Body(I);
    return Vals();
  });
}

Vals KernelBuilder::forRange(
    Val Lo, Val Hi, int64_t Step, ArrayRef<Val> Init,
    llvm::function_ref<Vals(Val, ArrayRef<Val>)> Body) {
  auto For = scf::ForOp::create(B, Loc, Lo.value(), Hi.value(),
                                c64(Step).value(), valuesOf(Init));
  OpBuilder::InsertionGuard Guard(B);
  Block *Block = For.getBody();
  if (Init.empty())
    B.setInsertionPoint(Block->getTerminator());
  else
    B.setInsertionPointToStart(Block);
  Vals Next =
      Body(wrap(For.getInductionVar()), valsOf(For.getRegionIterArgs(), *this));
  if (!Init.empty())
    scf::YieldOp::create(B, Loc, valuesOf(Next));
  return valsOf(For.getResults(), *this);
}

void KernelBuilder::ifThen(Val Cond, llvm::function_ref<void()> Then) {
  auto If = scf::IfOp::create(B, Loc, Cond.value(), /*withElseRegion=*/false);
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPoint(If.thenBlock()->getTerminator());
  Then();
}

void KernelBuilder::ifOneOf(Val Count, int64_t Most,
                            llvm::function_ref<void(int64_t)> Body) {
  for (int64_t N = 1; N <= Most; ++N)
    ifThen(Count == N, [&] { Body(N); });
}

void KernelBuilder::ifElse(Val Cond, llvm::function_ref<void()> Then,
                           llvm::function_ref<void()> Else) {
  auto If = scf::IfOp::create(B, Loc, Cond.value(), /*withElseRegion=*/true);
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPoint(If.thenBlock()->getTerminator());
  Then();
  B.setInsertionPoint(If.elseBlock()->getTerminator());
  Else();
}

Vals KernelBuilder::choose(Val Cond, llvm::function_ref<Vals()> Then,
                           llvm::function_ref<Vals()> Else) {
  // The result types are known only after the first branch is built: build
  // both in detached blocks, then move them into the op.
  Block ThenBlock, ElseBlock;
  SmallVector<Value> ThenValues, ElseValues;
  {
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointToStart(&ThenBlock);
    ThenValues = valuesOf(Then());
    scf::YieldOp::create(B, Loc, ThenValues);
    B.setInsertionPointToStart(&ElseBlock);
    ElseValues = valuesOf(Else());
    scf::YieldOp::create(B, Loc, ElseValues);
  }
  auto If = scf::IfOp::create(B, Loc, TypeRange(ValueRange(ThenValues)),
                              Cond.value(), /*addThenBlock=*/true,
                              /*addElseBlock=*/true);
  auto Move = [](Block &From, Block *To) {
    To->getOperations().splice(To->end(), From.getOperations());
  };
  Move(ThenBlock, If.thenBlock());
  Move(ElseBlock, If.elseBlock());
  return valsOf(If.getResults(), *this);
}

Vals KernelBuilder::whileLoop(ArrayRef<Val> Init,
                              llvm::function_ref<Val(ArrayRef<Val>)> Cond,
                              llvm::function_ref<Vals(ArrayRef<Val>)> Body) {
  SmallVector<Value> Inits = valuesOf(Init);
  TypeRange Types = ValueRange(Inits).getTypes();
  auto While = scf::WhileOp::create(B, Loc, Types, Inits);
  SmallVector<Location> Locs(Inits.size(), Loc);
  OpBuilder::InsertionGuard Guard(B);
  Block *Before = B.createBlock(&While.getBefore(), {}, Types, Locs);
  Val Go = Cond(valsOf(Before->getArguments(), *this));
  scf::ConditionOp::create(B, Loc, Go.value(), Before->getArguments());
  Block *After = B.createBlock(&While.getAfter(), {}, Types, Locs);
  Vals Next = Body(valsOf(After->getArguments(), *this));
  scf::YieldOp::create(B, Loc, valuesOf(Next));
  return valsOf(While.getResults(), *this);
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

Val KernelBuilder::splat(Val Scalar, int64_t N) {
  if (N == 1)
    return Scalar;
  return wrap(vector::BroadcastOp::create(B, Loc, vec(N, Scalar.type()),
                                          Scalar.value()));
}

Val KernelBuilder::lane(Val V, int64_t I) { return lane(V, c64(I)); }

Val KernelBuilder::lane(Val V, Val I) {
  return wrap(LLVM::ExtractElementOp::create(B, Loc, V.value(), I.value()));
}

Val KernelBuilder::withLane(Val V, Val Scalar, int64_t I) {
  return wrap(LLVM::InsertElementOp::create(B, Loc, V.value(), Scalar.value(),
                                            c64(I).value()));
}

Val KernelBuilder::shuffle(Val A, Val B2, ArrayRef<int64_t> Mask) {
  return wrap(vector::ShuffleOp::create(B, Loc, A.value(), B2.value(), Mask));
}

/// The lower and the upper half of a vector.
static std::pair<Val, Val> halves(KernelBuilder &K, Val V) {
  int64_t Half = cast<VectorType>(V.type()).getNumElements() / 2;
  SmallVector<int64_t> Low, High;
  for (int64_t I = 0; I < Half; ++I) {
    Low.push_back(I);
    High.push_back(Half + I);
  }
  return {K.shuffle(V, V, Low), K.shuffle(V, V, High)};
}

Val KernelBuilder::laneSum(Val V) {
  while (cast<VectorType>(V.type()).getNumElements() > 1) {
    auto [Low, High] = halves(*this, V);
    V = Low + High;
  }
  return lane(V, 0);
}

Val KernelBuilder::laneMax(Val V) {
  while (cast<VectorType>(V.type()).getNumElements() > 1) {
    auto [Low, High] = halves(*this, V);
    V = max(Low, High);
  }
  return lane(V, 0);
}

} // namespace dsv4::cpu
