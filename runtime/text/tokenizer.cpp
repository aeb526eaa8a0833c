// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Encoding in three steps: added tokens on the raw text (leftmost, longest;
// first those that the reference does not normalise, then the others in the
// text between), pre-tokenisation, and merges inside each piece.

#include "runtime/text/tokenizer.h"

#include <cstring>

#include "runtime/text/bpe.h"
#include "runtime/text/pretokenizer.h"
#include "runtime/text/utf8.h"

namespace dsv4::text {

namespace {

const unsigned char *bytesOf(std::string_view text) {
  return reinterpret_cast<const unsigned char *>(text.data());
}

constexpr uint32_t noNode = 0; // never a target: edges lead upwards

/// Size of [p, end) once each invalid part is U+FFFD, and whether it has any.
struct Repaired {
  size_t bytes = 0;
  bool valid = true;
};

Repaired measure(const unsigned char *p, const unsigned char *end) {
  Repaired result;
  while (p != end) {
    Utf8Char c = decodeUtf8(p, end);
    result.bytes += c.valid ? c.size : sizeof(replacementBytes);
    result.valid &= c.valid;
    p += c.size;
  }
  return result;
}

} // namespace

/// Where encode() puts ids, or, while it only measures, what it finds out.
struct Tokenizer::Output {
  int32_t *ids;
  size_t capacity;
  uint32_t *scratch;
  size_t scratchWords;
  size_t count = 0;
  bool measuring = false;
  size_t longestPiece = 0; // bytes after repair, while measuring
  TextError error = TextError::None;

  void add(uint32_t id) {
    if (count == capacity)
      error = TextError::OutputTooSmall;
    else
      ids[count++] = static_cast<int32_t>(id);
  }
};

TextError Tokenizer::open(const void *blob, size_t size, Tokenizer &result) {
  TextError error = openBlob(blob, size, result.view);
  if (error != TextError::None)
    return error;
  for (int group = 0; group < 2; ++group)
    for (int byte = 0; byte < 256; ++byte)
      result.mayBegin[group][byte] =
          result.walk(result.view.header->root[group],
                      static_cast<unsigned char>(byte)) != noNode;
  return TextError::None;
}

size_t Tokenizer::maxScratchBytes(size_t textBytes) {
  return 3 * textBytes * scratchPerByte;
}

bool Tokenizer::hasFlag(int32_t id, uint8_t flag) const {
  return id >= 0 && static_cast<uint32_t>(id) < numTokens() &&
         (view.tokenFlags[id] & flag);
}

std::string_view Tokenizer::piece(int32_t id) const {
  if (!hasFlag(id, TokenUsed))
    return {};
  uint32_t begin = view.tokenOffsets[id];
  return {reinterpret_cast<const char *>(view.texts) + begin,
          view.tokenOffsets[id + 1] - begin};
}

/// The child of `node` by `byte`, noNode if there is none.
uint32_t Tokenizer::walk(uint32_t node, unsigned char byte) const {
  const uint32_t *edges = view.edges + view.nodes[node].firstEdge;
  uint32_t low = 0, high = view.nodes[node].numEdges;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if ((edges[middle] >> 24) < byte)
      low = middle + 1;
    else
      high = middle;
  }
  if (low < view.nodes[node].numEdges && (edges[low] >> 24) == byte)
    return edges[low] & 0xFFFFFF;
  return noNode;
}

int32_t Tokenizer::findControl(std::string_view text) const {
  for (uint32_t root : view.header->root) {
    uint32_t node = root;
    size_t i = 0;
    for (; i < text.size(); ++i) {
      node = walk(node, static_cast<unsigned char>(text[i]));
      if (node == noNode)
        break;
    }
    if (i == text.size() && view.nodes[node].token != 0)
      return static_cast<int32_t>(view.nodes[node].token - 1);
  }
  return -1;
}

/// Leftmost and, there, longest added token of one trie in [p, end).
bool Tokenizer::findAdded(const unsigned char *p, const unsigned char *end,
                          int group, Match &match) const {
  for (; p != end; ++p) {
    if (!mayBegin[group][*p])
      continue;
    uint32_t node = walk(view.header->root[group], *p);
    match.token = 0;
    for (const unsigned char *q = p + 1;; ++q) {
      if (view.nodes[node].token != 0)
        match = {p, q, view.nodes[node].token};
      if (q == end || (node = walk(node, *q)) == noNode)
        break;
    }
    if (match.token != 0)
      return true;
  }
  return false;
}

void Tokenizer::split(const unsigned char *p, const unsigned char *end,
                      int group, Output &out) const {
  if (group == 2)
    return addText(p, end, out);
  Match match;
  while (out.error == TextError::None && findAdded(p, end, group, match)) {
    split(p, match.begin, group + 1, out);
    if (!out.measuring && out.error == TextError::None)
      out.add(match.token - 1);
    p = match.end;
  }
  if (out.error == TextError::None)
    split(p, end, group + 1, out);
}

