// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Emitters of the phases other than the matrix products: each writes the body
// of its kernel; emitPhase() puts the function around it.

#ifndef DSV4_TARGETS_CPU_KERNELS_PHASES_H
#define DSV4_TARGETS_CPU_KERNELS_PHASES_H

#include "targets/cpu/kernels/Kernels.h"

namespace dsv4::cpu {

void emitRopeTable(KernelBuilder &K, kern::RopeTableOp Op);
void emitEmbed(KernelBuilder &K, kern::EmbedOp Op);
void emitNormQuant(KernelBuilder &K, kern::NormQuantOp Op);
void emitHcMix(KernelBuilder &K, kern::HcMixOp Op);
void emitHcPre(KernelBuilder &K, kern::HcPreOp Op);
void emitHcHead(KernelBuilder &K, kern::HcHeadOp Op);
void emitQueryHeads(KernelBuilder &K, kern::QueryHeadsOp Op);
void emitStoreKv(KernelBuilder &K, kern::StoreKvOp Op);
void emitIndexQuery(KernelBuilder &K, kern::IndexQueryOp Op);
void emitCompress(KernelBuilder &K, kern::CompressOp Op);
void emitCarry(KernelBuilder &K, kern::CarryOp Op);
void emitIndexScore(KernelBuilder &K, kern::IndexScoreOp Op);
void emitTopK(KernelBuilder &K, kern::TopKOp Op);
void emitAttend(KernelBuilder &K, kern::AttendOp Op);
void emitRoute(KernelBuilder &K, kern::RouteOp Op);
void emitDispatch(KernelBuilder &K, kern::DispatchOp Op);
void emitSwiglu(KernelBuilder &K, kern::SwigluOp Op);
void emitCombine(KernelBuilder &K, kern::CombineOp Op);

/// A KernelEmitter from the body emitter of one op.
template <class OpT, void (*Body)(KernelBuilder &, OpT)>
void emitPhase(KernelBuilder &K, mlir::Operation *Phase, llvm::StringRef Name) {
  K.beginKernel(Name, Phase->getNumOperands());
  Body(K, llvm::cast<OpT>(Phase));
  K.endFunction();
}

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_KERNELS_PHASES_H
