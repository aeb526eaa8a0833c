// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pre-tokeniser as a scanner. The alternatives of the third expression, in
// the order in which a backtracking engine tries them:
//   A  one ASCII punctuation character, then ASCII letters
//   B  [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
//   C  " "?[\p{P}\p{S}]+[\r\n]*
//   D  \s*[\r\n]+      up to the last line end of the white-space run
//   E  \s+(?!\S)       the run without its last character, unless it ends
//   F  \s+             a single white-space character before something else
// Characters that none matches form a piece of their own.

#include "runtime/text/pretokenizer.h"

#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace dsv4::text {

static constexpr uint8_t letterOrMark = ClassLetter | ClassMark;
static constexpr uint8_t punctuationOrSymbol = ClassPunctuation | ClassSymbol;

static bool isNewline(unsigned char c) { return c == '\r' || c == '\n'; }

static bool isAsciiLetter(unsigned char c) {
  return static_cast<unsigned char>((c | 0x20) - 'a') < 26;
}

PieceScanner::Char PieceScanner::read(const unsigned char *p) const {
  if (p == textEnd)
    return {endOfWindow, 0};
  if (*p < 0x80)
    return {asciiClasses[*p], 1};
  Utf8Char c = decodeUtf8(p, textEnd);
  return {charClass(c.codePoint), c.size};
}

PieceScanner::Char PieceScanner::readInWindow(const unsigned char *p) const {
  Char c = read(p);
  if ((c.classes & windowMask) != windowValue)
    return {endOfWindow, 0};
  return c;
}

/// End of the run of characters in one of `classes` from `p`.
const unsigned char *PieceScanner::skip(const unsigned char *p,
                                        uint8_t classes) const {
  for (Char c = readInWindow(p); c.classes & classes; c = readInWindow(p))
    p += c.size;
  return p;
}

/// D, E and F for a white-space run that begins at `p`.
const unsigned char *PieceScanner::matchSpace(const unsigned char *p) const {
  const unsigned char *lineEnd = nullptr, *last = p, *q = p;
  Char c = readInWindow(q);
  for (; c.classes & ClassSpace; c = readInWindow(q)) {
    if (isNewline(*q))
      lineEnd = q + 1;
    last = q;
    q += c.size;
  }
  if (lineEnd)
    return lineEnd;
  if ((c.classes & endOfWindow) || last == p)
    return q;
  return last;
}

/// End of the match of the third expression at `p`, or `p` if there is none.
const unsigned char *PieceScanner::match(const unsigned char *p) const {
  Char c = readInWindow(p);
  if (c.classes & endOfWindow)
    return p;
  const unsigned char *q = p + c.size;
  if (c.classes & ClassLetter)
    return skip(q, letterOrMark);
  Char second = readInWindow(q);
  if (c.classes & punctuationOrSymbol) {
    if (*p < 0x80 && q != textEnd && isAsciiLetter(*q)) {
      while (q != textEnd && isAsciiLetter(*q))
        ++q;
      return q;
    }
  } else if (!isNewline(*p) && (second.classes & letterOrMark)) {
    return skip(q + second.size, letterOrMark);
  }
  if (c.classes & ClassMark)
    return q;
  bool space = *p == ' ' && (second.classes & punctuationOrSymbol);
  if (space || (c.classes & punctuationOrSymbol)) {
    q = skip(q, punctuationOrSymbol);
    while (q != textEnd && isNewline(*q) && windowValue == 0)
      ++q;
    return q;
  }
  return c.classes & ClassSpace ? matchSpace(p) : p;
}

bool PieceScanner::next(const unsigned char *&pieceBegin,
                        const unsigned char *&pieceEnd) {
  if (pos == textEnd)
    return false;
  pieceBegin = pos;
  Char first = read(pos);
  if (first.classes & ClassNumber) {
    for (int n = 0; n < 3 && (first.classes & ClassNumber); ++n) {
      pos += first.size;
      first = read(pos);
    }
    pieceEnd = pos;
    return true;
  }
  windowMask = ClassNumber | ClassCjk;
  windowValue = first.classes & ClassCjk;
  if (windowValue == 0)
    windowMask |= endOfWindow;
  const unsigned char *q = match(pos);
  if (q == pos) {
    q += first.size;
    for (Char c = readInWindow(q); !(c.classes & endOfWindow) && match(q) == q;
         c = readInWindow(q))
      q += c.size;
  }
  pieceEnd = pos = q;
  return true;
}

} // namespace dsv4::text
