// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vector clocks. Every thread, copy engine and warp of a run has a slot, and
// counts its own time; a clock says for every slot up to which time its actions
// are known. Clocks are immutable and shared, in chunks: all threads behind a
// barrier hold the same one, so joining costs a pointer comparison.

#ifndef DSV4_TARGETS_CUDA_EMULATION_CLOCK_H
#define DSV4_TARGETS_CUDA_EMULATION_CLOCK_H

#include "targets/cuda/device/config.h"

#include <utility>
#include <vector>

namespace dsv4::cuda::emu {

/// A counted reference; everything runs on one operating-system thread.
template <class T> class Ref {
public:
  Ref() = default;
  explicit Ref(T *object) : object(object) { grab(); }
  Ref(const Ref &other) : object(other.object) { grab(); }
  Ref(Ref &&other) noexcept : object(std::exchange(other.object, nullptr)) {}
  Ref &operator=(Ref other) noexcept {
    std::swap(object, other.object);
    return *this;
  }
  ~Ref() {
    if (object && --object->references == 0)
      delete object;
  }
  T *get() const { return object; }
  T *operator->() const { return object; }
  explicit operator bool() const { return object; }
  bool operator==(const Ref &other) const { return object == other.object; }

private:
  void grab() {
    if (object)
      ++object->references;
  }
  T *object = nullptr;
};

struct ClockChunk {
  static constexpr u32 slots = 256;
  u32 references = 0;
  u32 time[slots] = {};
};

struct ClockData {
  u32 references = 0;
  std::vector<Ref<ClockChunk>> chunks;
};

/// Null knows nothing.
using Clock = Ref<ClockData>;

inline u32 timeOf(const Clock &clock, u32 slot) {
  u32 chunk = slot / ClockChunk::slots;
  if (!clock || chunk >= clock->chunks.size() || !clock->chunks[chunk])
    return 0;
  return clock->chunks[chunk]->time[slot % ClockChunk::slots];
}

/// What either knows. Returns one of the two where it knows all of the other.
Clock join(const Clock &a, const Clock &b);

struct SlotTime {
  u32 slot, time;
};

/// `clock` and these times besides.
Clock with(const Clock &clock, const std::vector<SlotTime> &times);
Clock with(const Clock &clock, SlotTime time);

/// What a thread hands over when it releases, and takes when it acquires:
/// `known` is ordered before it, `async` also for copies and wgmma.
struct Knowledge {
  Clock known, async;
  void take(const Knowledge &other) {
    known = join(known, other.known);
    async = join(async, other.async);
  }
};

/// Collects what arrives at a barrier; own times are folded in at the end.
class Gathering {
public:
  void add(const Knowledge &what, SlotTime own, SlotTime ownAsync);
  void add(const Knowledge &what) { sum.take(what); }
  /// The sum; the next gathering starts from it, because what a barrier has
  /// handed over once it never forgets.
  const Knowledge &close();

private:
  Knowledge sum;
  std::vector<SlotTime> own, ownAsync;
};

} // namespace dsv4::cuda::emu

#endif // DSV4_TARGETS_CUDA_EMULATION_CLOCK_H
