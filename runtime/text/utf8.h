// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding of UTF-8 that may be invalid. An invalid sequence counts as U+FFFD
// once per maximal subpart (Unicode 16.0 section 3.9, "U+FFFD Substitution of
// Maximal Subparts"), which is also what Python's errors="replace" does, so
// that ids for arbitrary bytes equal those of the reference tokenizer.

#ifndef DSV4_RUNTIME_TEXT_UTF8_H
#define DSV4_RUNTIME_TEXT_UTF8_H

#include <cstddef>
#include <cstdint>

namespace dsv4::text {

inline constexpr char32_t replacementChar = 0xFFFD;
inline constexpr unsigned char replacementBytes[3] = {0xEF, 0xBF, 0xBD};

/// One decoded character; `size` bytes were consumed, at least one.
struct Utf8Char {
  char32_t codePoint;
  uint8_t size;
  bool valid;     // false: codePoint is U+FFFD
  bool truncated; // invalid only because the text ended: more may complete it
};

/// Range of the second byte after `lead`, and the length of the sequence; the
/// length is 0 for a byte that cannot begin a multi-byte sequence.
struct Utf8Lead {
  uint8_t length, low, high;
};

inline Utf8Lead utf8Lead(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF)
    return {2, 0x80, 0xBF};
  if (lead >= 0xE0 && lead <= 0xEF)
    return {3, static_cast<uint8_t>(lead == 0xE0 ? 0xA0 : 0x80),
            static_cast<uint8_t>(lead == 0xED ? 0x9F : 0xBF)};
  if (lead >= 0xF0 && lead <= 0xF4)
    return {4, static_cast<uint8_t>(lead == 0xF0 ? 0x90 : 0x80),
            static_cast<uint8_t>(lead == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

/// Decodes the character at `p`; needs p < end.
inline Utf8Char decodeUtf8(const unsigned char *p, const unsigned char *end) {
  unsigned char c = *p;
  if (c < 0x80)
    return {c, 1, true, false};
  Utf8Lead lead = utf8Lead(c);
  if (lead.length == 0)
    return {replacementChar, 1, false, false};
  char32_t value = c & (0x7Fu >> lead.length);
  for (uint8_t i = 1; i < lead.length; ++i) {
    if (p + i == end)
      return {replacementChar, i, false, true};
    unsigned char low = i == 1 ? lead.low : 0x80;
    unsigned char high = i == 1 ? lead.high : 0xBF;
    if (p[i] < low || p[i] > high)
      return {replacementChar, i, false, false};
    value = (value << 6) | (p[i] & 0x3Fu);
  }
  return {value, lead.length, true, false};
}

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_UTF8_H
