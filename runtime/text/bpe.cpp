// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two merge loops. The heap is indexed: a pair is known by its left token,
// and its rank changes in place, so the heap never outgrows the piece.

#include "runtime/text/bpe.h"

namespace dsv4::text {

uint32_t findRank(const BlobView &blob, uint32_t left, uint32_t right) {
  uint64_t mask = blob.header->mergeSlots - 1;
  for (uint64_t slot = pairHash(left, right) & mask;;
       slot = (slot + 1) & mask) {
    const BlobMerge &merge = blob.mergeTable[slot];
    if (merge.rank == noRank || (merge.left == left && merge.right == right))
      return merge.rank;
  }
}

size_t mergeShort(const BlobView &blob, uint32_t *ids, size_t n) {
  uint32_t ranks[shortPieceBytes];
  for (size_t i = 0; i + 1 < n; ++i)
    ranks[i] = findRank(blob, ids[i], ids[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (ranks[i] < ranks[best])
        best = i;
    if (ranks[best] == noRank)
      break;
    ids[best] = blob.mergeResults[ranks[best]];
    --n;
    for (size_t i = best + 1; i < n; ++i)
      ids[i] = ids[i + 1];
    for (size_t i = best + 1; i + 1 < n; ++i)
      ranks[i] = ranks[i + 1];
    if (best > 0)
      ranks[best - 1] = findRank(blob, ids[best - 1], ids[best]);
    if (best + 1 < n)
      ranks[best] = findRank(blob, ids[best], ids[best + 1]);
  }
  return n;
}

namespace {

constexpr uint32_t none = 0xFFFFFFFF;

/// Doubly linked tokens of a long piece and the heap of their pairs. Tokens
/// are named by the position of their first byte.
struct LongMerger {
  const BlobView &blob;
  uint32_t *ids, *prev, *next, *rank, *heap, *slot;
  uint32_t heapSize = 0;

  LongMerger(const BlobView &blob, uint32_t *scratch, size_t n)
      : blob(blob), ids(scratch), prev(scratch + n), next(scratch + 2 * n),
        rank(scratch + 3 * n), heap(scratch + 4 * n), slot(scratch + 5 * n) {}

  bool before(uint32_t a, uint32_t b) const {
    return rank[a] < rank[b] || (rank[a] == rank[b] && a < b);
  }
  void place(uint32_t at, uint32_t pos) {
    heap[at] = pos;
    slot[pos] = at;
  }
  void siftUp(uint32_t at) {
    uint32_t pos = heap[at];
    for (; at > 0 && before(pos, heap[(at - 1) / 2]); at = (at - 1) / 2)
      place(at, heap[(at - 1) / 2]);
    place(at, pos);
  }
  void siftDown(uint32_t at) {
    uint32_t pos = heap[at];
    for (;;) {
      uint32_t child = 2 * at + 1;
      if (child >= heapSize)
        break;
      if (child + 1 < heapSize && before(heap[child + 1], heap[child]))
        ++child;
      if (!before(heap[child], pos))
        break;
      place(at, heap[child]);
      at = child;
    }
    place(at, pos);
  }
  void remove(uint32_t pos) {
    uint32_t at = slot[pos];
    if (at == none)
      return;
    slot[pos] = none;
    uint32_t last = heap[--heapSize];
    if (last == pos)
      return;
    place(at, last);
    siftUp(at);
    siftDown(slot[last]);
  }
  uint32_t rankOf(uint32_t pos) const {
    return next[pos] == none ? noRank
                             : findRank(blob, ids[pos], ids[next[pos]]);
  }
  /// Looks the pair at `pos` up again after one of its tokens changed.
  void update(uint32_t pos) {
    uint32_t value = rankOf(pos);
    if (value == noRank)
      return remove(pos);
    rank[pos] = value;
    if (slot[pos] == none)
      place(heapSize++, pos);
    siftUp(slot[pos]);
    siftDown(slot[pos]);
  }
  void build(uint32_t n) {
    for (uint32_t i = 0; i < n; ++i) {
      prev[i] = i == 0 ? none : i - 1;
      next[i] = i + 1 == n ? none : i + 1;
      slot[i] = none;
    }
    for (uint32_t i = 0; i < n; ++i) {
      rank[i] = rankOf(i);
      if (rank[i] != noRank)
        place(heapSize++, i);
    }
    for (uint32_t i = heapSize / 2; i-- > 0;)
      siftDown(i);
  }
  void mergeBest() {
    uint32_t pos = heap[0], right = next[pos];
    ids[pos] = blob.mergeResults[rank[pos]];
    remove(right);
    next[pos] = next[right];
    if (next[right] != none)
      prev[next[right]] = pos;
    update(pos);
    if (prev[pos] != none)
      update(prev[pos]);
  }
};

} // namespace

size_t mergeLong(const BlobView &blob, uint32_t *scratch, size_t n) {
  if (n == 0)
    return 0;
  LongMerger merger(blob, scratch, n);
  merger.build(static_cast<uint32_t>(n));
  while (merger.heapSize > 0)
    merger.mergeBest();
  size_t count = 0;
  for (uint32_t pos = 0; pos != none; pos = merger.next[pos])
    scratch[count++] = merger.ids[pos];
  return count;
}

} // namespace dsv4::text
