// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products of one warp: ldmatrix, mma.sync m16n8k16 (F16, BF16),
// m16n8k32 (E4M3) and the block-scaled m16n8k32. With g = lane / 4 and c = lane
// % 4:
//
//   A, 16 bit   a0 (g, 2c..)   a1 (g+8, 2c..)   a2 (g, 2c+8..)   a3 (g+8,
//   2c+8..) A, 8 bit    a0 (g, 4c..)   a1 (g+8, 4c..)   a2 (g, 4c+16..)  a3
//   (g+8, ...) B           b0 (k as a0, n = g)             b1 (k as a2, n = g)
//   C and D     d0, d1 (g, 2c..)                d2, d3 (g+8, 2c..)
//
// Numerics. A product of two elements is exact in float32. In which order the
// hardware adds them, and how many bits it keeps, is not specified. The twin
// adds in double: C first, then k ascending, and rounds to float32 once. Tests
// against a device therefore need a bound, tests under emulation do not.
// Assembled for every target that has them; docs/cuda-hardware.md: what ran.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PTX_MMA_H
#define DSV4_TARGETS_CUDA_DEVICE_PTX_MMA_H

#include "targets/cuda/device/ptx_sync.h"

namespace dsv4::cuda {

/// Element kinds of a block-scaled product. E2M1 lies in bits 2 to 5 of a byte.
enum class Mx { E4M3, E2M1 };

#ifdef DSV4_CPU_EMU

namespace detail {
struct MatrixArgs {
  U32x4 row;
  u32 *result;
  u32 count;
  bool transposed;
};
/// Row r of matrix m came from lane 8m + r; lane i gets the elements 2 (i % 4)
/// and the next of row i / 4, or of that column.
inline void runLdMatrix(void **lanes) {
  auto half = [&](u32 matrix, u32 row, u32 column) {
    auto *from = static_cast<MatrixArgs *>(lanes[8 * matrix + row]);
    return from->row[int(column / 2)] >> (16 * (column % 2)) & 0xffff;
  };
  for (u32 lane = 0; lane < 32; ++lane) {
    auto *args = static_cast<MatrixArgs *>(lanes[lane]);
    u32 g = lane / 4, c = 2 * (lane % 4);
    for (u32 m = 0; m < args->count; ++m)
      args->result[m] = args->transposed
                            ? half(m, c, g) | half(m, c + 1, g) << 16
                            : half(m, g, c) | half(m, g, c + 1) << 16;
  }
}
inline void ldMatrix(u32 *result, u32 count, Shared<const u8> row,
                     bool transposed) {
  MatrixArgs args{{}, result, count, transposed};
  if (laneId() < 8 * count)
    args.row = ldVec<4>(reinterpret_cast<const u32 *>(row.raw()));
  emu::collective(transposed ? "ldmatrix.trans" : "ldmatrix", &args,
                  runLdMatrix);
}
} // namespace detail

/// Four 8 x 8 matrices of 16-bit elements; lane 8m + r gives the address of row
/// r of matrix m, 16 bytes.
inline void ldMatrixX4(u32 (&d)[4], Shared<const u8> row) {
  detail::ldMatrix(d, 4, row, false);
}
inline void ldMatrixX2(u32 (&d)[2], Shared<const u8> row) {
  detail::ldMatrix(d, 2, row, false);
}
inline void ldMatrixX4Trans(u32 (&d)[4], Shared<const u8> row) {
  detail::ldMatrix(d, 4, row, true);
}
inline void ldMatrixX2Trans(u32 (&d)[2], Shared<const u8> row) {
  detail::ldMatrix(d, 2, row, true);
}

inline void mmaF16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  emu::MmaArgs args{d, a, b, d, 0, 0};
  emu::mma(emu::Elem::F16, emu::Elem::F16, false, &args);
}
inline void mmaBF16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  emu::MmaArgs args{d, a, b, d, 0, 0};
  emu::mma(emu::Elem::BF16, emu::Elem::BF16, false, &args);
}
inline void mmaE4M3(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  emu::MmaArgs args{d, a, b, d, 0, 0};
  emu::mma(emu::Elem::E4M3, emu::Elem::E4M3, false, &args);
}
/// D += (scale of its row . A) x (scale of its column . B). One E8M0 byte per
/// 32 k: lane 4g gives that of row g, 4g + 1 that of row g + 8, 4g that of
/// column g; bits 0 to 7 count.
template <Mx A, Mx B>
inline void mmaBlockScaled(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2],
                           u32 scaleA, u32 scaleB) {
  emu::MmaArgs args{d, a, b, d, scaleA, scaleB};
  emu::mma(A == Mx::E4M3 ? emu::Elem::E4M3 : emu::Elem::E2M1,
           B == Mx::E4M3 ? emu::Elem::E4M3 : emu::Elem::E2M1, true, &args);
}

