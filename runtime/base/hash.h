// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// XXH64, the 64-bit hash that guards packed weights against flipped bits and
// cut files. Written from its public description; header-only and freestanding,
// because the compiler writes with it what the runtime checks. Not a
// cryptographic hash: identity is SHA-256 (payload_format.h).

#ifndef DSV4_RUNTIME_BASE_HASH_H
#define DSV4_RUNTIME_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

namespace dsv4 {
namespace xxh64_detail {

// The five odd constants of the description.
inline constexpr uint64_t prime1 = 0x9E3779B185EBCA87ull;
inline constexpr uint64_t prime2 = 0xC2B2AE3D27D4EB4Full;
inline constexpr uint64_t prime3 = 0x165667B19E3779F9ull;
inline constexpr uint64_t prime4 = 0x85EBCA77C2B2AE63ull;
inline constexpr uint64_t prime5 = 0x27D4EB2F165667C5ull;

inline uint64_t rotl(uint64_t x, int r) { return (x << r) | (x >> (64 - r)); }

inline uint64_t load64(const uint8_t *p) {
  uint64_t v;
  __builtin_memcpy(&v, p, 8);
  return v; // both supported machines are little-endian
}

inline uint32_t load32(const uint8_t *p) {
  uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}

inline uint64_t round(uint64_t acc, uint64_t input) {
  return rotl(acc + input * prime2, 31) * prime1;
}

inline uint64_t mergeRound(uint64_t hash, uint64_t acc) {
  return (hash ^ round(0, acc)) * prime1 + prime4;
}

} // namespace xxh64_detail

/// XXH64 of `size` bytes. `data` may be null when `size` is 0.
inline uint64_t xxh64(const void *data, size_t size, uint64_t seed = 0) {
  using namespace xxh64_detail;
  const uint8_t *p = static_cast<const uint8_t *>(data);
  size_t left = size;
  uint64_t hash;
  if (left >= 32) {
    uint64_t acc[4] = {seed + prime1 + prime2, seed + prime2, seed,
                       seed - prime1};
    for (; left >= 32; left -= 32, p += 32)
      for (int lane = 0; lane < 4; ++lane)
        acc[lane] = round(acc[lane], load64(p + 8 * lane));
    hash =
        rotl(acc[0], 1) + rotl(acc[1], 7) + rotl(acc[2], 12) + rotl(acc[3], 18);
    for (uint64_t lane : acc)
      hash = mergeRound(hash, lane);
  } else {
    hash = seed + prime5;
  }
  hash += size;
  for (; left >= 8; left -= 8, p += 8)
    hash = rotl(hash ^ round(0, load64(p)), 27) * prime1 + prime4;
  for (; left >= 4; left -= 4, p += 4)
    hash = rotl(hash ^ (load32(p) * prime1), 23) * prime2 + prime3;
  for (; left > 0; --left, ++p)
    hash = rotl(hash ^ (*p * prime5), 11) * prime1;
  hash = (hash ^ (hash >> 33)) * prime2;
  hash = (hash ^ (hash >> 29)) * prime3;
  return hash ^ (hash >> 32);
}

} // namespace dsv4

#endif // DSV4_RUNTIME_BASE_HASH_H
