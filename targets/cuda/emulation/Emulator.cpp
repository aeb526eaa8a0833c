// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulator's public side: memory with guards, launches, a run.

#include "targets/cuda/emulation/Machine.h"

namespace dsv4::cuda::emu {

// A grid or a block that no GPU takes is a mistake in the caller.
static constexpr u32 mostThreads = 1024;

Machine::Machine(const Options &options)
    : options(options), random{options.seed}, stacks(options.stackBytes) {}

Emulator::Emulator(const Options &options)
    : machine(std::make_unique<Machine>(options)) {}
Emulator::~Emulator() = default;

void Emulator::reseed(u64 seed) { machine->random = {seed}; }

void *Emulator::allocate(const char *name, size_t bytes, bool scratch) {
  auto memory = std::make_unique<u8[]>(bytes + 2 * guardBytes + 256);
  auto address = reinterpret_cast<size_t>(memory.get()) + guardBytes;
  // As the driver does it: buffers start at multiples of 256 bytes.
  auto *base = reinterpret_cast<u8 *>((address + 255) / 256 * 256);
  if (scratch) {
    Random noise{bytes};
    for (size_t i = 0; i < bytes; ++i)
      base[i] = u8(noise.next());
  }
  machine->add(name, base, bytes, scratch).memory = std::move(memory);
  return base;
}

void Emulator::makeConstant(const void *memory) {
  for (auto &buffer : machine->buffers)
    if (buffer->base == memory) {
      buffer->constant = true;
      buffer->shadow.reset();
    }
}

void Emulator::adopt(const char *name, const void *memory, size_t bytes,
                     bool constant) {
  machine->add(name, const_cast<u8 *>(static_cast<const u8 *>(memory)), bytes,
               false);
  if (constant)
    makeConstant(memory);
}

LaunchId Emulator::launch(const char *name, Dim grid, Dim block,
                          u32 sharedBytes, std::function<void()> body,
                          std::vector<Edge> edges) {
  auto number = LaunchId(machine->launches.size());
  auto launch = std::make_unique<Launch>();
  launch->number = number;
  launch->name = name;
  launch->grid = grid;
  launch->block = block;
  launch->sharedBytes = sharedBytes;
  launch->body = std::move(body);
  launch->edges = std::move(edges);
  machine->launches.push_back(std::move(launch));
  return number;
}

/// What would make the run itself go wrong.
static void validate(Machine &m) {
  for (auto &launch : m.launches) {
    const char *name = launch->name.c_str();
    if (!launch->grid.count() || !launch->block.count() ||
        launch->block.count() > mostThreads) {
      m.report(FaultKind::Limit, name,
               format("%s: %u blocks of %u threads, expected at least one and "
                      "at most %u threads",
                      name, launch->grid.count(), launch->block.count(),
                      mostThreads));
      m.aborted = true;
    }
    for (const Edge &edge : launch->edges)
      if (edge.from >= launch->number) {
        m.report(FaultKind::Limit, name,
                 format("%s waits for launch %u, expected an earlier one than "
                        "itself, %u",
                        name, edge.from, launch->number));
        m.aborted = true;
      }
  }
}

void Machine::run() {
  slots.assign(1, SlotName());
  reports.clear();
  reportKeys.clear();
  switches = steps = lastProgress = 0;
  startableChanged = true;
  aborted = false;
  copyDelay = 1u << 2 * random.below(4);  // 1, 4, 16, 64
  startDelay = 1u << 3 * random.below(3); // 1, 8, 64
  validate(*this);
  loop();
  bool finished = true;
  for (auto &launch : launches)
    finished = finished && launch->done();
  if (!finished && !aborted)
    report(FaultKind::Deadlock, "deadlock",
           "nobody can go on:\n" + waitGraph());
  readyWarps.clear();
  bulkCopies.clear();
  startable.clear();
  blocks.clear();
  launches.clear();
  counters.clear();
  sets.clear();
  for (auto &buffer : buffers)
    if (buffer->shadow)
      buffer->shadow->settle();
}

Result Emulator::run() {
  Machine *outer = std::exchange(emu::machine, machine.get());
  machine->run();
  emu::machine = outer;
  self = nullptr;
  return {std::move(machine->reports), machine->switches};
}

} // namespace dsv4::cuda::emu