#else // on the device

/// Four 8 x 8 matrices of 16-bit elements; lane 8m + r gives the address of row
/// r of matrix m, 16 bytes.
DSV4_DEVICE void ldMatrixX4(u32 (&d)[4], Shared<const u8> row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, "
               "[%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(row.addr())
               : "memory");
}
DSV4_DEVICE void ldMatrixX2(u32 (&d)[2], Shared<const u8> row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(d[0]), "=r"(d[1])
               : "r"(row.addr())
               : "memory");
}
DSV4_DEVICE void ldMatrixX4Trans(u32 (&d)[4], Shared<const u8> row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
               "{%0, %1, %2, %3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"(row.addr())
               : "memory");
}
DSV4_DEVICE void ldMatrixX2Trans(u32 (&d)[2], Shared<const u8> row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(d[0]), "=r"(d[1])
               : "r"(row.addr())
               : "memory");
}

#define DSV4_MMA_BODY(SHAPE)                                                   \
  asm volatile("mma.sync.aligned." SHAPE " {%0, %1, %2, %3}, "                 \
               "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                 \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),        \
                 "r"(b[1]))

DSV4_DEVICE void mmaF16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  DSV4_MMA_BODY("m16n8k16.row.col.f32.f16.f16.f32");
}
DSV4_DEVICE void mmaBF16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  DSV4_MMA_BODY("m16n8k16.row.col.f32.bf16.bf16.f32");
}
#if DSV4_HAS_FP8_MMA
DSV4_DEVICE void mmaE4M3(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  DSV4_MMA_BODY("m16n8k32.row.col.f32.e4m3.e4m3.f32");
}
#endif
#undef DSV4_MMA_BODY

#if DSV4_HAS_BLOCK_SCALE
// Byte 0 of the scale registers of thread pair 0 (A) and thread 0 (B).
#define DSV4_MMA_BODY(TYPES)                                                   \
  asm volatile("mma.sync.aligned.m16n8k32.row.col.kind::mxf8f6f4.block_scale." \
               "scale_vec::1X.f32." TYPES ".f32.ue8m0 {%0, %1, %2, %3}, "      \
               "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3}, "                \
               "%10, {0, 0}, %11, {0, 0};"                                     \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),        \
                 "r"(b[1]), "r"(scaleA), "r"(scaleB))

/// D += (scale of its row . A) x (scale of its column . B). One E8M0 byte per
/// 32 k: lane 4g gives that of row g, 4g + 1 that of row g + 8, 4g that of
/// column g; bits 0 to 7 count.
template <Mx A, Mx B>
DSV4_DEVICE void mmaBlockScaled(float (&d)[4], const u32 (&a)[4],
                                const u32 (&b)[2], u32 scaleA, u32 scaleB) {
  if constexpr (A == Mx::E4M3 && B == Mx::E4M3)
    DSV4_MMA_BODY("e4m3.e4m3");
  else if constexpr (A == Mx::E4M3)
    DSV4_MMA_BODY("e4m3.e2m1");
  else if constexpr (B == Mx::E4M3)
    DSV4_MMA_BODY("e2m1.e4m3");
  else
    DSV4_MMA_BODY("e2m1.e2m1");
}
#undef DSV4_MMA_BODY
#endif

#endif // DSV4_CPU_EMU

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PTX_MMA_H
