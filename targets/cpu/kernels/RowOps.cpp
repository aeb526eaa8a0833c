// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See RowOps.h. Orders of sums and roundings are those of runtime/numerics.

#include "targets/cpu/kernels/RowOps.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <algorithm>
#include <cmath>

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;

/// Every second element of an interleaved vector, from `First` on.
Val everySecond(KernelBuilder &K, Val V, int64_t Count, int64_t First) {
  llvm::SmallVector<int64_t> Mask;
  for (int64_t I = 0; I < Count; ++I)
    Mask.push_back(2 * I + First);
  return K.shuffle(V, V, Mask);
}

/// One butterfly step inside a vector: lanes I and I ^ Step. The lower lane
/// becomes partner + x, the upper one partner - x; the product with +-1 is
/// exact, so this is one addition.
Val butterfly(KernelBuilder &K, Val X, int64_t Step) {
  llvm::SmallVector<int64_t> Partner;
  llvm::SmallVector<float> Sign;
  for (int64_t I = 0; I < Lanes; ++I) {
    Partner.push_back(I ^ Step);
    Sign.push_back(I & Step ? -1.0f : 1.0f);
  }
  return fma(X, K.lanes(Sign), K.shuffle(X, X, Partner));
}

} // namespace

Val stackBuffer(KernelBuilder &K, int64_t Bytes) {
  mlir::OpBuilder &B = K.builder();
  mlir::OpBuilder::InsertionGuard Guard(B);
  // In the entry block: an alloca inside a loop would grow the stack.
  auto Function = B.getInsertionBlock()
                      ->getParentOp()
                      ->getParentOfType<mlir::FunctionOpInterface>();
  if (!Function)
    Function = llvm::cast<mlir::FunctionOpInterface>(
        B.getInsertionBlock()->getParentOp());
  B.setInsertionPointToStart(&Function.getFunctionBody().front());
  Val Size = K.c64(Bytes);
  mlir::Value Buffer = mlir::LLVM::AllocaOp::create(B, K.loc(), K.ptr(), K.i8(),
                                                    Size.value(), 64);
  return K.wrap(Buffer);
}

Val sumOfSquares(KernelBuilder &K, Val Row, int64_t N) {
  Vals Acc = K.forRange(K.c64(0), K.c64(N / Lanes), 1, {K.vf(0)},
                        [&](Val I, llvm::ArrayRef<Val> It) {
                          Val X = K.loadBf16(Row + I * 32, Lanes);
                          return Vals{fma(X, X, It[0])};
                        });
  return K.laneSum(Acc[0]);
}

Val inverseRms(KernelBuilder &K, Val Sum, int64_t N, double Eps) {
  Val Mean = Sum / K.cf(float(N));
  return K.cf(1) / sqrt(Mean + K.cf(float(Eps)));
}

void scaleByNorm(KernelBuilder &K, Val Src, Val W, Val R, Val Dst, int64_t N) {
  Val Scale = K.splat(R);
  K.forRange(K.c64(0), K.c64(N / Lanes), 1, [&](Val I) {
    Val X = K.loadBf16(Src + I * 32, Lanes);
    K.storeBf16(Dst + I * 32, K.loadBf16(W + I * 32, Lanes) * (X * Scale));
  });
}

void rmsNormRow(KernelBuilder &K, Val Src, Val W, Val Dst, int64_t N,
                double Eps) {
  auto Role = K.touching("row");
  Val R = inverseRms(K, sumOfSquares(K, Src, N), N, Eps);
  scaleByNorm(K, Src, W, R, Dst, N);
}

Val scaleByte(KernelBuilder &K, Val Amax, float Smallest, float Reciprocal) {
  Val P = max(Amax, K.cf(Smallest)) * K.cf(Reciprocal);
  Val Bits = K.asInt(P);
  Val Up = select((Bits & 0x7fffff) == 0, K.c32(0), K.c32(1));
  return (Bits >> 23) + Up;
}

Val scaleValue(KernelBuilder &K, Val Byte) { return K.asFloat(Byte << 23); }

Val inverseScale(KernelBuilder &K, Val Byte) {
  return K.asFloat((254 - Byte) << 23);
}

Val largestMagnitude(KernelBuilder &K, Val Row, int64_t N) {
  Val Amax = K.vf(0);
  for (int64_t I = 0; I < N / Lanes; ++I)
    Amax = max(Amax, abs(K.loadBf16(Row + I * 32, Lanes)));
  return K.laneMax(Amax);
}

Val blockScaleE4M3(KernelBuilder &K, Val Row, int64_t N) {
  return scaleByte(K, largestMagnitude(K, Row, N), 1e-4f, float(1.0 / 448));
}

