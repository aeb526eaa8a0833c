// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hopper's matrix product of four warps, m64nNk32 (E4M3) and m64nNk16 (F16,
// BF16): A in registers with ptx_mma.h's map, warp w of the group holding rows
// 16w to 16w + 15; B in shared memory, named by a descriptor; d[4j] to
// d[4j + 3] are the D fragment of columns 8j to 8j + 7. N = twice d's length.
//
//   wgmmaFence();                      // registers written so far are seen
//   wgmmaE4M3(d, a, bDescriptor(tile, Swizzle::B128, 1024), true);
//   wgmmaCommit();
//   wgmmaWait<0>();                    // only now: read d, change a or B
//
// The product happens at some time up to the wait. In emulation it happens at
// the wait, over the registers and the memory of that time, and d reads as NaN
// before; so a and d must live until then. Sums as in ptx_mma.h.
// sm_90a only; docs/cuda-hardware.md says what has run.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PTX_WGMMA_H
#define DSV4_TARGETS_CUDA_DEVICE_PTX_WGMMA_H

#include "targets/cuda/device/ptx_sync.h"

namespace dsv4::cuda {

/// How 16-byte units of a B tile are permuted; the value is the descriptor's.
/// A row of the tile has 128, 64 or 32 bytes, eight rows lie one after another,
/// and bits 4.. of an address are XORed with bits 7... None: 8 x 16 byte units.
enum class Swizzle : u32 { None = 0, B128 = 1, B64 = 2, B32 = 3 };

/// K-major tiles: `groupStride` bytes between groups of eight n; `unitStride`
/// bytes between 16-byte units along K, which only Swizzle::None uses.
/// Transposed tiles (16-bit elements, a row holds n of one k): `groupStride`
/// between groups of eight k, `unitStride` between rows' worth of n; with
/// Swizzle::None the other way round, a row being eight n.
DSV4_DEVICE u64 bDescriptor(u32 addr, Swizzle swizzle, u32 groupStride,
                            u32 unitStride = 16) {
  return u64(addr >> 4 & 0x3fff) | u64(unitStride >> 4 & 0x3fff) << 16 |
         u64(groupStride >> 4 & 0x3fff) << 32 | u64(swizzle) << 62;
}

/// Where a store must put byte `k` of row `n` of a tile that starts at a
/// multiple of 1024 bytes (128-byte rows, Swizzle::B128).
DSV4_DEVICE u32 swizzled128(u32 n, u32 k) {
  u32 offset = n * 128 + k;
  return offset ^ (offset >> 3 & 0x70);
}

#ifdef DSV4_CPU_EMU

template <int R>
inline void wgmmaE4M3(float (&d)[R], const u32 (&a)[4], u64 b, bool add) {
  emu::wgmma(emu::Elem::E4M3, 2 * R, d, a, b, false, add);
}
template <int R>
inline void wgmmaF16(float (&d)[R], const u32 (&a)[4], u64 b, bool add) {
  emu::wgmma(emu::Elem::F16, 2 * R, d, a, b, false, add);
}
template <int R>
inline void wgmmaBF16(float (&d)[R], const u32 (&a)[4], u64 b, bool add) {
  emu::wgmma(emu::Elem::BF16, 2 * R, d, a, b, false, add);
}
/// B transposed: rows of n, as P.V wants its V.
template <int R>
inline void wgmmaF16Trans(float (&d)[R], const u32 (&a)[4], u64 b, bool add) {
  emu::wgmma(emu::Elem::F16, 2 * R, d, a, b, true, add);
}
template <int R>
inline void wgmmaBF16Trans(float (&d)[R], const u32 (&a)[4], u64 b, bool add) {
  emu::wgmma(emu::Elem::BF16, 2 * R, d, a, b, true, add);
}
inline void wgmmaFence() { emu::wgmmaFence(); }
inline void wgmmaCommit() { emu::wgmmaCommit(); }
/// Returns when at most Left of the newest groups are still open.
template <u32 Left> inline void wgmmaWait() { emu::wgmmaWait(Left); }

#elif DSV4_HAS_WGMMA

DSV4_DEVICE void wgmmaFence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
DSV4_DEVICE void wgmmaCommit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Returns when at most Left of the newest groups are still open.
template <u32 Left> DSV4_DEVICE void wgmmaWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Left) : "memory");
}

