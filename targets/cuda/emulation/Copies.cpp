// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies that happen later than they are asked for. A bulk copy belongs to its
// mbarrier's copy engine, a cp.async to one of its thread: an actor of its own,
// whose writes are known only to those who waited for it.

#include "targets/cuda/emulation/Machine.h"

namespace dsv4::cuda::emu {

void bulkCopy(u32 to, const void *from, u32 bytes, u32 mbar) {
  Block &block = myBlock();
  if (bytes == 0 || bytes % 16 != 0 || to % 16 != 0 ||
      reinterpret_cast<size_t>(from) % 16 != 0) {
    machine->complain(FaultKind::Misaligned,
                      format("cp.async.bulk of %u bytes to shared memory + %u: "
                             "size and both addresses must be multiples of 16",
                             bytes, to));
    return;
  }
  auto at = block.mbarriers.find(mbar);
  if (at == block.mbarriers.end()) {
    machine->complain(FaultKind::Misuse,
                      format("cp.async.bulk to shared memory + %u names an "
                             "mbarrier at %u, where none was initialised",
                             to, mbar));
    return;
  }
  MBarrier &bar = at->second;
  View view = bar.shown ? self->known() : self->async();
  if (!view.knows(bar.born.slot, bar.born.time))
    machine->complain(FaultKind::Misuse,
                      format("cp.async.bulk names the mbarrier at %u: no fence "
                             "shows its initialisation to copies",
                             mbar));
  ++bar.copies;
  ++block.copies;
  machine->bulkCopies.push_back({&block, to, static_cast<const u8 *>(from),
                                 bytes, mbar, self->know, self->slot, self->now,
                                 self->asyncNow});
  // Nothing that this thread does from here on is ordered before the copy.
  ++self->now;
  progress();
  machine->maybeYield();
}

void Machine::finishCopy(size_t number) {
  BulkCopy copy = std::move(bulkCopies[number]);
  bulkCopies[number] = std::move(bulkCopies.back());
  bulkCopies.pop_back();
  Block &block = *copy.block;
  MBarrier &bar = block.mbarriers.at(copy.mbar);
  // Findings speak of the thread that issued the copy.
  for (auto &thread : block.threads)
    if (thread->slot == copy.slot)
      self = thread.get();
  u32 time = u32(bar.phase + 1);
  View shown{&copy.issuer.async, copy.slot, copy.issuedAsync};
  View known{&copy.issuer.known, copy.slot, copy.issued};
  // Reads that an mbarrier or barrier has ordered need no proxy fence.
  Access access{shown, known, bar.slot, time};
  u8 *to = block.shared + copy.to;
  bool fine =
      check(copy.from, copy.bytes, access, Machine::Do::Read, "bulk copy");
  if (check(to, copy.bytes, access, Machine::Do::Write, "bulk copy") && fine)
    std::memcpy(to, copy.from, copy.bytes);
  --bar.copies;
  --block.copies;
  bar.gathering.add({}, {bar.slot, time}, {bar.slot, time});
  bar.tx -= copy.bytes;
  lastProgress = steps;
  settlePhase(copy.mbar, bar);
}

void bulkPrefetch(const void *from, u32 bytes) {
  if (bytes == 0 || bytes % 16 != 0 ||
      reinterpret_cast<size_t>(from) % 16 != 0) {
    machine->complain(FaultKind::Misaligned,
                      format("prefetch of %u bytes: size and address must be "
                             "multiples of 16",
                             bytes));
    return;
  }
  machine->locate(from, bytes, "prefetch");
}

static SmallCopies &mySmallCopies() {
  if (!self->copies) {
    self->copies = std::make_unique<SmallCopies>();
    Block &block = myBlock();
    self->copies->slot =
        machine->newSlot({SlotName::SmallCopies, block.launch->number,
                          block.index, self->ids.linear});
  }
  return *self->copies;
}

void asyncCopy16(u32 to, const void *from, u32 bytesRead) {
  if (to % 16 != 0 || reinterpret_cast<size_t>(from) % 16 != 0 ||
      bytesRead > 16) {
    machine->complain(FaultKind::Misaligned,
                      format("cp.async of %u bytes to shared memory + %u: "
                             "expected at most 16, between multiples of 16",
                             bytesRead, to));
    return;
  }
  SmallCopies &copies = mySmallCopies();
  copies.open.push_back({to, static_cast<const u8 *>(from), bytesRead,
                         copies.groups, self->know, self->now, self->asyncNow});
}

static void doOldest(Thread &thread) {
  SmallCopies &copies = *thread.copies;
  SmallCopy copy = std::move(copies.open.front());
  copies.open.pop_front();
  View known{&copy.issuer.known, thread.slot, copy.issued};
  Access access{known, known, copies.slot, copy.group + 1};
  u8 *to = myBlock().shared + copy.to;
  if (copy.bytes && !machine->check(copy.from, copy.bytes, access,
                                    Machine::Do::Read, "cp.async"))
    return;
  if (!machine->check(to, 16, access, Machine::Do::Write, "cp.async"))
    return;
  std::memset(to, 0, 16);
  std::memcpy(to, copy.from, copy.bytes);
}

void someSmallCopies(Thread &thread) {
  while (!thread.copies->open.empty() && machine->random.oneIn(2))
    doOldest(thread);
}

void asyncCommit() { ++mySmallCopies().groups; }

void asyncWait(u32 groupsLeft) {
  SmallCopies &copies = mySmallCopies();
  u32 first = copies.groups > groupsLeft ? copies.groups - groupsLeft : 0;
  while (!copies.open.empty() && copies.open.front().group < first)
    doOldest(*self);
  if (first)
    self->know.known = with(self->know.known, {copies.slot, first});
}

} // namespace dsv4::cuda::emu
