// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cells and read sets. A set forgets its reads when all of them are ordered
// before the one that is added: whoever is ordered behind that one is ordered
// behind them, so sets stay as long as reads are concurrent.

#include "targets/cuda/emulation/Shadow.h"

namespace dsv4::cuda::emu {

u32 ReadSets::add(u32 set, const Access &access) {
  Key key{set, access.slot, access.time};
  if (key == lastKey)
    return lastSet;
  const SlotTime &head = nodes[set].read;
  if (set && head.slot == access.slot && head.time == access.time)
    return set;
  auto [at, fresh] = known.try_emplace(key, 0);
  if (fresh) {
    u32 parent = unknown(set, access.reads) ? set : 0;
    at->second = u32(nodes.size());
    nodes.push_back({parent, {access.slot, access.time}});
  }
  lastKey = key;
  lastSet = at->second;
  return lastSet;
}

const SlotTime *ReadSets::unknown(u32 set, const View &view) const {
  for (; set; set = nodes[set].parent)
    if (!view.knows(nodes[set].read.slot, nodes[set].read.time))
      return &nodes[set].read;
  return nullptr;
}

void ReadSets::clear() {
  nodes.assign(1, Node{});
  known.clear();
  lastKey = {};
  lastSet = 0;
}

Shadow::Shadow(u64 bytes, State state) : cells((bytes + 3) / 4) {
  if (state == State::Unwritten)
    for (Cell &cell : cells)
      cell.writer = unwritten;
}

void Shadow::settle() {
  for (Cell &cell : cells) {
    if (cell.writer == split) {
      Cell *four = &bytesOf[4 * cell.time];
      bool whole = true;
      for (int i = 0; i < 4; ++i) {
        four[i] = {four[i].writer == unwritten ? unwritten : 0, 0, 0};
        whole = whole && four[i] == four[0];
      }
      if (!whole)
        continue;
      freeSplits.push_back(cell.time);
      cell = four[0];
      continue;
    }
    cell = {cell.writer == unwritten ? unwritten : 0, 0, 0};
  }
}

Shadow::Cell *Shadow::splitCell(Cell &cell) {
  if (cell.writer != split) {
    u32 number;
    if (freeSplits.empty()) {
      number = u32(bytesOf.size() / 4);
      bytesOf.resize(bytesOf.size() + 4);
    } else {
      number = freeSplits.back();
      freeSplits.pop_back();
    }
    for (int i = 0; i < 4; ++i)
      bytesOf[4 * number + i] = cell;
    cell = {split, number, 0};
  }
  return &bytesOf[4 * cell.time];
}

/// Calls visitor(cell, offset of its first byte) for the cells of a range;
/// a word is split when the range takes a part of it.
template <class F> void Shadow::visit(u64 offset, u32 bytes, F &&visitor) {
  u64 end = offset + bytes;
  while (offset < end) {
    Cell &cell = cells[offset / 4];
    u32 first = offset % 4, last = u32(std::min<u64>(4, first + end - offset));
    if (last - first == 4 && cell.writer != split) {
      visitor(cell, offset);
    } else {
      Cell *four = splitCell(cell);
      for (u32 i = first; i < last; ++i)
        visitor(four[i], offset - first + i);
      bool whole = true;
      for (u32 i = 1; i < 4; ++i)
        whole = whole && four[i] == four[0];
      if (whole) {
        freeSplits.push_back(cell.time);
        Cell merged = four[0];
        cell = merged;
      }
    }
    offset += last - first;
  }
}

/// `fault` if the view does not know who wrote the cell.
Finding Shadow::writerFault(const ReadSets &sets, const Cell &cell, u64 at,
                            Fault fault, const View &view) {
  if (cell.writer == atomics) {
    if (const SlotTime *one = sets.unknown(cell.time, view))
      return {fault, u32(at), one->slot, one->time};
  } else if (!view.knows(cell.writer, cell.time)) {
    return {fault, u32(at), cell.writer, cell.time};
  }
  return {};
}

Finding Shadow::readCells(ReadSets &sets, u64 offset, u32 bytes,
                          const Access &access, bool atomicLoad) {
  Finding finding;
  visit(offset, bytes, [&](Cell &cell, u64 at) {
    if (finding.fault == Fault::None) {
      if (cell.writer == unwritten)
        finding = {Fault::ReadUnwritten, u32(at), 0, 0};
      else if (!(atomicLoad && cell.writer == atomics))
        finding =
            writerFault(sets, cell, at, Fault::ReadAfterWrite, access.writes);
    }
    cell.reads = sets.add(cell.reads, access);
  });
  return finding;
}

Finding Shadow::read(ReadSets &sets, u64 offset, u32 bytes,
                     const Access &access) {
  return readCells(sets, offset, bytes, access, false);
}

Finding Shadow::atomicLoad(ReadSets &sets, u64 offset, u32 bytes,
                           const Access &access) {
  return readCells(sets, offset, bytes, access, true);
}

Finding Shadow::write(ReadSets &sets, u64 offset, u32 bytes,
                      const Access &access) {
  Finding finding;
  visit(offset, bytes, [&](Cell &cell, u64 at) {
    if (finding.fault == Fault::None && cell.writer != unwritten)
      finding =
          writerFault(sets, cell, at, Fault::WriteAfterWrite, access.writes);
    if (finding.fault == Fault::None)
      if (const SlotTime *read = sets.unknown(cell.reads, access.reads))
        finding = {Fault::WriteAfterRead, u32(at), read->slot, read->time};
    cell = {access.slot, access.time, 0};
  });
  return finding;
}

Finding Shadow::atomic(ReadSets &sets, u64 offset, u32 bytes,
                       const Access &access) {
  Finding finding;
  visit(offset, bytes, [&](Cell &cell, u64 at) {
    bool first = cell.writer != atomics;
    if (finding.fault == Fault::None) {
      if (cell.writer == unwritten)
        finding = {Fault::ReadUnwritten, u32(at), 0, 0};
      else if (first)
        finding =
            writerFault(sets, cell, at, Fault::WriteAfterWrite, access.writes);
    }
    cell.time = sets.add(first ? 0 : cell.time, access);
    cell.writer = atomics;
  });
  return finding;
}

} // namespace dsv4::cuda::emu