// Register lists of 4 to 64 accumulators and the operands behind them. A
// descriptor comes in words, of which the upper one never changes: as one
// operand it would be added to in 64 bits.
#define DSV4_R4 "%0, %1, %2, %3"
#define DSV4_R8 DSV4_R4 ", %4, %5, %6, %7"
#define DSV4_R16 DSV4_R8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define DSV4_R32                                                               \
  DSV4_R16 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, "    \
           "%28, %29, %30, %31"
#define DSV4_R64                                                               \
  DSV4_R32 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, "    \
           "%44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, " \
           "%57, %58, %59, %60, %61, %62, %63"
#define DSV4_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define DSV4_D8(i) DSV4_D4(i), DSV4_D4(i + 4)
#define DSV4_D16(i) DSV4_D8(i), DSV4_D8(i + 8)
#define DSV4_D32(i) DSV4_D16(i), DSV4_D16(i + 16)
#define DSV4_D64(i) DSV4_D32(i), DSV4_D32(i + 32)

#define DSV4_WGMMA(NAME, R, SHAPE, TAIL, A, DESC, ADD)                         \
  DSV4_DEVICE void NAME(float (&d)[R], const u32(&a)[4], u64 b, bool add) {    \
    asm volatile("{\n.reg .pred p;\n.reg .b64 b;\n"                            \
                 "setp.ne.b32 p, " ADD ", 0;\nmov.b64 b, {" DESC "};\n"        \
                 "wgmma.mma_async.sync.aligned." SHAPE " {" DSV4_R##R          \
                 "}, {" A "}, b, p, 1, 1" TAIL ";\n}"                          \
                 : DSV4_D##R(0)                                                \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(u32(b)),    \
                   "r"(u32(b >> 32)), "r"(u32(add)));                          \
  }
// TAIL: 16-bit products also say whether B is transposed.
#define DSV4_WGMMA_TYPES(R, N, A, DESC, ADD)                                   \
  DSV4_WGMMA(wgmmaE4M3, R, "m64n" N "k32.f32.e4m3.e4m3", "", A, DESC, ADD)     \
  DSV4_WGMMA(wgmmaF16, R, "m64n" N "k16.f32.f16.f16", ", 0", A, DESC, ADD)     \
  DSV4_WGMMA(wgmmaBF16, R, "m64n" N "k16.f32.bf16.bf16", ", 0", A, DESC, ADD)  \
  DSV4_WGMMA(wgmmaF16Trans, R, "m64n" N "k16.f32.f16.f16", ", 1", A, DESC,     \
             ADD)                                                              \
  DSV4_WGMMA(wgmmaBF16Trans, R, "m64n" N "k16.f32.bf16.bf16", ", 1", A, DESC,  \
             ADD)

DSV4_WGMMA_TYPES(4, "8", "%4, %5, %6, %7", "%8, %9", "%10")
DSV4_WGMMA_TYPES(8, "16", "%8, %9, %10, %11", "%12, %13", "%14")
DSV4_WGMMA_TYPES(16, "32", "%16, %17, %18, %19", "%20, %21", "%22")
DSV4_WGMMA_TYPES(32, "64", "%32, %33, %34, %35", "%36, %37", "%38")
DSV4_WGMMA_TYPES(64, "128", "%64, %65, %66, %67", "%68, %69", "%70")

#undef DSV4_WGMMA_TYPES
#undef DSV4_WGMMA
#undef DSV4_R4
#undef DSV4_R8
#undef DSV4_R16
#undef DSV4_R32
#undef DSV4_R64
#undef DSV4_D4
#undef DSV4_D8
#undef DSV4_D16
#undef DSV4_D32
#undef DSV4_D64

#endif // DSV4_CPU_EMU

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PTX_WGMMA_H
