// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Character classes that the pre-tokeniser's regular expressions name: \p{L},
// \p{M}, \p{N}, \p{P}, \p{S}, \s and the ideographs and kana of the second
// expression. Unicode 16.0; the tables are generated at build time.

#ifndef DSV4_RUNTIME_TEXT_UNICODE_H
#define DSV4_RUNTIME_TEXT_UNICODE_H

#include <cstdint>

namespace dsv4::text {

/// Bits of a class; a code point has at most one of the first six.
enum CharClass : uint8_t {
  ClassLetter = 1,
  ClassMark = 2,
  ClassNumber = 4,
  ClassPunctuation = 8,
  ClassSymbol = 16,
  ClassSpace = 32,
  ClassCjk = 64,
};

/// Classes of U+0000 to U+10FFFF; 0 for anything beyond.
uint8_t charClass(char32_t codePoint);

/// The classes of U+0000 to U+007F, for a fast path.
extern const unsigned char *const asciiClasses;

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_UNICODE_H
