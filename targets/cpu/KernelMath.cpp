// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The numerics of the kernel language: what runtime/numerics/math.h computes
// for one float, written once for scalars and vectors, step for step in the
// same order, from the same coefficients.

#include "targets/cpu/KernelBuilder.h"

using namespace mlir;

namespace dsv4::cpu {

Val KernelBuilder::e8m0ToF32(Val Byte) { return asFloat(Byte << 23); }

} // namespace dsv4::cpu
