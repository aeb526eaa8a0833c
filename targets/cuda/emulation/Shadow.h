// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shadow memory: for every 4 bytes of a region who wrote them last and who has
// read them since, each as slot and time. A word whose bytes belong to
// different writers is split into four cells. An access is judged here;
// reporting is the caller's.

#ifndef DSV4_TARGETS_CUDA_EMULATION_SHADOW_H
#define DSV4_TARGETS_CUDA_EMULATION_SHADOW_H

#include "targets/cuda/emulation/Clock.h"

#include <functional>
#include <unordered_map>

namespace dsv4::cuda::emu {

/// What one actor may rely on: a clock, and its own actions up to a time.
struct View {
  const Clock *clock;
  u32 slot, own;
  bool knows(u32 otherSlot, u32 time) const {
    return otherSlot == 0 || (otherSlot == slot && time <= own) ||
           timeOf(*clock, otherSlot) >= time;
  }
};

/// An access: `writes` judges earlier writes, `reads` earlier reads; it is
/// remembered as slot and time.
struct Access {
  View writes, reads;
  u32 slot, time;
};

enum class Fault {
  None,
  ReadUnwritten,
  ReadAfterWrite,
  WriteAfterWrite,
  WriteAfterRead
};

struct Finding {
  Fault fault = Fault::None;
  u32 offset = 0;         ///< of the byte in the region
  u32 slot = 0, time = 0; ///< of the other access
};

/// Sets of reads, as shared lists. Set 0 is empty.
class ReadSets {
public:
  u32 add(u32 set, const Access &access);
  /// A read that the view does not know, or null.
  const SlotTime *unknown(u32 set, const View &view) const;
  void clear();

private:
  struct Node {
    u32 parent;
    SlotTime read;
  };
  struct Key {
    u32 set, slot, time;
    bool operator==(const Key &) const = default;
  };
  struct Hash {
    size_t operator()(const Key &k) const {
      return (k.set * 0x9E3779B97F4A7C15ull ^ k.slot) * 0xC2B2AE3D27D4EB4Full ^
             k.time * 0x165667B19E3779F9ull;
    }
  };
  std::vector<Node> nodes{Node{}};
  std::unordered_map<Key, u32, Hash> known;
  Key lastKey{};
  u32 lastSet = 0;
};

class Shadow {
public:
  enum class State { Written, Unwritten };
  Shadow(u64 bytes, State state);

  /// Both remember the access and return the first fault found.
  Finding read(ReadSets &sets, u64 offset, u32 bytes, const Access &access);
  Finding write(ReadSets &sets, u64 offset, u32 bytes, const Access &access);
  /// These race with ordinary accesses, not with each other. A
  /// read-modify-write or a store, and a load:
  Finding atomic(ReadSets &sets, u64 offset, u32 bytes, const Access &access);
  Finding atomicLoad(ReadSets &sets, u64 offset, u32 bytes,
                     const Access &access);
  /// Everything so far is ordered before whatever comes.
  void settle();

private:
  struct Cell {
    u32 writer = 0, time = 0, reads = 0;
    bool operator==(const Cell &) const = default;
  };
  // No slots: nobody; four cells, numbered by `time`; everybody in the set
  // `time` by atomic operations. A run has far fewer slots.
  static constexpr u32 unwritten = 0xffffffffu, split = 0xfffffffeu,
                       atomics = 0xfffffffdu;

  Finding readCells(ReadSets &sets, u64 offset, u32 bytes, const Access &access,
                    bool atomicLoad);
  static Finding writerFault(const ReadSets &sets, const Cell &cell, u64 at,
                             Fault fault, const View &view);
  template <class F> void visit(u64 offset, u32 bytes, F &&visitor);
  Cell *splitCell(Cell &cell);

  std::vector<Cell> cells;
  std::vector<Cell> bytesOf; ///< four cells per split word
  std::vector<u32> freeSplits;
};

} // namespace dsv4::cuda::emu

#endif // DSV4_TARGETS_CUDA_EMULATION_SHADOW_H
