// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a function of the kernels is, in words, for the dump of hot loops.

#ifndef DSV4_TARGETS_CPU_DUMP_KERNELWORDS_H
#define DSV4_TARGETS_CPU_DUMP_KERNELWORDS_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace dsv4::cpu {

/// The parts of a helper's name in words: "direct_fp4_k4096_x1_t4_bf16" is
/// "tiles straight from packed weights, FP4 weights, K = 4096, 1 row, 4 tiles,
/// BF16 results". Parts that it does not know stay as they are.
std::string helperWords(llvm::StringRef Name);

} // namespace dsv4::cpu

#endif // DSV4_TARGETS_CPU_DUMP_KERNELWORDS_H
