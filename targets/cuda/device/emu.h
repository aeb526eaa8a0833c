// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the wrappers of this folder call when they are compiled for emulation:
// one function per kind of effect. targets/cuda/emulation implements them; the
// arrow points from there to here, so device code includes nothing of it.
// Kernels use the wrappers, never these functions.

#ifndef DSV4_TARGETS_CUDA_DEVICE_EMU_H
#define DSV4_TARGETS_CUDA_DEVICE_EMU_H

#include "targets/cuda/device/config.h"

#ifdef DSV4_CPU_EMU

namespace dsv4::cuda::emu {

struct Dim {
  u32 x = 1, y = 1, z = 1;
  u32 count() const { return x * y * z; }
};

/// Where the running fibre stands; set by the scheduler at every switch.
struct Ids {
  Dim thread{0, 0, 0}, block{0, 0, 0}, blockDim, gridDim;
  u32 linear = 0; ///< thread number inside the block
  u8 *shared = nullptr;
  u32 sharedBytes = 0;
};
extern const Ids *currentIds;

/// Checked accesses: bounds, alignment, initialisation and order.
void load(const void *from, void *to, u32 bytes);
void store(void *to, const void *from, u32 bytes);

/// All lanes of a warp meet; the last one runs `run` over the lanes' arguments
/// in lane order. Lanes that meet with different functions are reported.
void collective(const char *name, void *args, void (*run)(void **lanes));
void syncWarp();

void barrierSync(u32 id, u32 threads);
void barrierArrive(u32 id, u32 threads);

void fenceAcqRel();     ///< orders relaxed atomics around it
void fenceProxyAsync(); ///< shows generic writes to bulk copies and wgmma

void fenceMbarInit(); ///< shows this thread's new mbarriers to bulk copies

void mbarInit(u32 addr, u32 count);
void mbarArrive(u32 addr, u32 txBytes);
bool mbarTryWait(u32 addr, u32 parity);
void mbarWait(u32 addr, u32 parity);

enum class Order { Relaxed, Acquire, Release, AcqRel };
u32 atomicLoad(const u32 *p, Order order);
u32 atomicAdd(u32 *p, u32 value, Order order);
void atomicStore(u32 *p, u32 value, Order order);
enum class Atomic { Add, Max };
/// Orders nothing; returns the old value.
u32 atomicShared(Atomic operation, u32 addr, u32 value);
void counterWait(const u32 *p, u32 atLeast);

void bulkCopy(u32 to, const void *from, u32 bytes, u32 mbar);
void bulkPrefetch(const void *from, u32 bytes);
void asyncCopy16(u32 to, const void *from, u32 bytesRead);
void asyncCommit();
void asyncWait(u32 groupsLeft);

void gridDepWait();
void gridDepLaunch();

enum class Elem { F16, BF16, E4M3, E2M1 };

/// One lane's registers of an m16n8 product. `k` is 16 or 32; scales are one
/// E8M0 byte per lane (blockScaled), already selected.
struct MmaArgs {
  float *d;
  const u32 *a, *b;
  const float *c;
  u32 scaleA, scaleB;
};
void mma(Elem a, Elem b, bool blockScaled, MmaArgs *args);

/// Issued now, done at a wait: `d` and `a` must stay alive and untouched.
void wgmma(Elem elem, u32 n, float *d, const u32 *a, u64 descriptor,
           bool transposed, bool accumulate);
void wgmmaFence();
void wgmmaCommit();
void wgmmaWait(u32 groupsLeft);

void yield();
[[noreturn]] void trap();

} // namespace dsv4::cuda::emu

#endif // DSV4_CPU_EMU
#endif // DSV4_TARGETS_CUDA_DEVICE_EMU_H