Val blockScaleE2M1(KernelBuilder &K, Val Row, int64_t N) {
  return scaleByte(K, largestMagnitude(K, Row, N), 6 * 0x1p-126f,
                   float(1.0 / 6));
}

Val quantizeE4M3(KernelBuilder &K, Val X, Val Inverse) {
  return K.roundE4m3(X * Inverse);
}

Val quantizeE2M1(KernelBuilder &K, Val X, Val Inverse) {
  return K.roundE2m1(X * Inverse);
}

void fakeQuantizeBlock(KernelBuilder &K, Val Src, Val Dst, int64_t N) {
  auto Role = K.touching("row");
  Val Byte = blockScaleE4M3(K, Src, N);
  Val Scale = K.splat(scaleValue(K, Byte));
  Val Inverse = K.splat(inverseScale(K, Byte));
  for (int64_t I = 0; I < N / Lanes; ++I) {
    Val Q = quantizeE4M3(K, K.loadBf16(Src + I * 32, Lanes), Inverse);
    K.storeBf16(Dst + I * 32, Q * Scale);
  }
}

void fakeQuantizeRow(KernelBuilder &K, Val Src, Val Dst, int64_t N) {
  K.forRange(K.c64(0), K.c64(N / 128), 1, [&](Val B) {
    fakeQuantizeBlock(K, Src + B * 256, Dst + B * 256, 128);
  });
}

void fakeQuantizeE2M1(KernelBuilder &K, Val Row, int64_t N) {
  auto Role = K.touching("row");
  for (int64_t Block = 0; Block < N; Block += 32) {
    Val Byte = blockScaleE2M1(K, Row + Block * 2, 32);
    Val Scale = K.splat(scaleValue(K, Byte));
    Val Inverse = K.splat(inverseScale(K, Byte));
    for (int64_t I = Block; I < Block + 32; I += Lanes) {
      Val Q = quantizeE2M1(K, K.loadBf16(Row + I * 2, Lanes), Inverse);
      K.storeBf16(Row + I * 2, Q * Scale);
    }
  }
}

void ropeRow(KernelBuilder &K, Val Row, Val Tab, int64_t R, bool Inverse) {
  auto Role = K.touching("rotary dims");
  for (int64_t Begin = 0; Begin < R / 2; Begin += Lanes) {
    int64_t Here = std::min(Lanes, R / 2 - Begin);
    Val Table = K.load(K.vec(2 * Here, K.f32()), Tab + Begin * 8);
    Val Cos = everySecond(K, Table, Here, 0);
    Val Sin = everySecond(K, Table, Here, 1);
    if (Inverse)
      Sin = -Sin;
    Val Pairs = K.load(K.vec(Here, K.i32()), Row + Begin * 4);
    Val A = K.asFloat(Pairs << 16);
    Val B = K.asFloat(Pairs & int32_t(0xffff0000));
    Val First = K.asInt(K.roundBf16(fma(A, Cos, -(B * Sin))));
    Val Second = K.asInt(K.roundBf16(fma(A, Sin, B * Cos)));
    K.store((First >> 16) | Second, Row + Begin * 4);
  }
}

void cosSinRow(KernelBuilder &K, Val Position, llvm::ArrayRef<float> Freqs,
               Val Tab) {
  for (int64_t Begin = 0; Begin < int64_t(Freqs.size()); Begin += Lanes) {
    int64_t Here = std::min(Lanes, int64_t(Freqs.size()) - Begin);
    Val Angle = K.splat(Position, Here) * K.lanes(Freqs.slice(Begin, Here));
    auto [Cos, Sin] = K.cosSin(Angle);
    llvm::SmallVector<int64_t> Interleave;
    for (int64_t I = 0; I < Here; ++I)
      Interleave.append({I, I + Here});
    K.store(K.shuffle(Cos, Sin, Interleave), Tab + Begin * 8);
  }
}

void hadamardRow(KernelBuilder &K, Val Row, int64_t N) {
  auto Role = K.touching("row");
  llvm::SmallVector<Val> Y;
  for (int64_t I = 0; I < N / Lanes; ++I) {
    Val X = K.loadBf16(Row + I * 32, Lanes);
    for (int64_t Step = 1; Step < Lanes; Step *= 2)
      X = butterfly(K, X, Step);
    Y.push_back(X);
  }
  for (size_t Step = 1; Step < Y.size(); Step *= 2)
    for (size_t I = 0; I < Y.size(); ++I)
      if (!(I & Step)) {
        Val A = Y[I], B = Y[I | Step];
        Y[I] = A + B;
        Y[I | Step] = A - B;
      }
  Val Scale = K.vf(float(1.0 / std::sqrt(double(N))));
  for (size_t I = 0; I < Y.size(); ++I)
    K.storeBf16(Row + int64_t(I) * 32, Y[I] * Scale);
}

} // namespace dsv4::cpu
