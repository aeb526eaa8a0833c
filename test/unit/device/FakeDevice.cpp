// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FakeDevice.h. Work of a stream is done when somebody waits for it and not
// before; a copy to the host spoils its goal at once, so that reading it too
// early shows.

#include "FakeDevice.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fakecuda {

namespace {

// Unlike any address of the host, and never used twice.
constexpr Address firstAddress = Address(0x7d) << 40;
constexpr Address gap = 1 << 20;

template <typename T> void deleteAll(std::set<T *> &all) {
  for (T *one : all)
    delete one;
  all.clear();
}

template <typename T> void readEnv(const char *name, T &value) {
  if (const char *text = getenv(name))
    value = static_cast<T>(strtoll(text, nullptr, 10));
}

} // namespace

Playground *playground = nullptr;

Machine &machine() {
  static Machine one;
  return one;
}

Machine::Machine() { reset(); }

void Machine::reset() {
  set = {};
  readEnv("FAKE_CUDA_DEVICES", set.devices);
  readEnv("FAKE_CUDA_CC", set.capability);
  readEnv("FAKE_CUDA_SMS", set.multiprocessors);
  readEnv("FAKE_CUDA_TOTAL", set.totalBytes);
  readEnv("FAKE_CUDA_FREE", set.freeBytes);
  readEnv("FAKE_CUDA_DRIVER", set.driver);
  readEnv("FAKE_CUDA_INIT", set.init);
  isInitialised = isCurrent = false;
  retained = pins = 0;
  sticky = failResult = 0;
  taken = 0;
  deleteAll(streams);
  deleteAll(events);
  deleteAll(modules);
  deleteAll(functions);
  deleteAll(graphs);
  deleteAll(execs);
  kernels.clear();
  blocks.clear();
  nextAddress = firstAddress;
  made.clear();
  wrong.clear();
  failing.clear();
  callsLeft = 0;
  readEnv("FAKE_CUDA_FAIL", callsLeft);
  failResult = callsLeft ? Unknown : Success;
}

void Machine::failCall(int64_t n, Result result) {
  callsLeft = n;
  failResult = result;
}

Result Machine::enter(const char *name, bool needsContext) {
  made.push_back(name);
  if (callsLeft > 0 && --callsLeft == 0)
    return failResult;
  if (auto found = failing.find(name); found != failing.end())
    return found->second;
  if (needsContext && !isCurrent)
    return misused(std::string(name) + ": no context is current",
                   InvalidContext);
  return needsContext ? sticky : Success;
}

Result Machine::misused(const std::string &what, Result result) {
  wrong.push_back(what);
  return result;
}

std::vector<std::string> Machine::leaks() const {
  std::vector<std::string> found;
  auto note = [&](const char *what, size_t count) {
    if (count)
      found.push_back(std::to_string(count) + " " + what);
  };
  static const char *kinds[] = {"blocks of device memory", "pinned blocks",
                                "registered blocks"};
  size_t held[3] = {};
  for (const auto &[address, block] : blocks)
    held[block.kind] += !block.isFreed;
  for (int i = 0; i < 3; ++i)
    note(kinds[i], held[i]);
  note("streams", streams.size());
  note("events", events.size());
  note("modules", modules.size());
  note("graphs", graphs.size());
  note("graph instances", execs.size());
  note("contexts", size_t(retained));
  note("current contexts", isCurrent);
  return found;
}

Result Machine::allocate(Block::Kind kind, size_t bytes, void *host,
                         Address &address) {
  if (bytes == 0)
    return misused("an allocation of 0 bytes");
  if (kind == Block::OfDevice) {
    if (bytes > set.freeBytes - taken)
      return NoMemory;
    taken += bytes;
  }
  if (kind == Block::Pinned && set.pinLimit >= 0 && pins++ >= set.pinLimit)
    return NoMemory;
  Block block{kind, bytes, {}, static_cast<uint8_t *>(host)};
  if (kind != Block::Registered) {
    block.own.assign(bytes, 0xcd); // nobody may count on zeros
    block.data = block.own.data();
  }
  if (playground) {
    address = reinterpret_cast<Address>(block.data);
    static const char *const names[] = {"device", "pinned", "mapped"};
    playground->added(names[kind], block.data, bytes);
    blocks.erase(address); // freed before
  } else {
    address = nextAddress;
    nextAddress += (bytes + 2 * gap - 1) / gap * gap;
  }
  blocks.emplace(address, std::move(block));
  return Success;
}

Result Machine::free(Block::Kind kind, Address address) {
  auto found = blocks.find(address);
  if (found == blocks.end() || found->second.kind != kind)
    return misused("free of something that was never allocated");
  Block &block = found->second;
  if (block.isFreed)
    return misused("free of something that was freed before");
  if (isPending(address, block.bytes))
    misused("free of memory that work on its way uses");
  block.isFreed = true;
  block.own = {};
  taken -= kind == Block::OfDevice ? block.bytes : 0;
  return Success;
}

