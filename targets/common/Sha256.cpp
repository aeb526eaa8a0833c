// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compression function of FIPS 180-4 in terms of sha256rnds2 (two rounds),
// sha256msg1 and sha256msg2 (the message schedule, four words at a time).

#include "targets/common/Sha256.h"

#include <cstring>
#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dsv4 {
namespace {

// First 32 bits of the fractional parts of the square roots of the first eight
// primes, and of the cube roots of the first 64 (FIPS 180-4, 4.2.2 and 5.3.3).
constexpr std::array<uint32_t, 8> initialState = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

#if defined(__x86_64__)
alignas(16) constexpr uint32_t roundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool cpuHasSha() {
  return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") &&
         [] {
           // CPUID leaf 7, EBX bit 29.
           uint32_t a = 7, b, c = 0, d;
           __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
           return (b >> 29 & 1) != 0;
         }();
}

__attribute__((target("sha,sse4.1,ssse3"))) void
compressBlocks(std::array<uint32_t, 8> &state, const uint8_t *data,
               size_t blocks) {
  const __m128i byteSwap =
      _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  // The instructions want the state as (f, e, b, a) and (h, g, d, c), low word
  // first.
  auto [a, b, c, d, e, f, g, h] = state;
  __m128i abef = _mm_set_epi32(a, b, e, f);
  __m128i cdgh = _mm_set_epi32(c, d, g, h);
  for (; blocks > 0; --blocks, data += 64) {
    __m128i abefBefore = abef, cdghBefore = cdgh;
    __m128i words[4];
    for (int i = 0; i < 4; ++i)
      words[i] = _mm_shuffle_epi8(
          _mm_loadu_si128(reinterpret_cast<const __m128i *>(data) + i),
          byteSwap);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) {
      __m128i sum = _mm_add_epi32(
          words[i & 3],
          _mm_load_si128(reinterpret_cast<const __m128i *>(roundConstants) +
                         i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
      // Words of four rounds, four groups ahead; unused in the last four.
      __m128i next = _mm_sha256msg1_epu32(words[i & 3], words[(i + 1) & 3]);
      next = _mm_add_epi32(
          next, _mm_alignr_epi8(words[(i + 3) & 3], words[(i + 2) & 3], 4));
      words[i & 3] = _mm_sha256msg2_epu32(next, words[(i + 3) & 3]);
    }
    abef = _mm_add_epi32(abef, abefBefore);
    cdgh = _mm_add_epi32(cdgh, cdghBefore);
  }
  alignas(16) uint32_t fe[4], hg[4];
  _mm_store_si128(reinterpret_cast<__m128i *>(fe), abef);
  _mm_store_si128(reinterpret_cast<__m128i *>(hg), cdgh);
  state = {fe[3], fe[2], hg[3], hg[2], fe[1], fe[0], hg[1], hg[0]};
}
#else
bool cpuHasSha() { return false; }
void compressBlocks(std::array<uint32_t, 8> &, const uint8_t *, size_t) {}
#endif

} // namespace

Sha256::Sha256(bool allowFast)
    : fast(allowFast && cpuHasSha()), state(initialState), block() {}

void Sha256::update(llvm::StringRef bytes) {
  if (!fast)
    return portable.update(bytes);
  size_t held = total % 64;
  total += bytes.size();
  if (held > 0) {
    llvm::StringRef part = bytes.take_front(64 - held);
    std::memcpy(block.data() + held, part.data(), part.size());
    bytes = bytes.drop_front(part.size());
    if (held + part.size() < 64)
      return;
    compressBlocks(state, block.data(), 1);
  }
  compressBlocks(state, reinterpret_cast<const uint8_t *>(bytes.data()),
                 bytes.size() / 64);
  bytes = bytes.take_back(bytes.size() % 64);
  if (!bytes.empty())
    std::memcpy(block.data(), bytes.data(), bytes.size());
}

std::array<uint8_t, 32> Sha256::final() {
  if (!fast)
    return portable.final();
  // A one bit, zeros, and the length in bits, big-endian.
  uint64_t bits = total * 8;
  std::string tail(1, '\x80');
  tail.append((119 - total % 64) % 64, '\0');
  for (int shift = 56; shift >= 0; shift -= 8)
    tail += static_cast<char>(bits >> shift);
  update(tail);
  std::array<uint8_t, 32> digest;
  for (int i = 0; i < 32; ++i)
    digest[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

} // namespace dsv4
