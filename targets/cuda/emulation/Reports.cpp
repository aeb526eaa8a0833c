// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Findings as text. Equal ones, which differ in thread or byte, are counted;
// the first is kept. The wait graph groups threads that wait for the same
// thing.

#include "targets/cuda/emulation/Machine.h"

#include <cstdarg>
#include <cstdio>

namespace dsv4::cuda::emu {

std::string format(const char *pattern, ...) {
  char text[512];
  va_list args;
  va_start(args, pattern);
  std::vsnprintf(text, sizeof text, pattern, args);
  va_end(args);
  return text;
}

void Machine::report(FaultKind kind, const std::string &key,
                     const std::string &text) {
  auto [at, fresh] =
      reportKeys.try_emplace(format("%d ", int(kind)) + key, reports.size());
  if (!fresh) {
    if (at->second < reports.size())
      ++reports[at->second].count;
    return;
  }
  if (reports.size() < options.maxReports)
    reports.push_back({kind, text, 1});
  else
    at->second = ~size_t(0);
}

/// The key leaves out numbers, so that a fault in a loop is one finding.
void Machine::complain(FaultKind kind, const std::string &text) {
  std::string key = myBlock().launch->name + " ";
  for (char c : text)
    if (c < '0' || c > '9')
      key += c;
  report(kind, key, nameOf(*self) + ": " + text);
}

std::string Machine::nameOf(const Thread &thread) const {
  return nameOf(thread.slot);
}

std::string Machine::nameOf(u32 slot) const {
  const SlotName &name = slots[slot];
  if (name.kind == SlotName::None)
    return "the host";
  std::string block =
      format("%s block %u", launches[name.launch]->name.c_str(), name.block);
  switch (name.kind) {
  case SlotName::Copies:
    return block + format(" bulk copy of the mbarrier at %u", name.index);
  case SlotName::SmallCopies:
    return block + format(" cp.async of thread %u", name.index);
  case SlotName::Wgmma:
    return block + format(" wgmma of warp %u", name.index);
  default:
    return block + format(" thread %u", name.index);
  }
}

static std::string missingLanes(const Warp &warp) {
  std::string text;
  for (u32 i = 0; i < warp.size; ++i)
    if (!(warp.arrived >> i & 1))
      text += format("%s%u%s", text.empty() ? "" : ", ", i,
                     warp.lanes[i]->done ? " (ended)" : "");
  return text;
}

static bool inBuffer(const Buffer &buffer, const void *p) {
  auto *byte = static_cast<const u8 *>(p);
  return byte >= buffer.base && byte < buffer.base + buffer.bytes;
}

std::string Machine::describeWait(const Thread &thread) const {
  const Wait &wait = thread.wait;
  Block &block = *thread.warp->block;
  switch (wait.kind) {
  case Wait::Nothing:
    return "polls";
  case Wait::Collective:
    return format("%s: without lanes %s", wait.what,
                  missingLanes(*thread.warp).c_str());
  case Wait::Barrier: {
    u32 ended = u32(block.threads.size()) - block.live;
    return format("%s %llu: %u of %u threads have come", wait.what, wait.id,
                  block.barriers[wait.id].arrived, wait.want) +
           (ended ? format(" (%u threads of the block have ended)", ended)
                  : std::string());
  }
  case Wait::MBarrier: {
    const MBarrier &bar = block.mbarriers.at(u32(wait.id));
    return format("mbarrier at shared memory + %llu: wants the end of parity "
                  "%u, is in phase %llu with %u of %u arrivals and %lld bytes "
                  "outstanding",
                  wait.id, wait.want, bar.phase, bar.pending, bar.count,
                  (long long)bar.tx);
  }
  case Wait::Counter: {
    auto *p = reinterpret_cast<const u32 *>(wait.id);
    for (auto &buffer : buffers)
      if (inBuffer(*buffer, p))
        return format(
            "counter %s + %llu: wants %u, sees %u", buffer->name.c_str(),
            u64(reinterpret_cast<const u8 *>(p) - buffer->base), wait.want, *p);
    return format("counter in shared memory: wants %u, sees %u", wait.want, *p);
  }
  case Wait::GridDep: {
    const Launch &from = *launches[wait.id];
    return format("griddepcontrol.wait: %u of %u blocks of %s have ended",
                  from.finished, from.grid.count(), from.name.c_str());
  }
  }
  return "";
}

std::string Machine::waitGraph() const {
  std::string text;
  for (auto &block : blocks) {
    size_t count = block->threads.size();
    for (size_t i = 0; i < count;) {
      if (block->threads[i]->done) {
        ++i;
        continue;
      }
      std::string what = describeWait(*block->threads[i]);
      size_t end = i + 1;
      while (end < count && !block->threads[end]->done &&
             describeWait(*block->threads[end]) == what)
        ++end;
      text +=
          format("  %s block %u threads %zu-%zu: ", block->launch->name.c_str(),
                 block->index, i, end - 1) +
          what + "\n";
      i = end;
    }
  }
  for (auto &launch : launches) {
    if (launch->started == launch->grid.count())
      continue;
    text +=
        format("  %s: %u of %u blocks have not started: ", launch->name.c_str(),
               launch->grid.count() - launch->started, launch->grid.count());
    text += mayStart(*launch) ? format("all %u places for blocks are taken\n",
                                       options.residentBlocks)
                              : std::string("a launch before it goes on\n");
  }
  return text;
}

bool Result::has(FaultKind kind) const {
  for (const Report &report : reports)
    if (report.kind == kind)
      return true;
  return false;
}

std::string Result::text() const {
  static const char *const names[] = {
      "race",     "unwritten memory", "out of bounds", "misaligned", "misuse",
      "deadlock", "livelock",         "trap",          "limit"};
  std::string text;
  for (const Report &report : reports) {
    text += format("%s: ", names[int(report.kind)]) + report.text;
    if (report.count > 1)
      text += format(" (and %llu more like it)", report.count - 1);
    text += "\n";
  }
  return text;
}

} // namespace dsv4::cuda::emu
