// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operators and conversions of the kernel language: one MLIR operation each,
// except the BF16 conversions, which are integer arithmetic (the same bits at
// every ISA level, whatever instructions there are).

#include "targets/cpu/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace dsv4::cpu {

static bool isFloat(Val A) {
  return isa<FloatType>(getElementTypeOrSelf(A.type()));
}

static bool isPointer(Val A) { return isa<LLVM::LLVMPointerType>(A.type()); }

/// `A` or `B` broadcast where only one of them is a vector.
static void matchShapes(Val &A, Val &B) {
  auto VA = dyn_cast<VectorType>(A.type()), VB = dyn_cast<VectorType>(B.type());
  if (VA && !VB && !isPointer(B))
    B = A.builder().splat(B, VA.getNumElements());
  if (VB && !VA && !isPointer(A))
    A = A.builder().splat(A, VB.getNumElements());
}

template <class FloatOp, class IntOp> static Val binary(Val A, Val B) {
  matchShapes(A, B);
  KernelBuilder &K = A.builder();
  Value R;
  if (isFloat(A))
    R = FloatOp::create(K.builder(), K.loc(), A.value(), B.value());
  else
    R = IntOp::create(K.builder(), K.loc(), A.value(), B.value());
  return K.wrap(R);
}

template <class IntOp> static Val integer(Val A, Val B) {
  matchShapes(A, B);
  KernelBuilder &K = A.builder();
  return K.wrap(IntOp::create(K.builder(), K.loc(), A.value(), B.value()));
}

Val Val::like(int64_t C) const {
  return K->constant(isPointer(*this) ? K->i64() : type(), C);
}
Val Val::like(double C) const { return K->constant(type(), C); }

Val operator+(Val A, Val B) {
  if (!isPointer(A))
    return binary<arith::AddFOp, arith::AddIOp>(A, B);
  KernelBuilder &K = A.builder();
  return K.wrap(LLVM::GEPOp::create(K.builder(), K.loc(), K.ptr(), K.i8(),
                                    A.value(), ArrayRef<Value>{B.value()}));
}
Val operator-(Val A, Val B) {
  return binary<arith::SubFOp, arith::SubIOp>(A, B);
}
Val operator*(Val A, Val B) {
  return binary<arith::MulFOp, arith::MulIOp>(A, B);
}
Val operator/(Val A, Val B) {
  return binary<arith::DivFOp, arith::DivSIOp>(A, B);
}
Val operator%(Val A, Val B) { return integer<arith::RemSIOp>(A, B); }
Val operator&(Val A, Val B) { return integer<arith::AndIOp>(A, B); }
Val operator|(Val A, Val B) { return integer<arith::OrIOp>(A, B); }
Val operator^(Val A, Val B) { return integer<arith::XOrIOp>(A, B); }
Val operator<<(Val A, Val B) { return integer<arith::ShLIOp>(A, B); }
Val operator>>(Val A, Val B) { return integer<arith::ShRUIOp>(A, B); }

Val operator-(Val A) {
  KernelBuilder &K = A.builder();
  if (!isFloat(A))
    return A.like(int64_t(0)) - A;
  return K.wrap(arith::NegFOp::create(K.builder(), K.loc(), A.value()));
}

static Val compare(Val A, Val B, arith::CmpFPredicate F,
                   arith::CmpIPredicate I) {
  matchShapes(A, B);
  KernelBuilder &K = A.builder();
  Value R;
  if (isFloat(A))
    R = arith::CmpFOp::create(K.builder(), K.loc(), F, A.value(), B.value());
  else
    R = arith::CmpIOp::create(K.builder(), K.loc(), I, A.value(), B.value());
  return K.wrap(R);
}

