// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every device header starts from: qualifiers, fixed-width types and what
// the architecture has. Device code is compiled twice: by NVRTC for a GPU, and
// with DSV4_CPU_EMU as plain C++20 that runs on fibres
// (docs/cuda-emulation.md). No header of CUDA or of the C++ library is used, so
// that NVRTC needs no include folder. docs/cuda-hardware.md: what has run
// on a GPU.

#ifndef DSV4_TARGETS_CUDA_DEVICE_CONFIG_H
#define DSV4_TARGETS_CUDA_DEVICE_CONFIG_H

#ifdef DSV4_CPU_EMU
#define DSV4_DEVICE inline
#define DSV4_KERNEL inline
#define DSV4_LAUNCH_BOUNDS(threads, blocks)
// DSV4_SHARED has no meaning for a fibre: kernels take shared memory from
// dynamicShared(), and one that does not fails to compile here.
#else
#define DSV4_DEVICE __device__ __forceinline__
#define DSV4_KERNEL __global__
#define DSV4_LAUNCH_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define DSV4_SHARED __shared__
#endif

// Wrappers of instructions that an architecture lacks are not declared there:
// a kernel that names one fails to compile instead of trapping on the device.
#ifdef DSV4_CPU_EMU
#define DSV4_HAS_FP8_MMA 1
#define DSV4_HAS_BULK 1
#define DSV4_HAS_WGMMA 1
#define DSV4_HAS_BLOCK_SCALE 1
#define DSV4_HAS_SETMAXNREG 1
#elif defined(__CUDA_ARCH__)
#define DSV4_HAS_FP8_MMA (__CUDA_ARCH__ >= 890)
// Bulk copies, transaction barriers, elect and dependent launches.
#define DSV4_HAS_BULK (__CUDA_ARCH__ >= 900)
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define DSV4_HAS_WGMMA 1
#else
#define DSV4_HAS_WGMMA 0
#endif
#if defined(__CUDA_ARCH_FEAT_SM120_ALL) || defined(__CUDA_ARCH_FEAT_SM121_ALL)
#define DSV4_HAS_BLOCK_SCALE 1
#else
#define DSV4_HAS_BLOCK_SCALE 0
#endif
#if DSV4_HAS_WGMMA || DSV4_HAS_BLOCK_SCALE ||                                  \
    defined(__CUDA_ARCH_FEAT_SM100_ALL) || defined(__CUDA_ARCH_FEAT_SM103_ALL)
#define DSV4_HAS_SETMAXNREG 1
#else
#define DSV4_HAS_SETMAXNREG 0
#endif
#else // nvcc's pass over the host side, where no device body is compiled
#define DSV4_HAS_FP8_MMA 0
#define DSV4_HAS_BULK 0
#define DSV4_HAS_WGMMA 0
#define DSV4_HAS_BLOCK_SCALE 0
#define DSV4_HAS_SETMAXNREG 0
#endif

/// Loops over registers: an index that is no constant would put the array into
/// local memory. The emulator's compiler has nothing to gain.
#ifdef DSV4_CPU_EMU
#define DSV4_UNROLL
#define DSV4_UNROLL_BY(times)
#define DSV4_NO_UNROLL
#else
#define DSV4_PRAGMA(text) _Pragma(#text)
#define DSV4_UNROLL_BY(times) DSV4_PRAGMA(unroll times)
#define DSV4_UNROLL _Pragma("unroll")
#define DSV4_NO_UNROLL _Pragma("unroll 1")
#endif

namespace dsv4::cuda {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i8 = signed char;
using i16 = short;
using i32 = int;
using i64 = long long;

static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8 &&
                  sizeof(void *) == 8,
              "device code assumes 64-bit addresses");

/// N elements that move together: Vec<u32, 4> is one 16-byte access.
template <class T, int N> struct alignas(sizeof(T) * N) Vec {
  T v[N];
  DSV4_DEVICE constexpr T &operator[](int i) { return v[i]; }
  DSV4_DEVICE constexpr const T &operator[](int i) const { return v[i]; }
};

using U32x4 = Vec<u32, 4>;
using F32x4 = Vec<float, 4>;

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_CONFIG_H
