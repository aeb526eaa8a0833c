// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who am I, and who waits for whom: ids, warp exchanges, barriers, fences,
// counters between blocks, dependent launches. Warp functions here are for all
// 32 lanes. One wrapper per instruction; in emulation its C++ twin.
// Assembled for every target; docs/cuda-hardware.md says what has run.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PTX_SYNC_H
#define DSV4_TARGETS_CUDA_DEVICE_PTX_SYNC_H

#include "targets/cuda/device/memory.h"

namespace dsv4::cuda {

constexpr u32 allLanes = 0xffffffffu;

#ifdef DSV4_CPU_EMU

inline u32 threadIdX() { return emu::currentIds->thread.x; }
inline u32 blockIdX() { return emu::currentIds->block.x; }
inline u32 blockIdY() { return emu::currentIds->block.y; }
inline u32 blockDimX() { return emu::currentIds->blockDim.x; }
inline u32 gridDimX() { return emu::currentIds->gridDim.x; }
inline u32 gridDimY() { return emu::currentIds->gridDim.y; }
inline u32 laneId() { return emu::currentIds->linear % 32; }

namespace detail {
struct ShuffleArgs {
  u32 value, source, result;
};
inline void runShuffle(void **lanes) {
  auto at = [&](u32 i) { return static_cast<ShuffleArgs *>(lanes[i]); };
  for (u32 i = 0; i < 32; ++i)
    at(i)->result = at(at(i)->source)->value;
}
inline u32 shuffle(const char *name, u32 value, u32 source) {
  ShuffleArgs args{value, source, 0};
  emu::collective(name, &args, runShuffle);
  return args.result;
}
inline void runBallot(void **lanes) {
  u32 mask = 0;
  for (u32 i = 0; i < 32; ++i)
    mask |= u32(static_cast<ShuffleArgs *>(lanes[i])->value != 0) << i;
  for (u32 i = 0; i < 32; ++i)
    static_cast<ShuffleArgs *>(lanes[i])->result = mask;
}
} // namespace detail

inline u32 shflBits(u32 v, u32 lane) {
  return detail::shuffle("shfl.idx", v, lane % 32);
}
inline u32 shflXorBits(u32 v, u32 mask) {
  return detail::shuffle("shfl.bfly", v, (laneId() ^ mask) % 32);
}
inline u32 shflDownBits(u32 v, u32 delta) {
  u32 from = laneId() + delta;
  return detail::shuffle("shfl.down", v, from < 32 ? from : laneId());
}
inline u32 shflUpBits(u32 v, u32 delta) {
  u32 lane = laneId();
  return detail::shuffle("shfl.up", v, lane >= delta ? lane - delta : lane);
}
inline u32 laneBallot(bool predicate) {
  detail::ShuffleArgs args{predicate, 0, 0};
  emu::collective("vote.ballot", &args, detail::runBallot);
  return args.result;
}
inline bool anyLane(bool predicate) { return laneBallot(predicate) != 0; }
inline bool allLanesAgree(bool p) { return laneBallot(p) == allLanes; }
/// True in one lane of the warp, the same one each time.
inline bool elect() { return laneBallot(true) && laneId() == 0; }
inline void syncWarp() { emu::syncWarp(); }

inline void syncThreads() {
  emu::barrierSync(0, emu::currentIds->blockDim.count());
}
/// Named barrier `id` (1-15; 0 is syncThreads) of `threads` threads, a multiple
/// of 32 that counts those that only arrive.
inline void barSync(u32 id, u32 threads) { emu::barrierSync(id, threads); }
inline void barArrive(u32 id, u32 threads) { emu::barrierArrive(id, threads); }

inline void fenceAcqRelGpu() { emu::fenceAcqRel(); }
inline void fenceProxyAsync() { emu::fenceProxyAsync(); }
/// Barriers that this thread has initialised, shown to bulk copies.
inline void fenceMbarInit() { emu::fenceMbarInit(); }

inline u32 ldAcquire(const u32 *p) {
  return emu::atomicLoad(p, emu::Order::Acquire);
}
inline u32 ldRelaxed(const u32 *p) {
  return emu::atomicLoad(p, emu::Order::Relaxed);
}
inline void redReleaseAdd(u32 *p, u32 value) {
  emu::atomicAdd(p, value, emu::Order::Release);
}
inline void redRelaxedAdd(u32 *p, u32 value) {
  emu::atomicAdd(p, value, emu::Order::Relaxed);
}
inline u32 atomAddAcqRel(u32 *p, u32 value) {
  return emu::atomicAdd(p, value, emu::Order::AcqRel);
}
inline u32 atomAddRelaxed(u32 *p, u32 value) {
  return emu::atomicAdd(p, value, emu::Order::Relaxed);
}
/// In shared memory, without any order: for histograms and lists that a
/// barrier closes. They return the old value.
inline u32 atomAddShared(Shared<u32> p, u32 value) {
  return emu::atomicShared(emu::Atomic::Add, p.addr(), value);
}
inline u32 atomMaxShared(Shared<u32> p, u32 value) {
  return emu::atomicShared(emu::Atomic::Max, p.addr(), value);
}
inline void stRelease(u32 *p, u32 value) {
  emu::atomicStore(p, value, emu::Order::Release);
}
/// Waits until the counter has reached a value, then sees what was written
/// before the releases that made it.
inline void waitAtLeast(const u32 *p, u32 value) { emu::counterWait(p, value); }

inline void gridDepWait() { emu::gridDepWait(); }
inline void gridDepLaunch() { emu::gridDepLaunch(); }
template <u32 Count> inline void setMaxRegsInc() {}
template <u32 Count> inline void setMaxRegsDec() {}
inline void nanosleep(u32) { emu::yield(); }
[[noreturn]] inline void trap() { emu::trap(); }

inline void mbarInit(Shared<u64> bar, u32 count) {
  emu::mbarInit(bar.addr(), count);
}
inline void mbarArrive(Shared<u64> bar) { emu::mbarArrive(bar.addr(), 0); }
inline void mbarArriveExpectTx(Shared<u64> bar, u32 bytes) {
  emu::mbarArrive(bar.addr(), bytes);
}
inline bool mbarTryWait(Shared<u64> bar, u32 parity) {
  return emu::mbarTryWait(bar.addr(), parity);
}
inline void mbarWait(Shared<u64> bar, u32 parity) {
  emu::mbarWait(bar.addr(), parity);
}

#else // on the device

DSV4_DEVICE u32 threadIdX() { return threadIdx.x; }
DSV4_DEVICE u32 blockIdX() { return blockIdx.x; }
DSV4_DEVICE u32 blockIdY() { return blockIdx.y; }
DSV4_DEVICE u32 blockDimX() { return blockDim.x; }
DSV4_DEVICE u32 gridDimX() { return gridDim.x; }
DSV4_DEVICE u32 gridDimY() { return gridDim.y; }
DSV4_DEVICE u32 laneId() {
  u32 lane;
  asm("mov.u32 %0, %%laneid;" : "=r"(lane));
  return lane;
}

DSV4_DEVICE u32 shflBits(u32 v, u32 lane) {
  return __shfl_sync(allLanes, v, int(lane));
}
DSV4_DEVICE u32 shflXorBits(u32 v, u32 mask) {
  return __shfl_xor_sync(allLanes, v, int(mask));
}
DSV4_DEVICE u32 shflDownBits(u32 v, u32 delta) {
  return __shfl_down_sync(allLanes, v, delta);
}
DSV4_DEVICE u32 shflUpBits(u32 v, u32 delta) {
  return __shfl_up_sync(allLanes, v, delta);
}
DSV4_DEVICE u32 laneBallot(bool predicate) {
  return __ballot_sync(allLanes, predicate);
}
DSV4_DEVICE bool anyLane(bool predicate) {
  return __any_sync(allLanes, predicate);
}
DSV4_DEVICE bool allLanesAgree(bool p) { return __all_sync(allLanes, p); }
/// True in one lane of the warp, the same one each time.
DSV4_DEVICE bool elect() {
#if DSV4_HAS_BULK
  u32 chosen;
  asm volatile("{\n.reg .pred p;\n"
               "elect.sync _|p, 0xffffffff;\n"
               "selp.u32 %0, 1, 0, p;\n}"
               : "=r"(chosen));
  return chosen != 0;
#else
  return laneId() == 0;
#endif
}
DSV4_DEVICE void syncWarp() { __syncwarp(); }

DSV4_DEVICE void syncThreads() { __syncthreads(); }
/// Named barrier `id` (1-15; 0 is syncThreads) of `threads` threads, a multiple
/// of 32 that counts those that only arrive.
DSV4_DEVICE void barSync(u32 id, u32 threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
DSV4_DEVICE void barArrive(u32 id, u32 threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

DSV4_DEVICE void fenceAcqRelGpu() {
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
}
#if DSV4_HAS_BULK
DSV4_DEVICE void fenceProxyAsync() {
  asm volatile("fence.proxy.async;" ::: "memory");
}
/// Barriers that this thread has initialised, shown to bulk copies.
DSV4_DEVICE void fenceMbarInit() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
#endif

DSV4_DEVICE u32 ldAcquire(const u32 *p) {
  u32 value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
               : "=r"(value)
               : "l"(p)
               : "memory");
  return value;
}
DSV4_DEVICE u32 ldRelaxed(const u32 *p) {
  u32 value;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];"
               : "=r"(value)
               : "l"(p)
               : "memory");
  return value;
}
DSV4_DEVICE void redReleaseAdd(u32 *p, u32 value) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(p), "r"(value)
               : "memory");
}
DSV4_DEVICE void redRelaxedAdd(u32 *p, u32 value) {
  asm volatile("red.relaxed.gpu.global.add.u32 [%0], %1;" ::"l"(p), "r"(value)
               : "memory");
}
DSV4_DEVICE u32 atomAddAcqRel(u32 *p, u32 value) {
  u32 old;
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;"
               : "=r"(old)
               : "l"(p), "r"(value)
               : "memory");
  return old;
}
DSV4_DEVICE u32 atomAddRelaxed(u32 *p, u32 value) {
  u32 old;
  asm volatile("atom.relaxed.gpu.global.add.u32 %0, [%1], %2;"
               : "=r"(old)
               : "l"(p), "r"(value)
               : "memory");
  return old;
}
/// In shared memory, without any order: for histograms and lists that a
/// barrier closes. They return the old value.
DSV4_DEVICE u32 atomAddShared(Shared<u32> p, u32 value) {
  u32 old;
  asm volatile("atom.relaxed.cta.shared.add.u32 %0, [%1], %2;"
               : "=r"(old)
               : "r"(p.addr()), "r"(value)
               : "memory");
  return old;
}
DSV4_DEVICE u32 atomMaxShared(Shared<u32> p, u32 value) {
  u32 old;
  asm volatile("atom.relaxed.cta.shared.max.u32 %0, [%1], %2;"
               : "=r"(old)
               : "r"(p.addr()), "r"(value)
               : "memory");
  return old;
}
DSV4_DEVICE void stRelease(u32 *p, u32 value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(p), "r"(value)
               : "memory");
}
DSV4_DEVICE void nanosleep(u32 ns) {
  asm volatile("nanosleep.u32 %0;" ::"r"(ns));
}
/// Waits until the counter has reached a value, then sees what was written
/// before the releases that made it.
DSV4_DEVICE void waitAtLeast(const u32 *p, u32 value) {
  while (ldAcquire(p) < value)
    nanosleep(20);
}

