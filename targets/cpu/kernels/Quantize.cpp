// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.quantize: fake quantisation to E4M3 in blocks of 128 (numerics R15).

#include "targets/cpu/kernels/Kernels.h"
#include "targets/cpu/kernels/QuantizeBlock.h"

using namespace mlir;

namespace dsv4::cpu {

void quantizeBlock(KernelBuilder &K, Vals &X) {
  Val Largest = abs(X[0]);
  for (Val V : llvm::drop_begin(X))
    Largest = max(Largest, abs(V));
  Val Amax = max(K.laneMax(Largest), K.cf(1e-4f));
  BlockScale Scale = K.blockScale(Amax * K.cf(1.0f / 448.0f));
  Val Times = K.splat(Scale.scale), Inverse = K.splat(Scale.inverse);
  for (Val &V : X)
    V = K.roundE4m3(V * Inverse) * Times;
}

void quantizeRow(KernelBuilder &K, Val From, Val To, int64_t N) {
  K.forRange(K.c64(0), K.c64(N), QuantBlock, [&](Val I) {
    Vals X;
    for (int64_t L = 0; L < QuantBlock; L += K.Lanes)
      X.push_back(K.loadBf16(From + I * 2 + L * 2, K.Lanes));
    quantizeBlock(K, X);
    for (int64_t L = 0; L < QuantBlock; L += K.Lanes)
      K.storeBf16(To + I * 2 + L * 2, X[L / K.Lanes]);
  });
}

void emitQuantize(KernelBuilder &K, Operation *Phase, llvm::StringRef Name) {
  // Items are token x block, and rows are dense: item i is the i-th block.
  K.beginKernel(Name, Phase->getNumOperands());
  K.forItems([&](Val Item) {
    Val Offset = Item * (QuantBlock * 2);
    quantizeRow(K, K.operand(0) + Offset, K.operand(1) + Offset, QuantBlock);
  });
  K.endFunction();
}

} // namespace dsv4::cpu
