// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layout of the tokenizer blob: what the compiler writes and the executable
// maps. Little-endian, sections at 8-byte offsets, no pointers. The bytes are
// not trusted: openBlob() checks every offset, index and id once, so that the
// tokenizer can follow them without further checks.

#ifndef DSV4_RUNTIME_TEXT_TOKENIZER_BLOB_H
#define DSV4_RUNTIME_TEXT_TOKENIZER_BLOB_H

#include <cstddef>
#include <cstdint>

#include "runtime/text/status.h"

namespace dsv4::text {

inline constexpr uint64_t blobMagic = 0x314b4f5434565344; // "DSV4TOK1"
inline constexpr uint32_t blobVersion = 1;
inline constexpr uint32_t noRank = 0xFFFFFFFF;
inline constexpr uint32_t maxBlobTokens = 1u << 22;

enum TokenFlag : uint8_t {
  TokenUsed = 1,    // the id has a text
  TokenAdded = 2,   // an added token: matched on raw text, never by merges
  TokenSpecial = 4, // "special" in tokenizer.json
};

/// Offsets are in bytes from the start of the blob.
struct BlobHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t size; // of the whole blob
  uint32_t numTokens;
  uint32_t numMerges;
  uint32_t mergeSlots; // power of two
  uint32_t pieceSlots; // power of two
  uint32_t numNodes;
  uint32_t numEdges;
  uint32_t numBytes;      // of all token texts
  uint32_t maxPieceBytes; // longest text in the piece table
  int32_t bos, eos, pad;  // -1: none
  // Root nodes of the two tries of added tokens: those with "normalized"
  // false are matched first, those with true in the text between.
  uint32_t root[2];
  uint32_t tokenOffsets; // u32[numTokens + 1] into the texts
  uint32_t tokenFlags;   // u8[numTokens], TokenFlag
  uint32_t texts;        // u8[numBytes]
  uint32_t byteIds;      // u32[256]: id of each single byte
  uint32_t mergeTable;   // BlobMerge[mergeSlots], open addressing by pairHash
  uint32_t mergeResults; // u32[numMerges]: id made by the merge of that rank
  uint32_t pieceTable;   // u32[pieceSlots]: id + 1, 0 = empty, by pieceHash
  uint32_t nodes;        // BlobNode[numNodes]
  uint32_t edges; // u32[numEdges]: byte << 24 | target; target > own node
  uint32_t reserved[5];
};
static_assert(sizeof(BlobHeader) == 128);

struct BlobMerge {
  uint32_t left, right;
  uint32_t rank; // noRank: empty slot
};

struct BlobNode {
  uint32_t firstEdge;
  uint32_t numEdges; // sorted by byte
  uint32_t token;    // id + 1 of the added token that ends here, 0 = none
};

/// A checked blob, as typed pointers into it.
struct BlobView {
  const BlobHeader *header = nullptr;
  const uint32_t *tokenOffsets = nullptr;
  const uint8_t *tokenFlags = nullptr;
  const unsigned char *texts = nullptr;
  const uint32_t *byteIds = nullptr;
  const BlobMerge *mergeTable = nullptr;
  const uint32_t *mergeResults = nullptr;
  const uint32_t *pieceTable = nullptr;
  const BlobNode *nodes = nullptr;
  const uint32_t *edges = nullptr;
};

/// Checks `size` bytes at `data` (8-byte aligned) and fills `view`.
TextError openBlob(const void *data, size_t size, BlobView &view);

/// Slot, before reduction to the table's size, of a pair of token ids.
inline uint64_t pairHash(uint32_t left, uint32_t right) {
  uint64_t key = (static_cast<uint64_t>(left) << 32) | right;
  key *= 0x9E3779B97F4A7C15u;
  return key ^ (key >> 32);
}

/// Slot, before reduction, of a piece's bytes.
inline uint64_t pieceHash(const unsigned char *text, size_t size) {
  uint64_t hash = size * 0x9E3779B97F4A7C15u;
  for (; size >= 8; text += 8, size -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, text, 8);
    hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
  }
  uint64_t word = 0;
  for (size_t i = 0; i < size; ++i)
    word |= static_cast<uint64_t>(text[i]) << (8 * i);
  hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
  return hash ^ (hash >> 32);
}

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_TOKENIZER_BLOB_H
