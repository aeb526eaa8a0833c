// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases between the attention projections and attention itself: query heads,
// the window row, indexer heads (model.md 3.5 steps 2 to 5, 3.7 steps 1 to 3).

#include "targets/cpu/kernels/KvRows.h"
#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;

int64_t widthOf(mlir::Value Buffer) {
  return llvm::cast<kern::BufferType>(Buffer.getType()).getFixed();
}

/// Weightless RMS norm, every step rounded to BF16 (R12).
void headNorm(KernelBuilder &K, Val Src, Val Dst, int64_t N, double Eps) {
  Vals Acc = K.forRange(K.c64(0), K.c64(N / Lanes), 1, {K.vf(0)},
                        [&](Val I, llvm::ArrayRef<Val> It) {
                          Val X = K.loadBf16(Src + I * 32, Lanes);
                          return Vals{It[0] + K.roundBf16(X * X)};
                        });
  Val Mean = K.roundBf16(K.laneSum(Acc[0]) / K.cf(float(N)));
  Val Biased = K.roundBf16(Mean + K.cf(float(Eps)));
  Val R = K.splat(K.roundBf16(K.cf(1) / sqrt(Biased)));
  K.forRange(K.c64(0), K.c64(N / Lanes), 1, [&](Val I) {
    K.storeBf16(Dst + I * 32, K.loadBf16(Src + I * 32, Lanes) * R);
  });
}

} // namespace

void emitQueryHeads(KernelBuilder &K, kern::QueryHeadsOp Op) {
  int64_t Heads = Op.getHeads(), N = widthOf(Op.getQ()) / Heads;
  int64_t R = widthOf(Op.getTab());
  K.forItems([&](Val Item) {
    Val Token = Item / Heads;
    Val Q = K.operand(2) + Item * (N * 2);
    headNorm(K, K.operand(0) + Item * (N * 2), Q, N,
             Op.getEps().convertToDouble());
    ropeRow(K, Q + (N - R) * 2, K.operand(1) + Token * (R * 4), R, false);
  });
}

void emitStoreKv(KernelBuilder &K, kern::StoreKvOp Op) {
  int64_t D = widthOf(Op.getRaw()), R = widthOf(Op.getTab());
  auto Window = llvm::cast<kern::StateType>(Op.getWindow().getType());
  int64_t RowBytes = Window.getRowFormat().bytesPerRow();
  Val Row = stackBuffer(K, D * 2);
  K.forItems([&](Val Token) {
    rmsNormRow(K, K.operand(0) + Token * (D * 2), K.operand(1), Row, D,
               Op.getEps().convertToDouble());
    ropeRow(K, Row + (D - R) * 2, K.operand(2) + Token * (R * 4), R, false);
    Val Slot = K.position(Token) % Window.getExtent();
    packKvRow(K, Row, K.stateOf(3, Token) + Slot * RowBytes, D, R);
  });
}

void emitIndexQuery(KernelBuilder &K, kern::IndexQueryOp Op) {
  int64_t Heads = Op.getHeads(), N = widthOf(Op.getQ()) / Heads;
  int64_t R = widthOf(Op.getTab());
  K.forItems([&](Val Item) {
    Val Token = Item / Heads;
    Val Src = K.operand(0) + Item * (N * 2), Q = K.operand(2) + Item * (N * 2);
    for (int64_t I = 0; I < N; I += Lanes)
      K.store(K.load(K.vec(Lanes, K.i16()), Src + I * 2), Q + I * 2);
    ropeRow(K, Q + (N - R) * 2, K.operand(1) + Token * (R * 4), R, false);
    hadamardRow(K, Q, N);
    fakeQuantizeE2M1(K, Q, N);
  });
}

} // namespace dsv4::cpu
