// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC11): counter-based, integers only, so the n-th number of a seed is the same
// on every machine and needs no state besides n.

#ifndef DSV4_RUNTIME_TEXT_RANDOM_H
#define DSV4_RUNTIME_TEXT_RANDOM_H

#include <array>
#include <cstdint>

namespace dsv4::text {

using PhiloxCounter = std::array<uint32_t, 4>;

/// Ten rounds on `counter` under `key`.
constexpr PhiloxCounter philox(PhiloxCounter counter,
                               std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The `index`-th number of `seed`: uniform in [0, 1), a multiple of 2^-53.
constexpr double uniform(uint64_t seed, uint64_t index) {
  PhiloxCounter block = philox(
      {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0},
      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  uint64_t bits = (uint64_t{block[1]} << 32) | block[0];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_RANDOM_H
