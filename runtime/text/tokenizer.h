// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The byte-level BPE tokenizer of the DeepSeek V4 family (model.md 5.1) over a
// read-only blob that the compiler made from tokenizer.json. Ids equal those of
// the reference tokenizer for any bytes; invalid UTF-8 counts as U+FFFD. No
// allocation: the caller gives output and scratch memory.

#ifndef DSV4_RUNTIME_TEXT_TOKENIZER_H
#define DSV4_RUNTIME_TEXT_TOKENIZER_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/text/status.h"
#include "runtime/text/tokenizer_blob.h"

namespace dsv4::text {

inline constexpr size_t maxTextBytes = size_t{1} << 29;

/// Whether text may contain control tokens. Text from a user is always Plain:
/// "<｜User｜>" in it is then ordinary text and cannot forge a turn.
enum class SpecialTokens : uint8_t { Plain, Parse };

class Tokenizer {
public:
  /// Checks `size` bytes at `blob` (8-byte aligned, outliving `result`).
  /// Errors: BadBlob, MisalignedBlob.
  static TextError open(const void *blob, size_t size, Tokenizer &result);

  uint32_t numTokens() const { return view.header->numTokens; }
  int32_t bos() const { return view.header->bos; } // -1: none
  int32_t eos() const { return view.header->eos; }
  int32_t pad() const { return view.header->pad; }

  /// Upper bound of the number of ids of a text of `textBytes` bytes: one per
  /// byte, where an invalid byte becomes the three of U+FFFD.
  static size_t maxTokens(size_t textBytes) { return 3 * textBytes; }
  /// Scratch that suffices for every text of `textBytes` bytes.
  static size_t maxScratchBytes(size_t textBytes);
  /// Scratch that this text needs: that of its longest piece, 0 for most text.
  /// Costs one pass of the pre-tokeniser.
  size_t scratchBytes(std::string_view text, SpecialTokens mode) const;

  /// Writes the ids of `text` and returns how many. `scratch` is 4-byte
  /// aligned. Errors: TextTooLong, OutputTooSmall, ScratchTooSmall.
  CountResult encode(std::string_view text, SpecialTokens mode,
                     std::span<int32_t> out,
                     std::span<std::byte> scratch) const;

  /// Encodes one piece by merges alone (the compiler asks with this which
  /// tokens may be looked up whole).
  CountResult encodePiece(std::string_view piece, std::span<int32_t> out,
                          std::span<std::byte> scratch) const;

  /// Bytes of a token, perhaps a part of a character; empty for an id without
  /// a text or out of range.
  std::string_view piece(int32_t id) const;
  /// An added token: a control token or a tag of the prompt format.
  bool isControl(int32_t id) const { return hasFlag(id, TokenAdded); }
  /// Marked "special" in tokenizer.json (only decoders that skip those ask).
  bool isSpecial(int32_t id) const { return hasFlag(id, TokenSpecial); }
  /// Id of the added token with this text, -1 if there is none.
  int32_t findControl(std::string_view text) const;

private:
  struct Output;
  struct Match {
    const unsigned char *begin, *end;
    uint32_t token;
  };

  bool hasFlag(int32_t id, uint8_t flag) const;
  uint32_t walk(uint32_t node, unsigned char byte) const;
  bool findAdded(const unsigned char *p, const unsigned char *end, int group,
                 Match &match) const;
  void split(const unsigned char *p, const unsigned char *end, int group,
             Output &out) const;
  void addText(const unsigned char *p, const unsigned char *end,
               Output &out) const;
  void addPiece(const unsigned char *p, const unsigned char *end,
                Output &out) const;
  bool addWhole(const unsigned char *p, size_t size, Output &out) const;

  BlobView view;
  bool mayBegin[2][256] = {}; // first bytes of the added tokens, by trie
};

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_TOKENIZER_H
