// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pseudo-random contents of a tensor that a model can compute with: every code
// is a number, rows of matrices have a deviation of about 1 / sqrt(K), norms
// are near 1. The bytes depend on seed, name, dtype and shape alone.

#ifndef DSV4_COMPILER_SYNTH_SYNTHETICVALUES_H
#define DSV4_COMPILER_SYNTH_SYNTHETICVALUES_H

#include "compiler/import/Checkpoint.h"

#include "llvm/ADT/ArrayRef.h"

namespace dsv4 {

class SyntheticValues {
public:
  /// `Experts` is the number of routed experts, the range of hash routing ids;
  /// `Format` is theirs.
  SyntheticValues(const ExpectedTensor &Tensor, uint64_t Seed, int64_t Experts,
                  ExpertFormat Format);

  /// The next bytes of the tensor; sizes are multiples of a row of it (or of 64
  /// bytes where rows do not matter: all but the table of hash routing).
  void fill(llvm::MutableArrayRef<uint8_t> Out);

private:
  uint64_t next();
  void fillCodes(llvm::MutableArrayRef<uint8_t> Out, uint64_t Mask);
  void fillScales(llvm::MutableArrayRef<uint8_t> Out);
  void fillBf16(llvm::MutableArrayRef<uint8_t> Out);
  void fillF32(llvm::MutableArrayRef<uint8_t> Out);
  void fillIds(llvm::MutableArrayRef<uint8_t> Out);

  DType Type;
  int64_t Row; // elements of a row
  int64_t Experts;
  uint64_t State;
  float Centre = 0, Spread = 0; // of floats: Centre +- Spread, uniform
  uint8_t Scale = 127;          // of E8M0: this byte or the one above
};

} // namespace dsv4

#endif // DSV4_COMPILER_SYNTH_SYNTHETICVALUES_H