void Tokenizer::addText(const unsigned char *p, const unsigned char *end,
                        Output &out) const {
  PieceScanner scanner(p, end);
  const unsigned char *begin, *stop;
  while (out.error == TextError::None && scanner.next(begin, stop)) {
    if (!out.measuring) {
      addPiece(begin, stop, out);
    } else if (size_t bytes = measure(begin, stop).bytes;
               bytes > out.longestPiece) {
      out.longestPiece = bytes;
    }
  }
}

/// Adds the piece as one token if it is one that its merges lead to.
bool Tokenizer::addWhole(const unsigned char *p, size_t size,
                         Output &out) const {
  if (size > view.header->maxPieceBytes)
    return false;
  uint64_t mask = view.header->pieceSlots - 1;
  for (uint64_t slot = pieceHash(p, size) & mask;; slot = (slot + 1) & mask) {
    if (view.pieceTable[slot] == 0)
      return false;
    uint32_t id = view.pieceTable[slot] - 1;
    uint32_t begin = view.tokenOffsets[id];
    if (view.tokenOffsets[id + 1] - begin == size &&
        std::memcmp(view.texts + begin, p, size) == 0) {
      out.add(id);
      return true;
    }
  }
}

void Tokenizer::addPiece(const unsigned char *p, const unsigned char *end,
                         Output &out) const {
  size_t size = static_cast<size_t>(end - p);
  // Only a valid piece may be looked up by its bytes: the texts of some tokens
  // are parts of characters, which an invalid piece could equal by chance.
  Repaired repaired = measure(p, end);
  if (repaired.valid && addWhole(p, size, out))
    return;
  uint32_t local[shortPieceBytes];
  uint32_t *ids = local;
  if (repaired.bytes > shortPieceBytes) {
    if (out.scratchWords / (scratchPerByte / 4) < repaired.bytes) {
      out.error = TextError::ScratchTooSmall;
      return;
    }
    ids = out.scratch;
  }
  size_t n = 0;
  while (p != end) {
    Utf8Char c = decodeUtf8(p, end);
    const unsigned char *bytes = c.valid ? p : replacementBytes;
    size_t count = c.valid ? c.size : sizeof(replacementBytes);
    for (size_t i = 0; i < count; ++i)
      ids[n++] = view.byteIds[bytes[i]];
    p += c.size;
  }
  n = ids == local ? mergeShort(view, ids, n) : mergeLong(view, ids, n);
  for (size_t i = 0; i < n; ++i)
    out.add(ids[i]);
}

size_t Tokenizer::scratchBytes(std::string_view text,
                               SpecialTokens mode) const {
  Output out{nullptr, 0, nullptr, 0};
  out.measuring = true;
  split(bytesOf(text), bytesOf(text) + text.size(),
        mode == SpecialTokens::Parse ? 0 : 2, out);
  return out.longestPiece > shortPieceBytes ? out.longestPiece * scratchPerByte
                                            : 0;
}

CountResult Tokenizer::encode(std::string_view text, SpecialTokens mode,
                              std::span<int32_t> ids,
                              std::span<std::byte> scratch) const {
  if (text.size() > maxTextBytes)
    return {TextError::TextTooLong, 0};
  Output out{ids.data(), ids.size(),
             reinterpret_cast<uint32_t *>(scratch.data()), scratch.size() / 4};
  split(bytesOf(text), bytesOf(text) + text.size(),
        mode == SpecialTokens::Parse ? 0 : 2, out);
  return {out.error, out.count};
}

CountResult Tokenizer::encodePiece(std::string_view piece,
                                   std::span<int32_t> ids,
                                   std::span<std::byte> scratch) const {
  if (piece.size() > maxTextBytes)
    return {TextError::TextTooLong, 0};
  size_t n = piece.size();
  uint32_t local[shortPieceBytes];
  uint32_t *work = local;
  if (n > shortPieceBytes) {
    if (scratch.size() / scratchPerByte < n)
      return {TextError::ScratchTooSmall, 0};
    work = reinterpret_cast<uint32_t *>(scratch.data());
  }
  for (size_t i = 0; i < n; ++i)
    work[i] = view.byteIds[static_cast<unsigned char>(piece[i])];
  n = work == local ? mergeShort(view, work, n) : mergeLong(view, work, n);
  if (n > ids.size())
    return {TextError::OutputTooSmall, 0};
  for (size_t i = 0; i < n; ++i)
    ids[i] = static_cast<int32_t>(work[i]);
  return {TextError::None, n};
}

} // namespace dsv4::text
