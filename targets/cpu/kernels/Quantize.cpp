// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.quantize: fake quantisation to E4M3 in blocks of 128 (numerics R15).

#include "targets/cpu/kernels/Kernels.h"
#include "targets/cpu/kernels/RowOps.h"

using namespace mlir;

namespace dsv4::cpu {

void emitQuantize(KernelBuilder &K, Operation *Phase, llvm::StringRef Name) {
  // Items are token x block, and rows are dense: item i is the i-th block.
  constexpr int64_t Block = 128;
  K.beginKernel(Name, Phase->getNumOperands());
  K.forItems([&](Val Item) {
    Val Offset = Item * (Block * 2);
    fakeQuantizeBlock(K, K.operand(0) + Offset, K.operand(1) + Offset, Block);
  });
  K.endFunction();
}

} // namespace dsv4::cpu
