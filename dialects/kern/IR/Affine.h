// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes that are affine in the number of context blocks, as plain values. The
// same arithmetic as struct dsv4_affine of runtime/abi/program.h.

#ifndef DSV4_DIALECTS_KERN_IR_AFFINE_H
#define DSV4_DIALECTS_KERN_IR_AFFINE_H

#include <cstdint>

namespace dsv4::kern {

/// Tokens in one context block (DSV4_CONTEXT_BLOCK).
inline constexpr int64_t ContextBlock = 128;
/// Alignment in bytes of everything that is planned, unless stated otherwise.
inline constexpr int64_t PlanAlignment = 64;

/// Smallest multiple of `To` that is >= `Value`; both positive.
constexpr int64_t roundUp(int64_t Value, int64_t To) {
  return (Value + To - 1) / To * To;
}

/// Smallest number of `Part` that cover `Whole`.
constexpr int64_t ceilDiv(int64_t Whole, int64_t Part) {
  return (Whole + Part - 1) / Part;
}

/// fixed + perBlock * blocks.
struct Affine {
  int64_t fixed = 0;
  int64_t perBlock = 0;

  constexpr int64_t at(int64_t Blocks) const {
    return fixed + perBlock * Blocks;
  }
  constexpr Affine operator+(Affine O) const {
    return {fixed + O.fixed, perBlock + O.perBlock};
  }
  constexpr Affine operator*(int64_t By) const {
    return {fixed * By, perBlock * By};
  }
  constexpr bool operator==(const Affine &O) const = default;

  /// Both parts rounded up, so that the value is a multiple of `To` at every
  /// number of blocks.
  constexpr Affine alignedTo(int64_t To) const {
    return {roundUp(fixed, To), roundUp(perBlock, To)};
  }
};

/// Whether A <= B for every number of blocks in [First, Last]. Affine
/// functions cross at most once, so the two ends decide.
constexpr bool leEverywhere(Affine A, Affine B, int64_t First, int64_t Last) {
  return A.at(First) <= B.at(First) && A.at(Last) <= B.at(Last);
}

} // namespace dsv4::kern

#endif // DSV4_DIALECTS_KERN_IR_AFFINE_H
