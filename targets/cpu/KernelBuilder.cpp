// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions, the step's fields, constants and memory of the kernel language.

#include "targets/cpu/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "runtime/abi/program.h"
#include "targets/common/TileConfigs.h"

#include <cstddef>

using namespace mlir;

namespace dsv4::cpu {

KernelBuilder::KernelBuilder(ModuleOp Module, const TargetDesc &Target,
                             const dsv4::Tuning &Tuning)
    : Module(Module), B(Module.getContext()), Loc(Module.getLoc()),
      Level(Target.level), Order(Target.order),
      Choices(
          mergeTuning(legalTuning(Target, Tuning), heuristicTuning(Target))) {}

int64_t KernelBuilder::prefetchBytes(TileFormat Format) const {
  return std::max<int64_t>(Choices.prefetchBytes[int(Format)], 0);
}

Type KernelBuilder::ptr() { return LLVM::LLVMPointerType::get(B.getContext()); }

Type KernelBuilder::vec(int64_t N, Type Element) {
  return N == 1 ? Element : VectorType::get({N}, Element);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static func::FuncOp startFunction(OpBuilder &B, ModuleOp Module, Location Loc,
                                  StringRef Name, ArrayRef<Type> Types) {
  B.setInsertionPointToEnd(Module.getBody());
  auto F = func::FuncOp::create(B, Loc, Name, B.getFunctionType(Types, {}));
  B.setInsertionPointToStart(F.addEntryBlock());
  return F;
}

void KernelBuilder::beginKernel(StringRef Name, unsigned NumOperands) {
  beginHelper(Name, {ptr(), ptr(), i64(), i64(), ptr()});
  Module.lookupSymbol<func::FuncOp>(Name).setPublic();
  Operands.clear();
  auto Table = touching("operands");
  for (unsigned I = 0; I < NumOperands; ++I)
    Operands.push_back(load(ptr(), Params[1] + 8 * int64_t(I)));
}

void KernelBuilder::beginHelper(StringRef Name, ArrayRef<Type> Types) {
  func::FuncOp F = startFunction(B, Module, Loc, Name, Types);
  F.setPrivate();
  Params.clear();
  Masks.clear();
  Entry = &F.front();
  Role = MemoryRole();
  Role.function = Name.str();
  for (Value Argument : F.getArguments())
    Params.push_back(wrap(Argument));
}

void KernelBuilder::endFunction() { func::ReturnOp::create(B, Loc); }

bool KernelBuilder::hasFunction(StringRef Name) {
  return Module.lookupSymbol(Name) != nullptr;
}

void KernelBuilder::call(StringRef Name, ArrayRef<Val> Args) {
  SmallVector<Value> Values;
  for (Val Arg : Args)
    Values.push_back(Arg.value());
  func::CallOp::create(B, Loc, Name, TypeRange{}, Values);
}

void KernelBuilder::forItems(llvm::function_ref<void(Val)> Body) {
  forRange(begin(), end(), 1, Body);
}

//===----------------------------------------------------------------------===//
// The step
//===----------------------------------------------------------------------===//

Val KernelBuilder::stepI64(int64_t Offset) {
  auto Step = touching("step");
  return load(i64(), Params[0] + Offset);
}

Val KernelBuilder::stepRow(int64_t Offset, Val Row) {
  auto Step = touching("step");
  Val Array = load(ptr(), Params[0] + Offset);
  return sext64(loadI32(Array + Row * 4));
}

Val KernelBuilder::stateOf(unsigned I, Val Row) {
  return operand(I) +
         sequence(Row) * stepI64(offsetof(dsv4_step, state_stride));
}

Val KernelBuilder::tokens() { return stepI64(offsetof(dsv4_step, tokens)); }
Val KernelBuilder::outputs() { return stepI64(offsetof(dsv4_step, outputs)); }
Val KernelBuilder::context() { return stepI64(offsetof(dsv4_step, context)); }
Val KernelBuilder::maxPosition() {
  return stepI64(offsetof(dsv4_step, max_position));
}
Val KernelBuilder::token(Val Row) {
  return stepRow(offsetof(dsv4_step, token), Row);
}
Val KernelBuilder::position(Val Row) {
  return stepRow(offsetof(dsv4_step, position), Row);
}
Val KernelBuilder::sequence(Val Row) {
  return stepRow(offsetof(dsv4_step, sequence), Row);
}
Val KernelBuilder::firstRow(Val Row) {
  return stepRow(offsetof(dsv4_step, first_row), Row);
}
Val KernelBuilder::endRow(Val Row) {
  return stepRow(offsetof(dsv4_step, end_row), Row);
}
Val KernelBuilder::outputRow(Val Output) {
  return stepRow(offsetof(dsv4_step, output_row), Output);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Val KernelBuilder::constant(Type T, int64_t C) {
  Type Element = getElementTypeOrSelf(T);
  if (isa<FloatType>(Element))
    return constant(T, double(C));
  TypedAttr A = B.getIntegerAttr(Element, C);
  if (auto V = dyn_cast<VectorType>(T))
    A = DenseElementsAttr::get(V, A);
  return wrap(arith::ConstantOp::create(B, Loc, A));
}

Val KernelBuilder::constant(Type T, double C) {
  TypedAttr A = B.getFloatAttr(getElementTypeOrSelf(T), C);
  if (auto V = dyn_cast<VectorType>(T))
    A = DenseElementsAttr::get(V, A);
  return wrap(arith::ConstantOp::create(B, Loc, A));
}

template <class T>
static Value laneConstant(OpBuilder &B, Location Loc, Type Element,
                          ArrayRef<T> C) {
  auto V = VectorType::get({int64_t(C.size())}, Element);
  return arith::ConstantOp::create(B, Loc, DenseElementsAttr::get(V, C));
}

Val KernelBuilder::lanes(ArrayRef<float> C) {
  return wrap(laneConstant(B, Loc, f32(), C));
}
Val KernelBuilder::lanes(ArrayRef<int32_t> C) {
  return wrap(laneConstant(B, Loc, i32(), C));
}
Val KernelBuilder::lanes16(ArrayRef<int16_t> C) {
  return wrap(laneConstant(B, Loc, i16(), C));
}
Val KernelBuilder::lanes8(ArrayRef<int8_t> C) {
  return wrap(laneConstant(B, Loc, i8(), C));
}

Val KernelBuilder::constantArray(DenseElementsAttr Elements) {
  std::string Name = "table_" + std::to_string(NumConstants++);
  auto Shape = cast<ShapedType>(Elements.getType());
  LLVM::GlobalOp Global;
  {
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointToStart(Module.getBody());
    Global = LLVM::GlobalOp::create(
        B, Loc,
        LLVM::LLVMArrayType::get(Shape.getElementType(),
                                 Shape.getNumElements()),
        /*isConstant=*/true, LLVM::Linkage::Private, Name, Elements,
        /*alignment=*/64);
  }
  return wrap(LLVM::AddressOfOp::create(B, Loc, Global));
}

Val KernelBuilder::constantF32(ArrayRef<float> C) {
  auto T = RankedTensorType::get({int64_t(C.size())}, f32());
  return constantArray(DenseElementsAttr::get(T, C));
}
Val KernelBuilder::constantF64(ArrayRef<double> C) {
  auto T = RankedTensorType::get({int64_t(C.size())}, f64());
  return constantArray(DenseElementsAttr::get(T, C));
}

Val KernelBuilder::constantI32(ArrayRef<int32_t> C) {
  auto T = RankedTensorType::get({int64_t(C.size())}, i32());
  return constantArray(DenseElementsAttr::get(T, C));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static unsigned naturalAlign(Type T) {
  Type Element = getElementTypeOrSelf(T);
  return isa<LLVM::LLVMPointerType>(Element)
             ? 8
             : std::max(1u, Element.getIntOrFloatBitWidth() / 8);
}

Val KernelBuilder::load(Type T, Val Ptr, unsigned Align) {
  auto Op = LLVM::LoadOp::create(B, Loc, T, Ptr.value(),
                                 Align ? Align : naturalAlign(T));
  Op.setAliasScopesAttr(scopesOf(B.getContext(), Role));
  return wrap(Op);
}

void KernelBuilder::store(Val V, Val Ptr, unsigned Align) {
  auto Op = LLVM::StoreOp::create(B, Loc, V.value(), Ptr.value(),
                                  Align ? Align : naturalAlign(V.type()));
  Op.setAliasScopesAttr(scopesOf(B.getContext(), Role));
}

llvm::SaveAndRestore<MemoryRole> KernelBuilder::touching(StringRef What,
                                                         int64_t Bits) {
  return llvm::SaveAndRestore<MemoryRole>(
      Role, MemoryRole{What.str(), Bits, Role.function});
}

Val KernelBuilder::loadBf16(Val Ptr, int64_t N) {
  return bf16ToF32(load(vec(N, i16()), Ptr));
}

void KernelBuilder::storeBf16(Val Ptr, Val V) { store(f32ToBf16(V), Ptr); }

void KernelBuilder::prefetch(Val Ptr) {
  // Read, kept in all levels, data cache.
  LLVM::Prefetch::create(B, Loc, Ptr.value(), 0, 3, 1);
}

/// Inline assembly without an instruction.
static LLVM::InlineAsmOp emptyAsm(OpBuilder &B, Location Loc, TypeRange Results,
                                  ValueRange Args, StringRef Constraints,
                                  bool HasSideEffects) {
  return LLVM::InlineAsmOp::create(
      B, Loc, Results, Args, "", Constraints, HasSideEffects,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(B.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}

void KernelBuilder::keepOrder() { emptyAsm(B, Loc, {}, {}, "~{memory}", true); }

Val KernelBuilder::keepLanes(uint32_t Bits, Val Then) {
  Val &Mask = Masks[Bits];
  if (!Mask) {
    // A mask that LLVM knows becomes an AND with a vector, one more
    // instruction. Made once, at the function's entry.
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointToStart(Entry);
    auto Hidden = emptyAsm(B, Loc, i32(), c32(int32_t(Bits)).value(), "=r,0",
                           /*HasSideEffects=*/false);
    Mask = wrap(
        LLVM::BitcastOp::create(B, Loc, vec(32, i1()), Hidden.getResult(0)));
  }
  return select(Mask, Then, constant(Then.type(), int64_t(0)));
}

static SmallVector<Value> valuesOf(ArrayRef<Val> Args) {
  SmallVector<Value> Values;
  for (Val Arg : Args)
    Values.push_back(Arg.value());
  return Values;
}

void KernelBuilder::perform(StringRef Name, ArrayRef<Val> Args) {
  LLVM::CallIntrinsicOp::create(B, Loc, B.getStringAttr(Name), valuesOf(Args));
}

Val KernelBuilder::intrinsic(StringRef Name, Type Result, ArrayRef<Val> Args) {
  return wrap(LLVM::CallIntrinsicOp::create(
                  B, Loc, Result, B.getStringAttr(Name), valuesOf(Args))
                  .getResults());
}

} // namespace dsv4::cpu
