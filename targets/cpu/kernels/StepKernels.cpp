// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases at the edge of the step: rotary tables, embedding rows, norms.

#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

namespace dsv4::cpu {

void emitRopeTable(KernelBuilder &K, kern::RopeTableOp Op) {
  int64_t Bytes = Op.getFreqs().size() * 8;
  K.forItems([&](Val Token) {
    cosSinRow(K, K.toFloat(K.position(Token)), Op.getFreqs(),
              K.operand(0) + Token * Bytes);
  });
}

void emitEmbed(KernelBuilder &K, kern::EmbedOp Op) {
  auto Table = llvm::cast<qfmt::WeightType>(Op.getTable().getType());
  auto Streams = llvm::cast<kern::BufferType>(Op.getStreams().getType());
  int64_t D = Table.getShape()[1], Copies = Streams.getFixed() / D;
  K.forItems([&](Val Token) {
    Val Src = K.operand(0) + K.token(Token) * (D * 2);
    Val Dst = K.operand(1) + Token * (Copies * D * 2);
    K.forRange(K.c64(0), K.c64(D / 16), 1, [&](Val I) {
      auto Role = K.touching(WeightsRole, 16);
      Val X = K.load(K.vec(16, K.i16()), Src + I * 32);
      for (int64_t C = 0; C < Copies; ++C)
        K.store(X, Dst + I * 32 + C * D * 2);
    });
  });
}

void emitNormQuant(KernelBuilder &K, kern::NormQuantOp Op) {
  int64_t N = llvm::cast<kern::BufferType>(Op.getRaw().getType()).getFixed();
  double Eps = Op.getEps().convertToDouble();
  K.forItems([&](Val Token) {
    Val Offset = Token * (N * 2);
    Val First = K.operand(2) + Offset;
    rmsNormRow(K, K.operand(0) + Offset, K.operand(1), First, N, Eps);
    if (Op.getYq()) // in place where only the quantised copy is wanted
      fakeQuantizeRow(K, First, K.operand(Op.getY() ? 3 : 2) + Offset, N);
  });
}

} // namespace dsv4::cpu