using CF = arith::CmpFPredicate;
using CI = arith::CmpIPredicate;
Val operator<(Val A, Val B) { return compare(A, B, CF::OLT, CI::slt); }
Val operator<=(Val A, Val B) { return compare(A, B, CF::OLE, CI::sle); }
Val operator>(Val A, Val B) { return compare(A, B, CF::OGT, CI::sgt); }
Val operator>=(Val A, Val B) { return compare(A, B, CF::OGE, CI::sge); }
Val operator==(Val A, Val B) { return compare(A, B, CF::OEQ, CI::eq); }
Val operator!=(Val A, Val B) { return compare(A, B, CF::UNE, CI::ne); }

Val fma(Val A, Val B, Val C) {
  matchShapes(A, C);
  matchShapes(B, C);
  matchShapes(A, B);
  KernelBuilder &K = A.builder();
  return K.wrap(math::FmaOp::create(K.builder(), K.loc(), A.value(), B.value(),
                                    C.value()));
}
Val sqrt(Val A) {
  KernelBuilder &K = A.builder();
  return K.wrap(math::SqrtOp::create(K.builder(), K.loc(), A.value()));
}
Val abs(Val A) {
  KernelBuilder &K = A.builder();
  return K.wrap(math::AbsFOp::create(K.builder(), K.loc(), A.value()));
}
Val select(Val Cond, Val A, Val B) {
  matchShapes(A, B);
  KernelBuilder &K = A.builder();
  return K.wrap(arith::SelectOp::create(K.builder(), K.loc(), Cond.value(),
                                        A.value(), B.value()));
}
Val max(Val A, Val B) {
  matchShapes(A, B);
  return select(A > B, A, B);
}
Val min(Val A, Val B) {
  matchShapes(A, B);
  return select(A < B, A, B);
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

/// `Element` with the lanes of `T`.
static Type withElement(Type T, Type Element) {
  if (auto V = dyn_cast<VectorType>(T))
    return V.clone(Element);
  return Element;
}

template <class Op> static Val convert(Val V, Type Element) {
  KernelBuilder &K = V.builder();
  return K.wrap(Op::create(K.builder(), K.loc(), withElement(V.type(), Element),
                           V.value()));
}

Val KernelBuilder::zext(Val V, Type E) { return convert<arith::ExtUIOp>(V, E); }
Val KernelBuilder::sext(Val V, Type E) { return convert<arith::ExtSIOp>(V, E); }
Val KernelBuilder::trunc(Val V, Type E) {
  return convert<arith::TruncIOp>(V, E);
}
Val KernelBuilder::toFloat(Val V) { return convert<arith::SIToFPOp>(V, f32()); }
Val KernelBuilder::toDouble(Val V) {
  return isFloat(V) ? convert<arith::ExtFOp>(V, f64())
                    : convert<arith::SIToFPOp>(V, f64());
}
Val KernelBuilder::toSingle(Val V) {
  return convert<arith::TruncFOp>(V, f32());
}
Val KernelBuilder::toInt(Val V, Type E) {
  return convert<arith::FPToSIOp>(V, E);
}
Val KernelBuilder::asInt(Val V) {
  bool Wide = getElementTypeOrSelf(V.type()).isF64();
  return convert<arith::BitcastOp>(V, Wide ? i64() : i32());
}
Val KernelBuilder::asFloat(Val V) {
  bool Wide = getElementTypeOrSelf(V.type()).isInteger(64);
  return convert<arith::BitcastOp>(V, Wide ? f64() : f32());
}

Val KernelBuilder::bitcast(Val V, Type T) {
  return wrap(LLVM::BitcastOp::create(B, Loc, T, V.value()));
}

Val KernelBuilder::bf16ToF32(Val Bits) {
  return asFloat(zext(Bits, i32()) << 16);
}

Val KernelBuilder::f32ToBf16(Val V) {
  Val Bits = asInt(V);
  Val Odd = (Bits >> 16) & 1;
  return trunc((Bits + Odd + 0x7fff) >> 16, i16());
}

Val KernelBuilder::roundBf16(Val V) {
  Val Bits = asInt(V);
  Val Odd = (Bits >> 16) & 1;
  return asFloat((Bits + Odd + 0x7fff) & int64_t(0xffff0000));
}

} // namespace dsv4::cpu
