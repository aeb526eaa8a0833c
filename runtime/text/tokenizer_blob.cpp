// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The check of a tokenizer blob. Everything that the tokenizer later uses as
// an index is compared with its bound here, and every hash table is shown to
// have an empty slot, so that probing ends.

#include "runtime/text/tokenizer_blob.h"

namespace dsv4::text {

namespace {

/// Bounds of one section; `bytes` cannot overflow 64 bits.
bool sectionFits(const BlobHeader &h, uint32_t offset, uint64_t count,
                 uint64_t elementSize) {
  return offset % 8 == 0 && offset >= sizeof(BlobHeader) && offset <= h.size &&
         count * elementSize <= h.size - offset;
}

bool isPowerOfTwo(uint32_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

template <typename T> const T *section(const void *data, uint32_t offset) {
  return reinterpret_cast<const T *>(static_cast<const char *>(data) + offset);
}

bool isIdOrNone(int32_t id, uint32_t numTokens) {
  return id == -1 || (id >= 0 && static_cast<uint32_t>(id) < numTokens);
}

bool checkHeader(const BlobHeader &h) {
  return h.numTokens > 0 && h.numTokens <= maxBlobTokens &&
         isPowerOfTwo(h.mergeSlots) && isPowerOfTwo(h.pieceSlots) &&
         h.numNodes > 0 && h.numNodes < (1u << 24) && h.root[0] < h.numNodes &&
         h.root[1] < h.numNodes && h.maxPieceBytes <= h.numBytes &&
         isIdOrNone(h.bos, h.numTokens) && isIdOrNone(h.eos, h.numTokens) &&
         isIdOrNone(h.pad, h.numTokens) &&
         sectionFits(h, h.tokenOffsets, uint64_t{h.numTokens} + 1, 4) &&
         sectionFits(h, h.tokenFlags, h.numTokens, 1) &&
         sectionFits(h, h.texts, h.numBytes, 1) &&
         sectionFits(h, h.byteIds, 256, 4) &&
         sectionFits(h, h.mergeTable, h.mergeSlots, sizeof(BlobMerge)) &&
         sectionFits(h, h.mergeResults, h.numMerges, 4) &&
         sectionFits(h, h.pieceTable, h.pieceSlots, 4) &&
         sectionFits(h, h.nodes, h.numNodes, sizeof(BlobNode)) &&
         sectionFits(h, h.edges, h.numEdges, 4);
}

bool checkTokens(const BlobView &v) {
  const BlobHeader &h = *v.header;
  if (v.tokenOffsets[0] != 0 || v.tokenOffsets[h.numTokens] != h.numBytes)
    return false;
  for (uint32_t i = 0; i < h.numTokens; ++i)
    if (v.tokenOffsets[i] > v.tokenOffsets[i + 1])
      return false;
  for (uint32_t i = 0; i < 256; ++i)
    if (v.byteIds[i] >= h.numTokens)
      return false;
  return true;
}

bool checkMerges(const BlobView &v) {
  const BlobHeader &h = *v.header;
  for (uint32_t i = 0; i < h.numMerges; ++i)
    if (v.mergeResults[i] >= h.numTokens)
      return false;
  bool hasEmpty = false;
  for (uint32_t i = 0; i < h.mergeSlots; ++i) {
    uint32_t rank = v.mergeTable[i].rank;
    hasEmpty |= rank == noRank;
    if (rank != noRank && rank >= h.numMerges)
      return false;
  }
  return hasEmpty;
}

bool checkPieces(const BlobView &v) {
  const BlobHeader &h = *v.header;
  bool hasEmpty = false;
  for (uint32_t i = 0; i < h.pieceSlots; ++i) {
    hasEmpty |= v.pieceTable[i] == 0;
    if (v.pieceTable[i] > h.numTokens)
      return false;
  }
  return hasEmpty;
}

/// Edges lead to larger node numbers, so walks end.
bool checkTries(const BlobView &v) {
  const BlobHeader &h = *v.header;
  for (uint32_t i = 0; i < h.numNodes; ++i) {
    const BlobNode &node = v.nodes[i];
    if (node.firstEdge > h.numEdges || node.numEdges > 256 ||
        node.numEdges > h.numEdges - node.firstEdge || node.token > h.numTokens)
      return false;
    for (uint32_t e = 0; e < node.numEdges; ++e) {
      uint32_t target = v.edges[node.firstEdge + e] & 0xFFFFFF;
      if (target <= i || target >= h.numNodes)
        return false;
    }
  }
  // A token of no bytes would match everywhere without progress.
  return v.nodes[h.root[0]].token == 0 && v.nodes[h.root[1]].token == 0;
}

} // namespace

TextError openBlob(const void *data, size_t size, BlobView &view) {
  if (!data || size < sizeof(BlobHeader))
    return TextError::BadBlob;
  if (reinterpret_cast<uintptr_t>(data) % 8 != 0)
    return TextError::MisalignedBlob;
  const auto &h = *static_cast<const BlobHeader *>(data);
  if (h.magic != blobMagic || h.version != blobVersion || h.size != size ||
      !checkHeader(h))
    return TextError::BadBlob;
  BlobView v;
  v.header = &h;
  v.tokenOffsets = section<uint32_t>(data, h.tokenOffsets);
  v.tokenFlags = section<uint8_t>(data, h.tokenFlags);
  v.texts = section<unsigned char>(data, h.texts);
  v.byteIds = section<uint32_t>(data, h.byteIds);
  v.mergeTable = section<BlobMerge>(data, h.mergeTable);
  v.mergeResults = section<uint32_t>(data, h.mergeResults);
  v.pieceTable = section<uint32_t>(data, h.pieceTable);
  v.nodes = section<BlobNode>(data, h.nodes);
  v.edges = section<uint32_t>(data, h.edges);
  if (!checkTokens(v) || !checkMerges(v) || !checkPieces(v) || !checkTries(v))
    return TextError::BadBlob;
  view = v;
  return TextError::None;
}

} // namespace dsv4::text
