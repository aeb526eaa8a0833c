// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wgmma: issued now, done at a wait, over what registers and shared memory hold
// then. Between, the accumulators read as NaN. Each warp does its 16 rows when
// its lanes meet at the wait; reads of B are those of the warp's own actor, so
// that whoever lets B go before the wait is found.

#include "targets/cuda/emulation/Machine.h"

#include <algorithm>

namespace dsv4::cuda::emu {
namespace {

// A quiet NaN that no arithmetic makes.
constexpr u32 poison = 0x7fe1a5e5u;

struct WaitArgs {
  Thread *thread;
  u32 left;
};

WgmmaQueue &myQueue() {
  if (!self->wgmma)
    self->wgmma = std::make_unique<WgmmaQueue>();
  return *self->wgmma;
}

WgmmaQueue::Accumulator &accumulatorOf(WgmmaQueue &queue, float *d) {
  for (auto &live : queue.live)
    if (live.d == d)
      return live;
  __builtin_unreachable();
}

/// The layout that a descriptor names.
struct Layout {
  u32 start, unitStride, groupStride, swizzle;
  explicit Layout(u64 descriptor)
      : start(u32(descriptor & 0x3fff) << 4),
        unitStride(u32(descriptor >> 16 & 0x3fff) << 4),
        groupStride(u32(descriptor >> 32 & 0x3fff) << 4),
        swizzle(u32(descriptor >> 62)) {}

