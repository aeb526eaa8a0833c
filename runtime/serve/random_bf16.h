// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pseudo-random inputs of self-test: the same on every machine.

#ifndef DSV4_RUNTIME_SERVE_RANDOM_BF16_H
#define DSV4_RUNTIME_SERVE_RANDOM_BF16_H

#include "runtime/numerics/formats.h"

namespace dsv4::serve {

class RandomBf16 {
public:
  uint64_t word() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state >> 20;
  }

  /// In about +-8, with many magnitudes.
  uint16_t next() {
    uint64_t bits = word();
    float x = float(int32_t(bits >> 20) - (1 << 23)) * 0x1p-20f;
    return num::floatToBf16(x * ((bits & 7) ? 1.0f : 0x1p-9f));
  }

private:
  uint64_t state = 1;
};

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_RANDOM_BF16_H
