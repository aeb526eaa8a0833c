// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.dispatch: the rows of every active expert, a stable counting sort by one
// block. Each warp counts a stretch of consecutive slots, prefix sums over
// warps give every (warp, expert) its places, and the warp then walks its
// stretch in order: the result is that of one thread, whatever the schedule.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_DISPATCH_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_DISPATCH_CUH

#include "targets/cuda/device/phases/rows.cuh"

namespace dsv4::cuda {

//   struct C { static constexpr u32 Experts = 256, PerToken = 6, Warps = 32; };
//
// Item: one. Grids of more than one block are wrong: block 0 does it all.

struct DispatchParams {
  const dsv4_step *step;
  Global<const i32> ids; // [tokens, K], each below E
  Global<i32> lists;     // [2 + 2 E + tokens K]
};

template <class C> struct DispatchPlan {
  static constexpr u32 Threads = C::Warps * 32;
  // Shared memory, in words: first places of experts, then a counter for each
  // warp and expert.
  static constexpr u32 CountsAt = C::Experts;
  static constexpr u32 SharedBytes = 4 * C::Experts * (C::Warps + 1);
  static_assert(Threads <= 1024, "expected one block");
};

/// Lanes of the warp whose `value` below `Limit` equals this lane's and that
/// take part.
template <u32 Limit> DSV4_DEVICE u32 lanesWithSame(u32 value, bool takesPart) {
  u32 same = laneBallot(takesPart);
  DSV4_UNROLL
  for (u32 bit = 1; bit < Limit; bit *= 2) {
    u32 set = laneBallot((value & bit) != 0);
    same &= value & bit ? set : ~set;
  }
  return same;
}

/// Sum over the lanes below this one.
DSV4_DEVICE u32 sumOfLower(u32 value) {
  u32 lane = laneId(), sum = value;
  DSV4_UNROLL
  for (u32 step = 1; step < 32; step *= 2) {
    u32 other = shflUp(sum, step);
    sum += lane >= step ? other : 0;
  }
  return sum - value;
}

/// Turns the experts' totals into their first places and writes the head of the
/// lists; a lane has consecutive experts.
template <class C>
DSV4_DEVICE void placeExperts(Shared<u32> totals, Global<i32> lists,
                              u32 slots) {
  constexpr u32 Each = (C::Experts + 31) / 32;
  u32 first = laneId() * Each, rows = 0, active = 0;
  for (u32 e = first; e < first + Each && e < C::Experts; ++e) {
    u32 total = totals[e];
    rows += total;
    active += total != 0;
  }
  u32 place = sumOfLower(rows), number = sumOfLower(active);
  for (u32 e = first; e < first + Each && e < C::Experts; ++e) {
    u32 total = totals[e];
    totals[e] = place;
    if (total != 0) {
      lists[1 + number] = i32(e);
      lists[1 + C::Experts + number] = i32(place);
      ++number;
    }
    place += total;
  }
  if (laneId() == 31) { // has counted all
    lists[0] = i32(number);
    lists[1 + C::Experts + number] = i32(slots);
  }
}

template <class C, class View = WholeGrid>
DSV4_DEVICE void dispatch(const DispatchParams &p, const View &view = {}) {
  using Plan = DispatchPlan<C>;
  u32 thread = view.thread(), warp = thread / 32, lane = laneId();
  auto firsts = view.shared().template as<u32>();
  auto counts = firsts + Plan::CountsAt;
  auto mine = counts + warp * C::Experts;
  for (u32 i = thread; i < C::Experts * C::Warps; i += Plan::Threads)
    counts[i] = 0;
  view.sync();
  view.begin();
  if (view.block() != 0)
    return;
  u32 slots = u32(ld(&p.step->tokens)) * C::PerToken;
  u32 each = roundUpTo((slots + C::Warps - 1) / C::Warps, 32);
  u32 begin = warp * each, end = begin + each;
  end = end < slots ? end : slots;
  for (u32 slot = begin + lane; slot < end; slot += 32)
    atomAddShared(mine + i32(p.ids[slot]), 1);
  view.sync();
  for (u32 e = thread; e < C::Experts; e += Plan::Threads) {
    u32 sum = 0;
    for (u32 w = 0; w < C::Warps; ++w) {
      u32 count = counts[w * C::Experts + e];
      counts[w * C::Experts + e] = sum;
      sum += count;
    }
    firsts[e] = sum;
  }
  view.sync();
  if (thread < 32)
    placeExperts<C>(firsts, p.lists, slots);
  view.sync();
  auto rows = p.lists + (2 + 2 * C::Experts);
  for (u32 first = begin; first < end; first += 32) {
    u32 slot = first + lane;
    bool exists = slot < end;
    u32 expert = exists ? u32(i32(p.ids[slot])) : 0;
    u32 same = lanesWithSame<C::Experts>(expert, exists);
    u32 lower = countBits(same & ((1u << lane) - 1));
    u32 before = mine[expert];
    if (exists)
      rows[firsts[expert] + before + lower] = i32(slot);
    syncWarp(); // every lane has read its counter
    if (exists && lower + 1 == countBits(same))
      mine[expert] = before + lower + 1;
    syncWarp();
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_DISPATCH_CUH
