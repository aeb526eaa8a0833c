// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches: which block may start, what it knows then, and what its end tells
// others. An edge alone orders nothing for a dependent that started early:
// gridDepWait does.

#include "targets/cuda/emulation/Machine.h"

#include <cstdlib>

namespace dsv4::cuda::emu {

Block::~Block() {
  for (auto &thread : threads)
    if (thread->stack)
      machine->stacks.give(thread->stack);
  std::free(shared);
}

u32 Machine::newSlot(SlotName name) {
  slots.push_back(name);
  return u32(slots.size() - 1);
}

bool Machine::mayStart(const Launch &launch) const {
  if (launch.started == launch.grid.count())
    return false;
  for (const Edge &edge : launch.edges) {
    const Launch &from = *launches[edge.from];
    if (edge.kind == Edge::Full ? !from.done()
                                : from.triggered < from.grid.count())
      return false;
  }
  return true;
}

void Machine::findStartable() {
  startableChanged = false;
  startable.clear();
  if (blocks.size() >= options.residentBlocks)
    return;
  for (auto &launch : launches)
    if (mayStart(*launch))
      startable.push_back(launch.get());
}

static void threadMain(void *argument) {
  Context::arrived(machine->scheduler);
  auto *thread = static_cast<Thread *>(argument);
  thread->warp->block->launch->body();
  machine->threadEnds(*thread);
  thread->context.switchTo(machine->scheduler, true);
}

static u8 *makeShared(u32 bytes, Random &random) {
  size_t size = (size_t(bytes) + 1023) / 1024 * 1024;
  auto *memory = static_cast<u8 *>(std::aligned_alloc(1024, size));
  for (size_t i = 0; memory && i < size; i += 8) {
    u64 noise = random.next();
    std::memcpy(memory + i, &noise, 8);
  }
  return memory;
}

static void placeThread(Thread &thread, Block &block, u32 number) {
  const Launch &launch = *block.launch;
  Dim size = launch.block, grid = launch.grid;
  Ids &ids = thread.ids;
  ids.thread = {number % size.x, number / size.x % size.y,
                number / (size.x * size.y)};
  ids.block = {block.index % grid.x, block.index / grid.x % grid.y,
               block.index / (grid.x * grid.y)};
  ids.blockDim = size;
  ids.gridDim = grid;
  ids.linear = number;
  ids.shared = block.shared;
  ids.sharedBytes = block.sharedBytes;
}

static bool startThread(Machine &m, Block &block, u32 number,
                        const Knowledge &known) {
  auto &thread = *block.threads.emplace_back(std::make_unique<Thread>());
  Warp &warp = block.warps[number / 32];
  warp.block = &block;
  warp.lanes[warp.size++] = &thread;
  thread.warp = &warp;
  thread.know = known;
  thread.slot =
      m.newSlot({SlotName::Thread, block.launch->number, block.index, number});
  placeThread(thread, block, number);
  thread.stack = m.stacks.take();
  if (!thread.stack)
    return false;
  thread.context.prepare(thread.stack, m.stacks.size(), threadMain, &thread);
  m.wake(&thread);
  return true;
}

void Machine::startBlock(Launch &launch) {
  auto &block = *blocks.emplace_back(std::make_unique<Block>());
  block.launch = &launch;
  block.index = launch.started++;
  startableChanged = true;
  progress();
  Knowledge known;
  for (const Edge &edge : launch.edges)
    if (edge.kind == Edge::Full)
      known.take(launches[edge.from]->complete);
  block.sharedBytes = launch.sharedBytes;
  if (launch.sharedBytes) {
    block.shared = makeShared(launch.sharedBytes, random);
    block.shadow =
        std::make_unique<Shadow>(launch.sharedBytes, Shadow::State::Unwritten);
  }
  u32 count = launch.block.count();
  block.live = count;
  block.warps.resize((count + 31) / 32);
  // Slots of a block share chunks with nobody, so that joins find them equal.
  if (count >= ClockChunk::slots / 2)
    slots.resize((slots.size() + ClockChunk::slots - 1) / ClockChunk::slots *
                 ClockChunk::slots);
  for (u32 i = 0; i < count; ++i)
    if (!startThread(*this, block, i, known)) {
      report(FaultKind::Limit, "stacks",
             format("no memory for the stack of thread %u of block %u of %s: "
                    "lower residentBlocks or stackBytes",
                    i, block.index, launch.name.c_str()));
      aborted = true;
      return;
    }
}

void Machine::threadEnds(Thread &thread) {
  checkLeftovers(thread);
  Block &block = *thread.warp->block;
  thread.releaseTo(block.launch->gathering);
  thread.done = true;
  thread.know = {};
  --block.live;
  progress();
}

/// All four warps of a group must have issued the same products.
static void compareWarps(Machine &m, Block &block) {
  auto issued = [&](size_t i) {
    auto &queue = block.threads[i]->wgmma;
    return queue ? queue->issued : 0;
  };
  for (size_t i = 0; i < block.threads.size(); ++i)
    if (issued(i) != issued(i / 128 * 128)) {
      m.report(FaultKind::Misuse, block.launch->name + " wgmma counts",
               format("%s: has issued %llu wgmma, thread %zu of its warpgroup "
                      "%llu",
                      m.nameOf(*block.threads[i]).c_str(), issued(i),
                      i / 128 * 128, issued(i / 128 * 128)));
      return;
    }
}

void Machine::finishBlock(Block &block) {
  Launch &launch = *block.launch;
  compareWarps(*this, block);
  if (block.copies) {
    report(FaultKind::Misuse, launch.name + " open copies",
           format("%s block %u ends while %u bulk copies are in flight",
                  launch.name.c_str(), block.index, block.copies));
    std::erase_if(bulkCopies,
                  [&](const BulkCopy &copy) { return copy.block == &block; });
  }
  if (!block.triggered)
    ++launch.triggered;
  ++launch.finished;
  if (launch.done()) {
    launch.complete = launch.gathering.close();
    for (Thread *thread : launch.waiting)
      wake(thread);
    launch.waiting.clear();
  }
  startableChanged = true;
  std::erase_if(blocks,
                [&](const auto &other) { return other.get() == &block; });
}

void gridDepLaunch() {
  Block &block = myBlock();
  if (!block.triggered) {
    block.triggered = true;
    ++block.launch->triggered;
    machine->startableChanged = true;
    progress();
  }
  machine->maybeYield();
}

void gridDepWait() {
  for (const Edge &edge : myBlock().launch->edges) {
    Launch &from = *machine->launches[edge.from];
    while (!from.done()) {
      from.waiting.push_back(self);
      machine->block(Wait::GridDep, "griddepcontrol.wait", from.number, 0);
    }
    self->know.take(from.complete);
  }
  machine->maybeYield();
}

} // namespace dsv4::cuda::emu
