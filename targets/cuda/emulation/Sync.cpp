// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whoever meets or waits: warp collectives, named barriers, mbarriers, fences,
// counters. Each hands over exactly the knowledge that the instruction orders:
// shuffles none, barriers all, relaxed atomics what a fence has prepared.

#include "targets/cuda/emulation/Machine.h"

#include <algorithm>

namespace dsv4::cuda::emu {

Knowledge Thread::release() {
  Knowledge given{with(know.known, {slot, now}),
                  asyncNow ? with(know.async, {slot, asyncNow}) : know.async};
  ++now;
  return given;
}

void Thread::releaseTo(Gathering &gathering) {
  gathering.add(know, {slot, now}, {slot, asyncNow});
  ++now;
}

/// Meets the other lanes; true in the last, which goes on without waiting.
static bool meet(const char *name, void *args, void (*run)(void **)) {
  Warp &warp = *self->warp;
  u32 lane = self->ids.linear % 32;
  if (warp.arrived &&
      (warp.run != run ||
       (warp.what != name && std::strcmp(warp.what, name) != 0))) {
    machine->complain(FaultKind::Misuse,
                      format("arrives at %s while other lanes of its warp wait "
                             "at %s",
                             name, warp.what));
    machine->abandon();
  }
  warp.run = run;
  warp.what = name;
  warp.args[lane] = args;
  warp.arrived |= 1u << lane;
  if (warp.arrived == (warp.size == 32 ? ~0u : (1u << warp.size) - 1)) {
    warp.arrived = 0;
    return true;
  }
  machine->block(Wait::Collective, name, 0, 0);
  return false;
}

static void wakeLanes(Warp &warp) {
  for (u32 i = 0; i < warp.size; ++i)
    if (warp.lanes[i] != self)
      machine->wake(warp.lanes[i]);
}

void collective(const char *name, void *args, void (*run)(void **)) {
  Warp &warp = *self->warp;
  if (warp.size != 32) {
    machine->complain(
        FaultKind::Misuse,
        format("%s in a warp of %u threads, expected 32", name, warp.size));
    machine->abandon();
  }
  if (!meet(name, args, run))
    return;
  run(warp.args);
  wakeLanes(warp);
  machine->maybeYield();
}

void syncWarp() {
  Warp &warp = *self->warp;
  self->releaseTo(warp.gathering);
  if (!meet("bar.warp", nullptr, nullptr))
    return;
  const Knowledge &all = warp.gathering.close();
  for (u32 i = 0; i < warp.size; ++i)
    warp.lanes[i]->know = all;
  wakeLanes(warp);
  machine->maybeYield();
}

/// Counts an arrival; true when it was the last.
static bool arriveAt(u32 id, u32 threads) {
  if (id >= 16 || threads == 0 || threads % 32 != 0) {
    machine->complain(FaultKind::Misuse,
                      format("bar %u of %u threads: expected a number below 16 "
                             "and a multiple of 32",
                             id, threads));
    machine->abandon();
  }
  NamedBarrier &barrier = myBlock().barriers[id];
  if (barrier.arrived && barrier.expected != threads)
    machine->complain(FaultKind::Misuse,
                      format("bar %u of %u threads, while others wait for %u",
                             id, threads, barrier.expected));
  barrier.expected = threads;
  self->releaseTo(barrier.gathering);
  if (++barrier.arrived < threads)
    return false;
  progress();
  barrier.arrived = 0;
  const Knowledge &all = barrier.gathering.close();
  for (Thread *thread : barrier.waiting) {
    thread->know = all;
    machine->wake(thread);
  }
  barrier.waiting.clear();
  return true;
}

void barrierSync(u32 id, u32 threads) {
  // The last one takes part in waiting for an instant, to be told like others.
  NamedBarrier &barrier = myBlock().barriers[id % 16];
  if (arriveAt(id, threads)) {
    self->know = barrier.gathering.close();
    machine->maybeYield();
    return;
  }
  barrier.waiting.push_back(self);
  machine->block(Wait::Barrier, id ? "bar.sync" : "__syncthreads", id, threads);
}

void barrierArrive(u32 id, u32 threads) {
  arriveAt(id, threads);
  machine->maybeYield();
}

void fenceAcqRel() {
  self->know.take(self->pending);
  self->fenced = self->release();
}

void fenceProxyAsync() {
  // Own writes so far, and those that this thread knows of.
  self->know.async = join(self->know.async, self->know.known);
  self->asyncNow = self->now;
  ++self->now;
}

void fenceMbarInit() {
  for (auto &[addr, bar] : myBlock().mbarriers)
    if (bar.born.slot == self->slot)
      bar.shown = true;
}

static MBarrier *findMBarrier(u32 addr, const char *what) {
  auto &all = myBlock().mbarriers;
  auto at = all.find(addr);
  if (at == all.end()) {
    machine->complain(
        FaultKind::Misuse,
        format("%s at shared memory + %u, where no mbarrier was initialised",
               what, addr));
    return nullptr;
  }
  MBarrier &bar = at->second;
  if (!self->known().knows(bar.born.slot, bar.born.time))
    machine->complain(FaultKind::Misuse,
                      format("%s at shared memory + %u: not ordered behind the "
                             "mbarrier's initialisation by %s",
                             what, addr,
                             machine->nameOf(bar.born.slot).c_str()));
  return &bar;
}

void mbarInit(u32 addr, u32 count) {
  Block &block = myBlock();
  if (addr % 8 != 0 || count == 0 || count >= 1u << 20) {
    machine->complain(FaultKind::Misuse,
                      format("mbarrier.init at shared memory + %u with %u "
                             "arrivals: expected a multiple of 8 and 1 to "
                             "2^20 - 1",
                             addr, count));
    return;
  }
  // The word itself: bounds, and races with ordinary accesses.
  u64 word = count;
  store(block.shared + addr, &word, 8);
  MBarrier &bar = block.mbarriers[addr];
  if (!bar.waiting.empty() || bar.copies)
    machine->complain(FaultKind::Misuse,
                      format("mbarrier.init at shared memory + %u, which is in "
                             "use",
                             addr));
  u32 slot = bar.slot
                 ? bar.slot
                 : machine->newSlot({SlotName::Copies, block.launch->number,
                                     block.index, addr});
  u64 phase = bar.phase; // goes on, so that times of its copies do
  bar = MBarrier();
  bar.count = bar.pending = count;
  bar.phase = (phase + 1) & ~u64(1);
  bar.slot = slot;
  bar.born = {self->slot, self->now};
}

void settlePhase(u32 addr, MBarrier &bar) {
  if (!bar.pending && bar.tx < 0)
    machine->complain(FaultKind::Misuse,
                      format("mbarrier at shared memory + %u got %lld bytes "
                             "more than its phase expects",
                             addr, -(long long)bar.tx));
  if (bar.pending || bar.tx)
    return;
  progress();
  bar.pending = bar.count;
  ++bar.phase;
  bar.done = bar.gathering.close();
  for (Thread *thread : bar.waiting) {
    thread->know.take(bar.done);
    machine->wake(thread);
  }
  bar.waiting.clear();
}

void mbarArrive(u32 addr, u32 txBytes) {
  MBarrier *bar = findMBarrier(addr, "mbarrier.arrive");
  if (!bar)
    return;
  if (bar->pending == 0) {
    machine->complain(FaultKind::Misuse,
                      format("mbarrier.arrive at shared memory + %u: the phase "
                             "has all of its %u arrivals and waits for %lld "
                             "bytes",
                             addr, bar->count, (long long)bar->tx));
    return;
  }
  bar->tx += txBytes;
  if (bar->tx >= 1 << 20)
    machine->complain(FaultKind::Misuse,
                      format("mbarrier at shared memory + %u expects %lld "
                             "bytes, at most 2^20 - 1 can be counted",
                             addr, (long long)bar->tx));
  --bar->pending;
  progress();
  self->releaseTo(bar->gathering);
  settlePhase(addr, *bar);
  machine->maybeYield();
}

/// The phase of this parity is over: takes what its arrivals released.
static bool passed(MBarrier &bar, u32 parity) {
  if ((bar.phase & 1) == (parity & 1))
    return false;
  self->know.take(bar.done);
  return true;
}

bool mbarTryWait(u32 addr, u32 parity) {
  machine->yield();
  MBarrier *bar = findMBarrier(addr, "mbarrier.try_wait");
  return !bar || passed(*bar, parity);
}

void mbarWait(u32 addr, u32 parity) {
  machine->maybeYield();
  MBarrier *bar = findMBarrier(addr, "mbarrier.try_wait");
  if (!bar) {
    // On a device: whatever the word holds decides. Nothing good follows.
    machine->abandon();
  }
  if (passed(*bar, parity))
    return;
  bar->waiting.push_back(self);
  machine->block(Wait::MBarrier, "mbarrier", addr, parity & 1);
}

/// Bounds, alignment, and order against ordinary accesses.
static bool checkAtomic(const u32 *p, Machine::Do what) {
  Access access{self->known(), self->known(), self->slot, self->now};
  if (reinterpret_cast<size_t>(p) % 4 != 0) {
    machine->complain(FaultKind::Misaligned, "atomic at an odd address");
    return false;
  }
  return machine->check(p, 4, access, what, "atomic access");
}

static void acquire(Counter &counter, Order order) {
  if (order == Order::Acquire || order == Order::AcqRel)
    self->know.take(counter.released);
  else
    self->pending.take(counter.released);
}

static Knowledge released(Order order) {
  if (order == Order::Release || order == Order::AcqRel)
    return self->release();
  return self->fenced;
}

static void wakeWaiters(const u32 *p, Counter &counter) {
  progress();
  for (size_t i = 0; i < counter.waiting.size();) {
    Thread *thread = counter.waiting[i];
    if (*p < thread->wait.want) {
      ++i;
      continue;
    }
    thread->know.take(counter.released);
    machine->wake(thread);
    counter.waiting.erase(counter.waiting.begin() + long(i));
  }
}

u32 atomicLoad(const u32 *p, Order order) {
  machine->yield();
  if (!checkAtomic(p, Machine::Do::AtomicLoad))
    return ~0u;
  acquire(machine->counters[p], order);
  return *p;
}

u32 atomicAdd(u32 *p, u32 value, Order order) {
  machine->maybeYield();
  if (!checkAtomic(p, Machine::Do::Atomic))
    return ~0u;
  Counter &counter = machine->counters[p];
  u32 old = *p;
  *p = old + value;
  acquire(counter, order);
  counter.released.take(released(order));
  wakeWaiters(p, counter);
  machine->maybeYield();
  return old;
}

void atomicStore(u32 *p, u32 value, Order order) {
  machine->maybeYield();
  if (!checkAtomic(p, Machine::Do::Atomic))
    return;
  Counter &counter = machine->counters[p];
  *p = value;
  counter.released = released(order);
  wakeWaiters(p, counter);
}

void counterWait(const u32 *p, u32 atLeast) {
  machine->maybeYield();
  if (!checkAtomic(p, Machine::Do::AtomicLoad))
    machine->abandon();
  Counter &counter = machine->counters[p];
  if (*p >= atLeast) {
    self->know.take(counter.released);
    return;
  }
  counter.waiting.push_back(self);
  machine->block(Wait::Counter, "counter", reinterpret_cast<u64>(p), atLeast);
}

u32 atomicShared(Atomic operation, u32 addr, u32 value) {
  machine->maybeYield();
  auto *p = reinterpret_cast<u32 *>(myBlock().shared + addr);
  if (!checkAtomic(p, Machine::Do::Atomic))
    return ~0u;
  u32 old = *p;
  *p = operation == Atomic::Add ? old + value : std::max(old, value);
  progress();
  return old;
}

void yield() { machine->yield(); }

void trap() {
  machine->complain(FaultKind::Trap, "executes trap");
  machine->abandon();
}

} // namespace dsv4::cuda::emu
