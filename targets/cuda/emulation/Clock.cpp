// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Joins keep pointers equal wherever contents are, and remember their last
// results: the lanes of a warp repeat the same join one after another.

#include "targets/cuda/emulation/Clock.h"

#include <algorithm>

namespace dsv4::cuda::emu {
namespace {

Ref<ClockChunk> joinChunks(const Ref<ClockChunk> &a, const Ref<ClockChunk> &b) {
  if (a == b || !b)
    return a;
  if (!a)
    return b;
  bool isA = true, isB = true;
  for (u32 i = 0; i < ClockChunk::slots; ++i) {
    isA &= a->time[i] >= b->time[i];
    isB &= b->time[i] >= a->time[i];
  }
  if (isA)
    return a;
  if (isB)
    return b;
  Ref<ClockChunk> sum(new ClockChunk);
  for (u32 i = 0; i < ClockChunk::slots; ++i)
    sum->time[i] = std::max(a->time[i], b->time[i]);
  return sum;
}

Clock joinFresh(const Clock &a, const Clock &b) {
  size_t count = std::max(a->chunks.size(), b->chunks.size());
  std::vector<Ref<ClockChunk>> chunks(count);
  static const Ref<ClockChunk> none;
  bool isA = count == a->chunks.size(), isB = count == b->chunks.size();
  for (size_t i = 0; i < count; ++i) {
    const auto &ca = i < a->chunks.size() ? a->chunks[i] : none;
    const auto &cb = i < b->chunks.size() ? b->chunks[i] : none;
    chunks[i] = joinChunks(ca, cb);
    isA = isA && chunks[i] == ca;
    isB = isB && chunks[i] == cb;
  }
  if (isA)
    return a;
  if (isB)
    return b;
  Clock sum(new ClockData);
  sum->chunks = std::move(chunks);
  return sum;
}

template <class Key> struct Memo {
  struct Entry {
    Clock a, result;
    Key key{};
    bool used = false;
  };
  Entry entries[64];
  Entry &at(const void *a, size_t b) {
    size_t hash = (reinterpret_cast<size_t>(a) >> 4) * 0x9E3779B97F4A7C15ull +
                  b * 0xC2B2AE3D27D4EB4Full;
    return entries[hash >> 58];
  }
};

} // namespace

// The memories hold references, so an address in them names one clock only.
static Memo<Clock> joins;
static Memo<SlotTime> additions;

Clock join(const Clock &a, const Clock &b) {
  if (a == b || !b)
    return a;
  if (!a)
    return b;
  auto &entry = joins.at(a.get(), reinterpret_cast<size_t>(b.get()) >> 4);
  if (!(entry.used && entry.a == a && entry.key == b)) {
    Clock result = joinFresh(a, b);
    entry = {a, result, b, true};
  }
  return entry.result;
}

Clock with(const Clock &clock, const std::vector<SlotTime> &times) {
  if (times.empty())
    return clock;
  Clock sum(new ClockData);
  if (clock)
    sum->chunks = clock->chunks;
  for (SlotTime entry : times) {
    u32 number = entry.slot / ClockChunk::slots;
    if (number >= sum->chunks.size())
      sum->chunks.resize(number + 1);
    auto &chunk = sum->chunks[number];
    if (!chunk)
      chunk = Ref<ClockChunk>(new ClockChunk);
    else if (chunk->references > 1) {
      Ref<ClockChunk> copy(new ClockChunk);
      std::copy_n(chunk->time, ClockChunk::slots, copy->time);
      chunk = copy;
    }
    u32 &time = chunk->time[entry.slot % ClockChunk::slots];
    time = std::max(time, entry.time);
  }
  return sum;
}

Clock with(const Clock &clock, SlotTime time) {
  if (timeOf(clock, time.slot) >= time.time)
    return clock;
  auto &entry = additions.at(clock.get(), time.slot);
  if (!(entry.used && entry.a == clock && entry.key.slot == time.slot &&
        entry.key.time == time.time)) {
    Clock result = with(clock, std::vector<SlotTime>{time});
    entry = {clock, result, time, true};
  }
  return entry.result;
}

void Gathering::add(const Knowledge &what, SlotTime time, SlotTime asyncTime) {
  sum.take(what);
  own.push_back(time);
  if (asyncTime.time)
    ownAsync.push_back(asyncTime);
}

const Knowledge &Gathering::close() {
  sum.known = with(sum.known, own);
  sum.async = with(sum.async, ownAsync);
  own.clear();
  ownAsync.clear();
  return sum;
}

} // namespace dsv4::cuda::emu
