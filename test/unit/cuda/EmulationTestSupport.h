// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests of the emulator share: seeds, random elements, and a second
// decoder of small floats that knows nothing of the emulator's.

#ifndef DSV4_TEST_UNIT_CUDA_EMULATIONTESTSUPPORT_H
#define DSV4_TEST_UNIT_CUDA_EMULATIONTESTSUPPORT_H

#include "targets/cuda/device/ptx.h"
#include "test/unit/cuda/Executor.h"

#include "gtest/gtest.h"

#include <cmath>
#include <random>
#include <vector>

namespace dsv4::cuda::test {

// Not the whole namespace: its hooks are named like the wrappers.
using emu::FaultKind;

constexpr u64 seeds = 24;

struct Outcome {
  Result result;
  std::vector<float> values;
};

/// One launch; the kernel takes no arguments.
template <class K>
Result runOne(u64 seed, Dim grid, Dim block, u32 shared, K kernel) {
  Emulator emu({.seed = seed});
  emu.launch("kernel", grid, block, shared, kernel);
  return emu.run();
}

/// A number from sign, exponent and mantissa, written as in the formats' own
/// tables and without any of the emulator's code.
inline double smallFloat(u32 bits, int exponentBits, int mantissaBits) {
  int bias = (1 << (exponentBits - 1)) - 1;
  int mantissa = int(bits & ((1u << mantissaBits) - 1));
  int exponent = int(bits >> mantissaBits) & ((1 << exponentBits) - 1);
  double value = exponent == 0
                     ? mantissa * std::pow(2.0, 1 - bias - mantissaBits)
                     : ((1 << mantissaBits) + mantissa) *
                           std::pow(2.0, exponent - bias - mantissaBits);
  return bits >> (exponentBits + mantissaBits) & 1 ? -value : value;
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_EMULATIONTESTSUPPORT_H
