// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads and stores: where an address lies, whether it may be touched, and
// whether the shadow knows an order. A faulty load gives bytes of ones (NaN as
// a float), a faulty store does nothing, so that a run goes on to the next
// fault.

#include "targets/cuda/emulation/Machine.h"

#include <algorithm>

namespace dsv4::cuda::emu {

Buffer &Machine::add(const char *name, u8 *base, u64 bytes, bool scratch) {
  auto buffer = std::make_unique<Buffer>();
  buffer->name = name;
  buffer->base = base;
  buffer->bytes = bytes;
  buffer->shadow = std::make_unique<Shadow>(
      bytes, scratch ? Shadow::State::Unwritten : Shadow::State::Written);
  auto at = std::upper_bound(
      buffers.begin(), buffers.end(), base,
      [](const u8 *p, const auto &other) { return p < other->base; });
  return **buffers.insert(at, std::move(buffer));
}

/// The buffer that holds p, or the last one before it, or null.
Buffer *Machine::find(const void *p) {
  auto *byte = static_cast<const u8 *>(p);
  if (lastBuffer && byte >= lastBuffer->base &&
      byte < lastBuffer->base + lastBuffer->bytes)
    return lastBuffer;
  auto at = std::upper_bound(
      buffers.begin(), buffers.end(), byte,
      [](const u8 *p, const auto &other) { return p < other->base; });
  if (at == buffers.begin())
    return nullptr;
  return lastBuffer = (at - 1)->get();
}

/// In the buffer, or in the guard behind it: meant is that buffer.
static bool nearBuffer(const Buffer *buffer, const u8 *p) {
  return buffer && p < buffer->base + buffer->bytes + guardBytes;
}
static bool nearShared(const Block &block, const u8 *p) {
  return block.shared && p >= block.shared && p - block.shared < 1 << 20;
}

Region Machine::locate(const void *p, u32 bytes, const char *verb) {
  auto *byte = static_cast<const u8 *>(p);
  Block &block = myBlock();
  Region region;
  u64 size = 0;
  if (block.shared && byte >= block.shared &&
      byte < block.shared + block.sharedBytes) {
    region = {block.shadow.get(), "shared memory", u64(byte - block.shared),
              false, true};
    size = block.sharedBytes;
  } else if (Buffer *buffer = find(p);
             !nearBuffer(buffer, byte) && nearShared(block, byte)) {
    region = {block.shadow.get(), "shared memory", u64(byte - block.shared),
              false, true};
    size = block.sharedBytes;
  } else if (buffer) {
    region = {buffer->shadow.get(), buffer->name, u64(byte - buffer->base),
              buffer->constant, true};
    size = buffer->bytes;
  }
  if (!region.valid) {
    complain(
        FaultKind::OutOfBounds,
        format("%s of %u bytes at an address below every buffer", verb, bytes));
  } else if (region.offset > size || size - region.offset < bytes) {
    region.valid = false;
    complain(FaultKind::OutOfBounds,
             format("%s of %u bytes at %s + %llu, which has %llu bytes", verb,
                    bytes, std::string(region.name).c_str(), region.offset,
                    size));
  }
  return region;
}

static const char *describe(Fault fault) {
  switch (fault) {
  case Fault::ReadAfterWrite:
    return "is not ordered behind the write by";
  case Fault::WriteAfterWrite:
    return "is not ordered behind another write by";
  case Fault::WriteAfterRead:
    return "is not ordered behind a read by";
  default:
    return "";
  }
}

bool Machine::check(const void *p, u32 bytes, const Access &access, Do what,
                    const char *verb) {
  Region region = locate(p, bytes, verb);
  if (!region.valid)
    return false;
  auto where = [&](u64 offset) {
    return format("%s of %u bytes at %s + %llu", verb, bytes,
                  std::string(region.name).c_str(), offset);
  };
  if ((what == Do::Write || what == Do::Atomic) && region.constant) {
    complain(FaultKind::OutOfBounds,
             where(region.offset) + ", which kernels may only read");
    return false;
  }
  if (!region.shadow)
    return true;
  static constexpr decltype(&Shadow::read) judges[] = {
      &Shadow::read, &Shadow::write, &Shadow::atomic, &Shadow::atomicLoad};
  Finding found =
      (region.shadow->*judges[int(what)])(sets, region.offset, bytes, access);
  if (found.fault == Fault::None)
    return true;
  if (found.fault == Fault::ReadUnwritten) {
    complain(FaultKind::Unwritten,
             where(found.offset) + ": nobody has written there");
    return true;
  }
  std::string key =
      format("%s %s %d %d %u %u", verb, std::string(region.name).c_str(),
             int(found.fault), int(slots[found.slot].kind),
             slots[found.slot].launch, slots[access.slot].launch);
  report(FaultKind::Race, key,
         nameOf(access.slot) + ": " + where(found.offset) + " " +
             describe(found.fault) + " " + nameOf(found.slot));
  return true;
}

static bool aligned(const void *p, u32 bytes, const char *verb) {
  u32 unit = bytes & (0 - bytes); // a struct of 12 bytes moves 4 at a time
  if (reinterpret_cast<size_t>(p) % unit == 0)
    return true;
  machine->complain(FaultKind::Misaligned,
                    format("%s of %u bytes at an address that is no multiple "
                           "of %u",
                           verb, bytes, unit));
  return false;
}

void load(const void *from, void *to, u32 bytes) {
  Access access{self->known(), self->known(), self->slot, self->now};
  if (aligned(from, bytes, "load") &&
      machine->check(from, bytes, access, Machine::Do::Read, "load"))
    std::memcpy(to, from, bytes);
  else
    std::memset(to, 0xff, bytes);
}

void store(void *to, const void *from, u32 bytes) {
  Access access{self->known(), self->known(), self->slot, self->now};
  if (aligned(to, bytes, "store") &&
      machine->check(to, bytes, access, Machine::Do::Write, "store"))
    std::memcpy(to, from, bytes);
  progress();
}

} // namespace dsv4::cuda::emu
