// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SHA-256 of a stream at the speed of a disk: with the SHA instructions of
// x86-64 where this CPU has them, else LLVM's portable code. LLVM's alone would
// make hashing the slowest part of writing 160 GB of weights.

#ifndef DSV4_TARGETS_COMMON_SHA256_H
#define DSV4_TARGETS_COMMON_SHA256_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/SHA256.h"

#include <array>
#include <cstdint>

namespace dsv4 {

class Sha256 {
public:
  /// `allowFast` false: the portable code on any CPU (for tests).
  explicit Sha256(bool allowFast = true);
  void update(llvm::StringRef bytes);
  /// The digest; no update() after it.
  std::array<uint8_t, 32> final();
  bool usesInstructions() const { return fast; }

private:
  bool fast;
  llvm::SHA256 portable;
  std::array<uint32_t, 8> state; // a..h
  std::array<uint8_t, 64> block; // what does not fill a block yet
  uint64_t total = 0;            // bytes seen
};

} // namespace dsv4

#endif // DSV4_TARGETS_COMMON_SHA256_H
