// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How bytes get near: bulk copies that a transaction barrier waits for (sm_90
// on), 16-byte asynchronous copies in groups (sm_80 on), and loads that say how
// long the caches should keep what they read. Assembled for every target;
// docs/cuda-hardware.md says what has run.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PTX_COPY_H
#define DSV4_TARGETS_CUDA_DEVICE_PTX_COPY_H

#include "targets/cuda/device/memory.h"

namespace dsv4::cuda {

// What createpolicy.fractional makes of "all lines" on every architecture.
constexpr u64 evictFirst = 0x12f0000000000000ull;
constexpr u64 evictLast = 0x14f0000000000000ull;

#ifdef DSV4_CPU_EMU

/// `bytes` to shared memory, a multiple of 16 between addresses that are too;
/// the barrier's phase ends when as many bytes as it expects have come.
inline void bulkG2S(Shared<u8> to, Global<const u8> from, u32 bytes,
                    Shared<u64> bar) {
  emu::bulkCopy(to.addr(), from.raw(), bytes, bar.addr());
}
inline void bulkG2S(Shared<u8> to, Global<const u8> from, u32 bytes,
                    Shared<u64> bar, u64) {
  emu::bulkCopy(to.addr(), from.raw(), bytes, bar.addr());
}
inline void bulkPrefetchL2(Global<const u8> from, u32 bytes) {
  emu::bulkPrefetch(from.raw(), bytes);
}
inline void cpAsync16(Shared<u8> to, Global<const u8> from) {
  emu::asyncCopy16(to.addr(), from.raw(), 16);
}
/// Reads `bytesRead` bytes and writes zeros behind them, up to 16.
inline void cpAsync16(Shared<u8> to, Global<const u8> from, u32 bytesRead) {
  emu::asyncCopy16(to.addr(), from.raw(), bytesRead);
}
inline void cpAsyncCommit() { emu::asyncCommit(); }
/// Returns when at most Left of the newest groups of this thread are open.
template <u32 Left> inline void cpAsyncWait() { emu::asyncWait(Left); }

inline U32x4 ldNc16(Global<const u8> from) {
  return ldVec<4>(reinterpret_cast<const u32 *>(from.raw()));
}
inline U32x4 ldStream16(Global<const u8> from) { return ldNc16(from); }
inline u32 ldNc4(Global<const u8> from) {
  return ld(reinterpret_cast<const u32 *>(from.raw()));
}

#else // on the device

#if DSV4_HAS_BULK
/// `bytes` to shared memory, a multiple of 16 between addresses that are too;
/// the barrier's phase ends when as many bytes as it expects have come.
DSV4_DEVICE void bulkG2S(Shared<u8> to, Global<const u8> from, u32 bytes,
                         Shared<u64> bar) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx"
               "::bytes [%0], [%1], %2, [%3];" ::"r"(to.addr()),
               "l"(__cvta_generic_to_global(from.raw())), "r"(bytes),
               "r"(bar.addr())
               : "memory");
}
DSV4_DEVICE void bulkG2S(Shared<u8> to, Global<const u8> from, u32 bytes,
                         Shared<u64> bar, u64 cacheHint) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx"
      "::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(to.addr()),
      "l"(__cvta_generic_to_global(from.raw())), "r"(bytes), "r"(bar.addr()),
      "l"(cacheHint)
      : "memory");
}
DSV4_DEVICE void bulkPrefetchL2(Global<const u8> from, u32 bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(
                   __cvta_generic_to_global(from.raw())),
               "r"(bytes)
               : "memory");
}
#endif

DSV4_DEVICE void cpAsync16(Shared<u8> to, Global<const u8> from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to.addr()),
               "l"(__cvta_generic_to_global(from.raw()))
               : "memory");
}
/// Reads `bytesRead` bytes and writes zeros behind them, up to 16.
DSV4_DEVICE void cpAsync16(Shared<u8> to, Global<const u8> from,
                           u32 bytesRead) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to.addr()),
               "l"(__cvta_generic_to_global(from.raw())), "r"(bytesRead)
               : "memory");
}
DSV4_DEVICE void cpAsyncCommit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Returns when at most Left of the newest groups of this thread are open.
template <u32 Left> DSV4_DEVICE void cpAsyncWait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
}

// Only for memory that no running kernel writes: the cache is not coherent.
DSV4_DEVICE U32x4 ldNc16(Global<const u8> from) {
  U32x4 v;
  asm("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
      : "l"(__cvta_generic_to_global(from.raw())));
  return v;
}
/// For weights, which are read once per token: they push out nothing.
DSV4_DEVICE U32x4 ldStream16(Global<const u8> from) {
  U32x4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
      : "l"(__cvta_generic_to_global(from.raw())));
  return v;
}
DSV4_DEVICE u32 ldNc4(Global<const u8> from) {
  u32 v;
  asm("ld.global.nc.u32 %0, [%1];"
      : "=r"(v)
      : "l"(__cvta_generic_to_global(from.raw())));
  return v;
}

#endif // DSV4_CPU_EMU

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PTX_COPY_H
