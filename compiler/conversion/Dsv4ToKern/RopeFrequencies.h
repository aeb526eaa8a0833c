// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary frequencies of a model's two bases, computed once at compile time.
// The interpreter and the lowering both take them from here.

#ifndef DSV4_COMPILER_CONVERSION_DSV4TOKERN_ROPEFREQUENCIES_H
#define DSV4_COMPILER_CONVERSION_DSV4TOKERN_ROPEFREQUENCIES_H

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace dsv4 {

/// Parameters as in #dsv4.rope; factor 0: no YaRN.
struct RopeParameters {
  int64_t dims, theta, factor, original, betaFast, betaSlow;
};

/// dims / 2 frequencies, every step rounded to f32 (model.md 3.4, numerics
/// R13).
llvm::SmallVector<float> getRopeFrequencies(const RopeParameters &Rope);

} // namespace dsv4

#endif // DSV4_COMPILER_CONVERSION_DSV4TOKERN_ROPEFREQUENCIES_H