  /// 16 bytes along K: `unit` 0 or 1 of row n.
  u32 alongK(u32 n, u32 unit) const {
    u32 at = n / 8 * groupStride + n % 8 * rowBytes();
    return swizzled(at + unit * (swizzle ? 16 : unitStride));
  }
  /// 16 bytes along N: eight n of row k.
  u32 alongN(u32 k, u32 eight) const {
    u32 units = rowBytes() / 16, row = k % 8 * rowBytes();
    if (!swizzle)
      return start + eight * groupStride + k / 8 * unitStride + row;
    return swizzled(eight / units * unitStride + eight % units * 16 +
                    k / 8 * groupStride + row);
  }

private:
  u32 rowBytes() const {
    static const u32 bytes[] = {16, 128, 64, 32};
    return bytes[swizzle];
  }
  u32 swizzled(u32 offset) const {
    static const u32 bits[] = {0, 7, 3, 1};
    u32 at = start + offset;
    return at ^ (at >> 7 & bits[swizzle]) << 4;
  }
};

/// B[k][n] from shared memory; false when it lies outside.
bool gatherB(const WgmmaOp &op, Warp &warp, const Thread &reader, double *b) {
  const u32 k = depthOf(op.elem), perUnit = k / 2; // elements in 16 bytes
  Layout layout(op.descriptor);
  Block &block = *warp.block;
  Access access{reader.async(), reader.known(), warp.slot, warp.time};
  auto unit = [&](u32 at, double *to, u32 stride) {
    if (!machine->check(block.shared + at, 16, access, Machine::Do::Read,
                        "wgmma"))
      return false;
    decode16(op.elem, block.shared + at, to, stride);
    return true;
  };
  if (op.transposed) {
    for (u32 row = 0; row < k; ++row)
      for (u32 i = 0; i < op.n / 8; ++i)
        if (!unit(layout.alongN(row, i), b + row * op.n + 8 * i, 1))
          return false;
    return true;
  }
  for (u32 n = 0; n < op.n; ++n)
    for (u32 i = 0; i < 2; ++i)
      if (!unit(layout.alongK(n, i), b + i * perUnit * op.n + n, op.n))
        return false;
  return true;
}

void finishAccumulator(WgmmaQueue &queue, float *d) {
  auto &live = accumulatorOf(queue, d);
  if (--live.pending)
    return;
  for (size_t i = 0; i < live.value.size(); ++i)
    if (__builtin_bit_cast(u32, d[i]) != poison) {
      machine->complain(FaultKind::Misuse,
                        "accumulators of wgmma changed before its wait_group");
      break;
    }
  std::copy(live.value.begin(), live.value.end(), d);
  queue.live.erase(queue.live.begin() + (&live - queue.live.data()));
}

/// The oldest product of all lanes of a warp.
void perform(Warp &warp) {
  const WgmmaOp &op = warp.lanes[0]->wgmma->ops.front();
  const u32 *registers[32];
  float d[16 * 128];
  double a[16 * 32];
  std::vector<double> b(depthOf(op.elem) * op.n);
  auto each = [&](auto visit) {
    for (u32 lane = 0; lane < 32; ++lane) {
      WgmmaQueue &queue = *warp.lanes[lane]->wgmma;
      auto &live = accumulatorOf(queue, queue.ops.front().d);
      for (u32 i = 0; i < op.n / 2; ++i) {
        u32 row = lane / 4 + (i & 2 ? 8 : 0);
        visit(live.value[i],
              d[row * op.n + i / 4 * 8 + 2 * (lane % 4) + i % 2]);
      }
    }
  };
  for (u32 lane = 0; lane < 32; ++lane) {
    const WgmmaOp &mine = warp.lanes[lane]->wgmma->ops.front();
    registers[lane] = mine.a;
    if (!std::equal(mine.seen, mine.seen + 4, mine.a))
      machine->complain(FaultKind::Misuse,
                        "A registers of wgmma changed before its wait_group");
    if (mine.elem != op.elem || mine.n != op.n ||
        mine.descriptor != op.descriptor || mine.transposed != op.transposed ||
        mine.accumulate != op.accumulate) {
      machine->complain(FaultKind::Misuse,
                        "lanes of a warp issued different wgmma");
      machine->abandon();
    }
  }
  gatherA(op.elem, registers, a);
  bool fine = gatherB(op, warp, *self, b.data());
  each([&](float &live, float &at) { at = op.accumulate ? live : 0; });
  if (fine)
    product(a, b.data(), d, op.n, depthOf(op.elem));
  else
    std::fill_n(d, 16 * op.n, __builtin_bit_cast(float, 0x7fffffffu));
  each([&](float &live, float &at) { live = at; });
  for (u32 lane = 0; lane < 32; ++lane) {
    WgmmaQueue &queue = *warp.lanes[lane]->wgmma;
    float *registersOfD = queue.ops.front().d;
    queue.ops.pop_front();
    finishAccumulator(queue, registersOfD);
  }
}

void runWait(void **lanes) {
  auto *first = static_cast<WaitArgs *>(lanes[0]);
  Warp &warp = *first->thread->warp;
  WgmmaQueue &queue = *first->thread->wgmma;
  for (u32 lane = 1; lane < 32; ++lane) {
    auto *args = static_cast<WaitArgs *>(lanes[lane]);
    if (args->left != first->left ||
        args->thread->wgmma->groups != queue.groups ||
        args->thread->wgmma->ops.size() != queue.ops.size()) {
      machine->complain(FaultKind::Misuse,
                        "lanes of a warp have different wgmma groups at a "
                        "wait_group");
      machine->abandon();
    }
  }
  if (!warp.slot)
    warp.slot = machine->newSlot({SlotName::Wgmma, warp.block->launch->number,
                                  warp.block->index, warp.index});
  ++warp.time;
  u32 must = queue.groups > first->left ? queue.groups - first->left : 0;
  // Hardware may be further than it has to be.
  while (must < queue.groups && machine->random.oneIn(2))
    ++must;
  while (!queue.ops.empty() && queue.ops.front().group < must)
    perform(warp);
  for (u32 lane = 0; lane < 32; ++lane) {
    Knowledge &know = warp.lanes[lane]->know;
    know.known = with(know.known, {warp.slot, warp.time});
  }
}

} // namespace

void wgmma(Elem elem, u32 n, float *d, const u32 *a, u64 descriptor,
           bool transposed, bool accumulate) {
  WgmmaQueue &queue = myQueue();
  if (!queue.fenced)
    machine->complain(FaultKind::Misuse,
                      "wgmma without wgmma.fence since the last wait_group");
  WgmmaOp op{
      elem,       n,          d,          a,           {a[0], a[1], a[2], a[3]},
      descriptor, transposed, accumulate, queue.groups};
  queue.ops.push_back(op);
  ++queue.issued;
  for (auto &live : queue.live)
    if (live.d == d) {
      ++live.pending;
      return;
    }
  queue.live.push_back({d, std::vector<float>(d, d + n / 2), 1});
  std::fill_n(d, n / 2, __builtin_bit_cast(float, poison));
}

void wgmmaFence() { myQueue().fenced = true; }

void wgmmaCommit() { ++myQueue().groups; }

void wgmmaWait(u32 groupsLeft) {
  myQueue().fenced = false;
  WaitArgs args{self, groupsLeft};
  collective("wgmma.wait_group", &args, runWait);
}

void checkLeftovers(Thread &thread) {
  if (thread.wgmma && !thread.wgmma->ops.empty())
    machine->complain(FaultKind::Misuse,
                      format("ends with %zu wgmma that no wait_group waited "
                             "for",
                             thread.wgmma->ops.size()));
  if (thread.copies && !thread.copies->open.empty())
    machine->complain(FaultKind::Misuse,
                      format("ends with %zu cp.async that nothing waited for",
                             thread.copies->open.size()));
}

} // namespace dsv4::cuda::emu