/// Without programmatic launches (before sm_90) a kernel starts when its
/// predecessors are complete, so there is nothing to wait for.
DSV4_DEVICE void gridDepWait() {
#if DSV4_HAS_BULK
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DSV4_DEVICE void gridDepLaunch() {
#if DSV4_HAS_BULK
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// A hint: where registers cannot move between warps, nothing happens.
template <u32 Count> DSV4_DEVICE void setMaxRegsInc() {
#if DSV4_HAS_SETMAXNREG
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}
template <u32 Count> DSV4_DEVICE void setMaxRegsDec() {
#if DSV4_HAS_SETMAXNREG
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
#endif
}
DSV4_DEVICE void trap() { asm volatile("trap;"); }

DSV4_DEVICE void mbarInit(Shared<u64> bar, u32 count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(bar.addr()),
               "r"(count)
               : "memory");
}
DSV4_DEVICE void mbarArrive(Shared<u64> bar) {
  asm volatile("{\n.reg .b64 state;\n"
               "mbarrier.arrive.shared.b64 state, [%0];\n}" ::"r"(bar.addr())
               : "memory");
}
#if DSV4_HAS_BULK
DSV4_DEVICE void mbarArriveExpectTx(Shared<u64> bar, u32 bytes) {
  asm volatile("{\n.reg .b64 state;\n"
               "mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1;\n}" ::"r"(
                   bar.addr()),
               "r"(bytes)
               : "memory");
}
#define DSV4_MBAR_WAIT "mbarrier.try_wait.parity.shared.b64"
#else // before sm_90 a barrier can be asked, which does not suspend the warp
#define DSV4_MBAR_WAIT "mbarrier.test_wait.parity.shared.b64"
#endif
DSV4_DEVICE bool mbarTryWait(Shared<u64> bar, u32 parity) {
  u32 done;
  asm volatile("{\n.reg .pred p;\n" DSV4_MBAR_WAIT " p, [%1], %2;\n"
               "selp.u32 %0, 1, 0, p;\n}"
               : "=r"(done)
               : "r"(bar.addr()), "r"(parity)
               : "memory");
  return done != 0;
}
#undef DSV4_MBAR_WAIT
DSV4_DEVICE void mbarWait(Shared<u64> bar, u32 parity) {
  while (!mbarTryWait(bar, parity)) {
  }
}

#endif // DSV4_CPU_EMU

DSV4_DEVICE u32 warpId() { return threadIdX() / 32; }

namespace detail {
template <class T> DSV4_DEVICE u32 toBits(T v) {
  static_assert(sizeof(T) == 4, "warp exchanges move 32 bits");
  return __builtin_bit_cast(u32, v);
}
template <class T> DSV4_DEVICE T fromBits(u32 v) {
  return __builtin_bit_cast(T, v);
}
} // namespace detail

template <class T> DSV4_DEVICE T shfl(T v, u32 lane) {
  return detail::fromBits<T>(shflBits(detail::toBits(v), lane));
}
template <class T> DSV4_DEVICE T shflXor(T v, u32 mask) {
  return detail::fromBits<T>(shflXorBits(detail::toBits(v), mask));
}
template <class T> DSV4_DEVICE T shflDown(T v, u32 delta) {
  return detail::fromBits<T>(shflDownBits(detail::toBits(v), delta));
}
template <class T> DSV4_DEVICE T shflUp(T v, u32 delta) {
  return detail::fromBits<T>(shflUpBits(detail::toBits(v), delta));
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PTX_SYNC_H