Address Machine::addressOf(const void *host, size_t bytes) {
  const auto *at = static_cast<const uint8_t *>(host);
  for (const auto &[address, block] : blocks)
    if (block.kind != Block::OfDevice && !block.isFreed && at >= block.data &&
        at + bytes <= block.data + block.bytes)
      return address + Address(at - block.data);
  return 0;
}

uint8_t *Machine::find(Address address, size_t bytes, const std::string &who) {
  auto found = blocks.upper_bound(address);
  if (found == blocks.begin()) {
    misused(who + ": not an address of the device");
    return nullptr;
  }
  --found;
  const Block &block = found->second;
  Address offset = address - found->first;
  if (offset >= block.bytes || bytes > block.bytes - offset) {
    misused(who + ": out of bounds");
    return nullptr;
  }
  if (block.isFreed) {
    misused(who + ": use after free");
    return nullptr;
  }
  return block.data + offset;
}

uint8_t *Machine::peek(Address address) {
  auto found = blocks.upper_bound(address);
  if (found == blocks.begin())
    return nullptr;
  --found;
  Address offset = address - found->first;
  const Block &block = found->second;
  return offset < block.bytes && !block.isFreed ? block.data + offset : nullptr;
}

bool Machine::isReadOnly(Address address) const {
  auto found = blocks.upper_bound(address);
  return found != blocks.begin() && (--found)->second.kind == Block::Registered;
}

bool Machine::touches(const FakeNode &node, Address begin, size_t bytes) const {
  Range all{begin, begin + bytes, true};
  return (node.from && all.meets({node.from, node.from + node.bytes, false})) ||
         (node.to && all.meets({node.to, node.to + node.bytes, true}));
}

bool Machine::isPending(Address begin, size_t bytes) const {
  for (const FakeStream *stream : streams)
    for (size_t i = stream->done; i < stream->queue.size(); ++i) {
      const Operation &operation = stream->queue[i];
      // Kernels may use anything.
      if (operation.exec || operation.node.function ||
          touches(operation.node, begin, bytes))
        return true;
    }
  return false;
}

/// Spoils where a copy to the host will go: until somebody waits, nothing is
/// there.
static void spoil(Machine &m, const FakeNode &node, const char *who) {
  if (node.function || !node.to)
    return;
  if (m.addressOf(m.find(node.to, node.bytes, who), node.bytes))
    memset(m.find(node.to, node.bytes, who), 0xdd, node.bytes);
}

Result Machine::makeLaunch(const KernelNodeParams &p, FakeNode &node) {
  auto *function = reinterpret_cast<FakeFunction *>(p.function);
  if (!has(functions, function) || !has(modules, function->module))
    return misused("launch of an unloaded function", InvalidHandle);
  if (p.extra || !p.params)
    return misused("launch: arguments");
  uint32_t threads = p.blockX * p.blockY * p.blockZ;
  if (!p.gridX || !p.gridY || !p.gridZ || !threads ||
      threads > uint32_t(function->threads))
    return misused("launch: grid or block of " + function->name);
  if (p.gridX > 0x7fffffff || p.gridY > 65535 || p.gridZ > 65535)
    return misused("launch: too large a grid for " + function->name);
  if (p.sharedBytes > uint32_t(function->maxDynamicShared))
    return misused("launch: shared memory of " + function->name);
  node = {function->name, function};
  auto *params = static_cast<const uint8_t *>(p.params[0]);
  node.params.assign(params, params + function->params);
  node.gridX = p.gridX;
  node.gridY = p.gridY;
  node.blockX = p.blockX;
  node.sharedBytes = p.sharedBytes;
  return Success;
}

Result Machine::push(FakeStream *stream, Operation operation) {
  if (!has(streams, stream))
    return misused("work for an unknown stream", InvalidHandle);
  if (operation.exec)
    for (const FakeNode &node : operation.exec->nodes)
      spoil(*this, node, "graph");
  else
    spoil(*this, operation.node, "copy");
  stream->queue.push_back(std::move(operation));
  return Success;
}

Result Machine::sync(FakeStream *stream, size_t upTo) {
  for (; stream->done < upTo; ++stream->done)
    if (!sticky)
      sticky = runOperation(stream->queue[stream->done]);
  return sticky;
}

Result Machine::runOperation(Operation &operation) {
  try {
    std::vector<Range> seen;
    if (playground && (operation.exec || operation.node.function)) {
      FakeExec single{{operation.node}, {}};
      playground->run(operation.exec ? *operation.exec : single);
      return Success;
    }
    if (operation.exec)
      runExec(*operation.exec);
    for (bool isAfter : {false, true})
      if (!operation.exec)
        runNode(operation.node, isAfter, seen);
  } catch (const Fault &fault) {
    return fault.result;
  }
  return Success;
}

} // namespace fakecuda
