// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One function per phase op of kern: which body, with which config, over which
// operands and blocks. Errors go to the builder.

#ifndef DSV4_TARGETS_CUDA_LOWER_PHASES_H
#define DSV4_TARGETS_CUDA_LOWER_PHASES_H

#include "targets/cuda/lower/ProgramBuilder.h"

namespace dsv4::cuda {

// LowerRows.cpp
void lower(ProgramBuilder &b, kern::EmbedOp op);
void lower(ProgramBuilder &b, kern::NormQuantOp op);
void lower(ProgramBuilder &b, kern::QuantizeOp op);
void lower(ProgramBuilder &b, kern::HcMixOp op);
void lower(ProgramBuilder &b, kern::HcPreOp op);
void lower(ProgramBuilder &b, kern::HcHeadOp op);

// LowerMoe.cpp
void lower(ProgramBuilder &b, kern::RouteOp op);
void lower(ProgramBuilder &b, kern::DispatchOp op);
void lower(ProgramBuilder &b, kern::SwigluOp op);
void lower(ProgramBuilder &b, kern::CombineOp op);

// LowerMatrix.cpp
void lower(ProgramBuilder &b, kern::LinearOp op);
void lower(ProgramBuilder &b, kern::ExpertLinearOp op);

// LowerAttention.cpp
void lower(ProgramBuilder &b, kern::RopeTableOp op);
void lower(ProgramBuilder &b, kern::QueryHeadsOp op);
void lower(ProgramBuilder &b, kern::IndexQueryOp op);
void lower(ProgramBuilder &b, kern::StoreKvOp op);
void lower(ProgramBuilder &b, kern::CompressOp op);
void lower(ProgramBuilder &b, kern::CarryOp op);
void lower(ProgramBuilder &b, kern::IndexScoreOp op);
void lower(ProgramBuilder &b, kern::TopKOp op);
void lower(ProgramBuilder &b, kern::AttendOp op);

/// Elements of a row of a buffer that does not grow with the context.
inline int64_t widthOf(mlir::Value buffer) {
  return llvm::cast<kern::BufferType>(buffer.getType()).getFixed();
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_LOWER_PHASES_H
