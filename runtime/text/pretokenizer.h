// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cuts text into the pieces within which byte-pair merges happen (model.md
// 5.1): the three Split expressions of the official tokenizer.json as one
// hand-written scanner, because the third needs look-ahead. Linear time, no
// memory. The compiler refuses a tokenizer with other expressions.

#ifndef DSV4_RUNTIME_TEXT_PRETOKENIZER_H
#define DSV4_RUNTIME_TEXT_PRETOKENIZER_H

#include <cstddef>
#include <cstdint>

namespace dsv4::text {

/// Yields consecutive pieces of [begin, end), which must not contain an added
/// token that is to be recognised (the expressions see its ends as the ends of
/// the text).
class PieceScanner {
public:
  PieceScanner(const unsigned char *begin, const unsigned char *end)
      : pos(begin), textEnd(end) {}

  /// The next piece as [pieceBegin, result); false at the end of the text.
  bool next(const unsigned char *&pieceBegin, const unsigned char *&pieceEnd);

private:
  struct Char {
    uint8_t classes; // CharClass bits, or endOfWindow
    uint8_t size;
  };
  static constexpr uint8_t endOfWindow = 128;

  Char read(const unsigned char *p) const;
  Char readInWindow(const unsigned char *p) const;
  const unsigned char *match(const unsigned char *p) const;
  const unsigned char *matchSpace(const unsigned char *p) const;
  const unsigned char *skip(const unsigned char *p, uint8_t classes) const;

  const unsigned char *pos;
  const unsigned char *textEnd;
  // The first two expressions cut the text into runs of digits, of ideographs
  // and kana, and of the rest. The third one sees only one such run at a time:
  // the window.
  uint8_t windowMask = 0;
  uint8_t windowValue = 0;
};

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_PRETOKENIZER_H
