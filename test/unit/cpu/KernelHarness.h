// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles kernels as the product does (same passes, same object file), loads
// the object into this process and calls it, at every level this CPU has.

#ifndef DSV4_TEST_UNIT_CPU_KERNELHARNESS_H
#define DSV4_TEST_UNIT_CPU_KERNELHARNESS_H

#include "compiler/tune/LoadedKernels.h"
#include "runtime/numerics/denormals.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace dsv4::cpu::test {

/// The levels that run here, lowest first.
std::vector<IsaLevel> levelsHere();

/// The target of a level (on this architecture).
TargetDesc targetOf(IsaLevel Level);

/// Denormals count as zero while one of these lives, as in the product.
using num::FlushDenormals;

/// Kernels in memory. Emission errors fail the running test and leave find()
/// null.
class LoadedKernels {
public:
  LoadedKernels(IsaLevel Level, llvm::function_ref<void(KernelBuilder &)> Emit,
                const Tuning &Tuning = dsv4::Tuning())
      : LoadedKernels(targetOf(Level), Emit, Tuning) {}
  LoadedKernels(const TargetDesc &Target,
                llvm::function_ref<void(KernelBuilder &)> Emit,
                const Tuning &Tuning = dsv4::Tuning());
  dsv4_kernel find(const char *Name);

private:
  std::optional<tune::LoadedKernels> Kernels;
};

/// One step with rows at ascending positions of sequence 0, all outputs wanted.
struct StepRows {
  explicit StepRows(int64_t Tokens, int64_t FirstPosition = 0);
  dsv4_step step;
  std::vector<int32_t> token, position, sequence, first, end, output;
};

/// 64-byte aligned memory, filled with 0xA5 beyond what is written.
class Buffer {
public:
  explicit Buffer(size_t Bytes);
  template <class T> T *as() { return reinterpret_cast<T *>(Start); }
  uint8_t *data() { return Start; }
  size_t size() const { return Bytes; }

private:
  size_t Bytes;
  std::unique_ptr<uint8_t[]> Storage;
  uint8_t *Start;
};

/// Nearest-even rounding to BF16, bits and value.
uint16_t toBf16(float F);
float fromBf16(uint16_t Bits);

/// Random BF16 bits with exponents from 2^-Spread to 2^Spread, some zeros.
void fillBf16(uint16_t *Out, size_t Count, int Spread, std::mt19937 &Random);

} // namespace dsv4::cpu::test

#endif // DSV4_TEST_UNIT_CPU_KERNELHARNESS_H
