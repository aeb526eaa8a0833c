// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A cubin as text for people and as JSON for tools: the same figures, in the
// order of the names of kernels.

#ifndef DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINREPORT_H
#define DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINREPORT_H

#include "targets/cuda/toolchain/CubinReader.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace dsv4::cuda {

struct ReportOptions {
  bool loops = false; // each natural loop with its own mix
};

void printReport(const Cubin &cubin, const ReportOptions &options,
                 llvm::raw_ostream &out);

llvm::json::Value reportJson(const Cubin &cubin, const ReportOptions &options);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_TOOLCHAIN_CUBINREPORT_H
