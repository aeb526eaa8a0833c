// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte-pair merging of one piece: again and again the adjacent pair with the
// lowest rank becomes one token, leftmost first among equals. Short pieces are
// searched directly; long ones use a heap with one entry per pair, so a piece
// of n bytes takes O(n log n) time.

#ifndef DSV4_RUNTIME_TEXT_BPE_H
#define DSV4_RUNTIME_TEXT_BPE_H

#include <cstddef>
#include <cstdint>

#include "runtime/text/tokenizer_blob.h"

namespace dsv4::text {

/// Pieces up to this many bytes need no scratch memory.
inline constexpr size_t shortPieceBytes = 64;
/// Scratch per byte of a longer piece: six u32 arrays.
inline constexpr size_t scratchPerByte = 24;

/// Rank of the merge of two adjacent tokens, noRank if there is none.
uint32_t findRank(const BlobView &blob, uint32_t left, uint32_t right);

/// Merges ids[0, n) in place, n <= shortPieceBytes; returns the new count.
size_t mergeShort(const BlobView &blob, uint32_t *ids, size_t n);

/// The same for any n < 2^31. `scratch` has n * scratchPerByte bytes, 4-byte
/// aligned; its first n words hold the ids, and hold the result afterwards.
size_t mergeLong(const BlobView &blob, uint32_t *scratch, size_t n);

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_BPE_H
