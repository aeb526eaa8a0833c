// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The matrix phases as the compiler will instantiate them, for the gates of
// LinearGateTest. They only have to compile; nobody runs them.

#include "targets/cuda/device/phases/linear.cuh"

namespace dsv4::cuda {

inline constexpr u32 fp4 = 1, fp8 = 2, bf16 = 4;

/// 227 or 163 KiB of shared memory, or 99.
#if __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200
inline constexpr bool large = false;
#else
inline constexpr bool large = true;
#endif

template <u32 Formats, u32 Columns, MmaKind Mma = nativeMma> struct Config {
  static constexpr MmaKind mma = Mma;
  static constexpr bool bulk = DSV4_HAS_BULK;
  static constexpr u32 formats = Formats;
  static constexpr bool escapes = false;
  static constexpr bool partials = Columns == 8;
  static constexpr u32 columns = Columns;
  // Decode: single strips, of which 132 SMs share the model's more evenly than
  // pairs, and two blocks on an SM.
  static constexpr u32 groups =
      Columns > 8 && (large || Formats < bf16) ? 2 : 1;
  // FP4 alone for decode: four blocks a stage, which the tile loop unrolls.
  static constexpr bool fours = Formats == fp4 && Columns == 8;
  static constexpr u32 stageBytes =
      fours ? 4 * Fp4TileBytes : groups * (Formats < bf16 ? 8448 : 16384);
  static constexpr u32 xStages = Formats < bf16 ? Columns == 8 ? 3 : 4
                                 : large        ? 3
                                                : 2;
  static constexpr bool six =
      Formats < bf16 ? large || groups == 1 : large && groups == 1;
  static constexpr u32 weightStages = six && !fours ? 6 : 3;
};

template <u32 Formats, u32 Columns> struct Escaping : Config<Formats, Columns> {
  static constexpr bool escapes = true;
};

/// Products as programs have them by default, FP16 on every architecture.
template <u32 Formats, u32 Columns>
struct Exact : Config<Formats, Columns, MmaKind::F16> {};

inline constexpr u32 sharedLimit = (large ? 163 : 99) * 1024;

template <class C>
DSV4_KERNEL void DSV4_LAUNCH_BOUNDS(MatrixPlan<C>::threads, 1)
    linearKernel(const DSV4_GRID_CONSTANT LinearParams p) {
  static_assert(MatrixPlan<C>::sharedBytes <= sharedLimit);
  linear<C>(p);
}

template <class C>
DSV4_KERNEL void DSV4_LAUNCH_BOUNDS(MatrixPlan<C>::threads, 1)
    expertKernel(const DSV4_GRID_CONSTANT ExpertLinearParams p) {
  static_assert(MatrixPlan<C>::sharedBytes <= sharedLimit);
  expertLinear<C>(p);
}

template <class Params>
DSV4_KERNEL void reduceKernel(const DSV4_GRID_CONSTANT Params p, u32 rowsPer) {
  reducePartials(p, rowsPer);
}

template <class Params> DSV4_KERNEL void encodeKernel(Params p) {
  encodeActivations(p);
}

} // namespace dsv4::cuda
