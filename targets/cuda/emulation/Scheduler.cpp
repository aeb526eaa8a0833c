// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who goes on next, drawn from the seed. A step is one of: a bulk copy
// finishes, a block starts, a warp runs each of its ready lanes until it waits
// or yields. Fibres switch only where threads meet: races are found by clocks
// and not by interleaving single loads. How eager copies and starts are differs
// by seed.

#include "targets/cuda/emulation/Machine.h"

namespace dsv4::cuda::emu {

Machine *machine;
Thread *self;
const Ids *currentIds;

// A loop of this many steps in which nobody writes, arrives or ends polls for
// something that will not come.
static constexpr u64 livelockSteps = 50000;

void Machine::wake(Thread *thread) {
  Warp &warp = *thread->warp;
  thread->wait.kind = Wait::Nothing;
  warp.ready |= 1u << (thread->ids.linear % 32);
  if (warp.place == ~0u) {
    warp.place = u32(readyWarps.size());
    readyWarps.push_back(&warp);
  }
}

void Machine::block(Wait::Kind kind, const char *what, u64 id, u32 want) {
  self->wait = {kind, what, id, want};
  self->context.switchTo(scheduler);
}

void Machine::yield() {
  wake(self);
  self->context.switchTo(scheduler);
}

void Machine::maybeYield() {
  if (random.oneIn(4))
    yield();
}

void Machine::abandon() {
  aborted = true;
  self->context.switchTo(scheduler, true);
  __builtin_unreachable();
}

static Warp &takeReady(std::vector<Warp *> &list, u32 at) {
  Warp *warp = list[at];
  list[at] = list.back();
  list[at]->place = at;
  list.pop_back();
  warp->place = ~0u;
  return *warp;
}

void Machine::runWarp(Warp &warp) {
  u32 lanes = std::exchange(warp.ready, 0);
  u32 first = random.below(32);
  for (u32 i = 0; i < 32 && !aborted; ++i) {
    u32 lane = (first + i) % 32;
    if (!(lanes >> lane & 1))
      continue;
    self = warp.lanes[lane];
    currentIds = &self->ids;
    ++switches;
    if (self->copies)
      someSmallCopies(*self);
    scheduler.switchTo(self->context);
    if (self->done) {
      stacks.give(self->stack);
      self->stack = nullptr;
    }
  }
}

void Machine::loop() {
  while (!aborted) {
    ++steps;
    if (startableChanged)
      findStartable();
    bool ready = !readyWarps.empty();
    if (!bulkCopies.empty() &&
        (random.oneIn(copyDelay) || (!ready && startable.empty()))) {
      finishCopy(random.below(u32(bulkCopies.size())));
      continue;
    }
    if (!startable.empty() && (!ready || random.oneIn(startDelay))) {
      startBlock(*startable[random.below(u32(startable.size()))]);
      continue;
    }
    if (!ready)
      return;
    Warp &warp = takeReady(readyWarps, random.below(u32(readyWarps.size())));
    runWarp(warp);
    if (warp.block->live == 0)
      finishBlock(*warp.block);
    if (steps - lastProgress > livelockSteps) {
      report(FaultKind::Livelock, "livelock",
             "everybody polls and nothing changes:\n" + waitGraph());
      aborted = true;
    }
  }
}

} // namespace dsv4::cuda::emu
