// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One packed tile times some columns of activations in shared memory: a warp
// has 16 of the tile's 64 rows, and d[4 j] .. d[4 j + 3] are its D fragment of
// columns 8 j .. 8 j + 7, whatever instruction made it. Sums are over 128 k,
// without scales; who calls promotes them.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_PRODUCTS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_PRODUCTS_CUH

#include "targets/cuda/device/decode.cuh"
#include "targets/cuda/device/ptx.h"

namespace dsv4::cuda {

/// What multiplies E4M3 activations: wgmma (sm_90a), mma.sync on E4M3 (sm_89,
/// sm_120a), or on FP16 (sm_80, sm_100a). BF16 goes through mma.sync always.
enum class MmaKind { Wgmma, E4M3, F16 };

/// What the architecture that is compiled for has natively. Hopper's and
/// Blackwell's (sm_100a) mma.sync takes E4M3 too, but is built of conversions.
#if defined(DSV4_CPU_EMU) || DSV4_HAS_WGMMA
inline constexpr MmaKind nativeMma = MmaKind::Wgmma;
#elif DSV4_HAS_FP8_MMA && (__CUDA_ARCH__ < 900 || __CUDA_ARCH__ >= 1200)
inline constexpr MmaKind nativeMma = MmaKind::E4M3;
#else
inline constexpr MmaKind nativeMma = MmaKind::F16;
#endif

/// Formats of weights, numbered as the packer's TileFormat, and FP8 ones that
/// meet rows of BF16 which nobody has quantised (wo_a).
enum class WeightFormat : u32 { Fp4, Fp8, Bf16, Fp8Wide };

/// Whether activations are rows of BF16, not blocks (activations.cuh).
DSV4_LAYOUT bool readsBf16(WeightFormat format) {
  return format == WeightFormat::Bf16 || format == WeightFormat::Fp8Wide;
}

DSV4_LAYOUT u32 tileBytes(WeightFormat format) {
  return format == WeightFormat::Fp4    ? Fp4TileBytes
         : format == WeightFormat::Bf16 ? Bf16TileBytes
                                        : Fp8TileBytes;
}

/// Operands A of a warp and tile for blocks of E4M3, in the order of k: pairs
/// of them for products of FP16.
template <MmaKind M> struct OperandsE4M3 {
  FragmentA a[M == MmaKind::F16 ? 8 : 4];
  DSV4_DEVICE void set(int i, const FragmentPair &pair) {
    a[2 * i] = pair.even;
    a[2 * i + 1] = pair.odd;
  }
};

/// What this lane reads of a tile: 16 bytes here and every 512 bytes further.
DSV4_DEVICE Shared<const u8> laneOf(Shared<const u8> tile, u32 codeBytes,
                                    int warp) {
  return tile + (warp * (codeBytes / 4) + laneId() * VectorBytes);
}
DSV4_DEVICE U32x4 laneVector(Shared<const u8> lane, int vector) {
  return (lane + vector * WarpLoadBytes).as<const u32>().vec<4>(0);
}

/// A lane's codes of an FP4 tile: its 32 k of rows g and g + 8.
struct Fp4Codes {
  U32x4 upper, lower;
};

DSV4_DEVICE Fp4Codes loadFp4Codes(Shared<const u8> lane) {
  return {laneVector(lane, 0), laneVector(lane, 1)};
}

template <MmaKind M> DSV4_DEVICE Fp4Tables fp4TablesFor(u32 offsetByte) {
  if constexpr (M == MmaKind::F16)
    return fp4TablesF16(offsetByte);
  else
    return fp4TablesE4m3(offsetByte);
}

template <MmaKind M> DSV4_DEVICE Fp4Tables fp4EscapeTablesFor(bool mine) {
  if constexpr (M == MmaKind::F16)
    return fp4EscapeTablesF16(mine);
  else
    return fp4EscapeTablesE4m3(mine);
}

/// Four accumulators out of d, through `multiply`.
template <int R, class Multiply>
DSV4_DEVICE void onColumns(float (&d)[R], int j, Multiply multiply) {
  float part[4] = {d[4 * j], d[4 * j + 1], d[4 * j + 2], d[4 * j + 3]};
  multiply(part);
  DSV4_UNROLL
  for (int i = 0; i < 4; ++i)
    d[4 * j + i] = part[i];
}

/// Activations of a block in shared memory: for each column 128 permuted codes
/// or 128 values of FP16, swizzled. wgmma takes a descriptor instead of an
/// address; moving changes its lower word alone.
template <MmaKind M> class Panel {
public:
  DSV4_DEVICE explicit Panel(Shared<const u8> at) : place(at) {}
  DSV4_DEVICE Panel moved(u32 bytes) const { return Panel(place + bytes); }
  DSV4_DEVICE Shared<const u8> at() const { return place; }

private:
  Shared<const u8> place;
};
#if DSV4_HAS_WGMMA
template <> class Panel<MmaKind::Wgmma> {
public:
  DSV4_DEVICE explicit Panel(Shared<const u8> at)
      : low(u32(bDescriptor(0, Swizzle::B128, 1024)) + at.addr() / 16) {}
  DSV4_DEVICE Panel moved(u32 bytes) const {
    Panel panel = *this;
    panel.low += bytes / 16;
    return panel;
  }
  DSV4_DEVICE u64 descriptor() const {
    return bDescriptor(0, Swizzle::B128, 1024) >> 32 << 32 | low;
  }

private:
  u32 low;
};
#endif

/// Where 16 bytes of a column's 256 are in a panel of FP16 or BF16. A lane
/// reads the units 4 c + i of its block c; eight lanes (two columns, four
/// blocks) meet eight different groups of banks, and what i adds to a lane's
/// place is one constant for even i and one for odd.
DSV4_LAYOUT u32 wideUnit(u32 column, u32 unit) {
  return column * 256 + ((unit % 4 * 4 + unit / 4) ^ (column & 1) << 2) * 16;
}
DSV4_DEVICE U32x4 wideVector(Shared<const u8> panel, u32 column, u32 unit) {
  return (panel + wideUnit(column, unit)).as<const u32>().vec<4>(0);
}

/// d = A B over 128 k by mma.sync. Reads of a warp meet all 32 banks: rows are
/// XORed apart, and a quad's words are neighbours.
template <MmaKind M, int R>
DSV4_DEVICE void multiplyByMma(float (&d)[R], const OperandsE4M3<M> &operands,
                               const Panel<M> &panel) {
  auto words = panel.at().template as<const u32>();
  u32 g = laneId() / 4, c = laneId() % 4;
  DSV4_UNROLL
  for (int j = 0; j < R / 4; ++j)
    onColumns(d, j, [&](float (&part)[4]) {
      DSV4_UNROLL
      for (u32 i = 0; i < 4; ++i) {
        u32 b[2] = {words[swizzled128(8 * j + g, 32 * i + 4 * c) / 4],
                    words[swizzled128(8 * j + g, 32 * i + 16 + 4 * c) / 4]};
        if constexpr (M == MmaKind::F16) {
          u32 even[2] = {e4m3PairToF16x2(b[0], false),
                         e4m3PairToF16x2(b[0], true)};
          u32 odd[2] = {e4m3PairToF16x2(b[1], false),
                        e4m3PairToF16x2(b[1], true)};
          mmaF16(part, operands.a[2 * i].v, even);
          mmaF16(part, operands.a[2 * i + 1].v, odd);
        } else {
#if DSV4_HAS_FP8_MMA
          mmaE4M3(part, operands.a[i].v, b);
#endif
        }
      }
    });
}

/// The same for blocks of FP16: columns are 128 values in the order of k, and a
/// lane reads the 32 of its own block. Calls done(j, sums) for 8 columns at a
/// time, so that their sums need no registers afterwards.
template <int R, class Done>
DSV4_DEVICE void multiplyF16(const OperandsE4M3<MmaKind::F16> &operands,
                             Shared<const u8> panel, Done done) {
  u32 g = laneId() / 4, c = laneId() % 4;
  // wideUnit(8 j + g, 4 c + i), taken apart.
  Shared<const u8> lanes[2] = {panel + wideUnit(g, 4 * c),
                               panel + (wideUnit(g, 4 * c + 1) - 64)};
  DSV4_UNROLL
  for (int j = 0; j < R / 4; ++j) {
    float sums[4] = {0, 0, 0, 0};
    DSV4_UNROLL
    for (int i = 0; i < 4; ++i) {
      U32x4 x = (lanes[i % 2] + (64 * i + 8 * 256 * j))
                    .template as<const u32>()
                    .template vec<4>(0);
      u32 even[2] = {x[0], x[1]}, odd[2] = {x[2], x[3]};
      mmaF16(sums, operands.a[2 * i].v, even);
      mmaF16(sums, operands.a[2 * i + 1].v, odd);
    }
    done(j, sums);
  }
}

/// d = A B over 128 k. With wgmma all four warps of a group call it together.
template <MmaKind M, int R>
DSV4_DEVICE void multiplyE4M3(float (&d)[R], const OperandsE4M3<M> &operands,
                              const Panel<M> &panel) {
  static_assert(M != MmaKind::Wgmma || DSV4_HAS_WGMMA, "no wgmma here");
  DSV4_UNROLL
  for (int i = 0; i < R; ++i)
    d[i] = 0;
  if constexpr (M == MmaKind::Wgmma) {
#if DSV4_HAS_WGMMA
    wgmmaFence();
    DSV4_UNROLL
    for (int i = 0; i < 4; ++i)
      wgmmaE4M3(d, operands.a[i].v, panel.moved(32 * i).descriptor(), i != 0);
    wgmmaCommit();
    wgmmaWait<0>();
#endif
  } else {
    multiplyByMma<M>(d, operands, panel);
  }
}

/// multiplyE4M3, and done(j, sums) as of multiplyF16.
template <MmaKind M, int R, class Done>
DSV4_DEVICE void multiplyE4M3(const OperandsE4M3<M> &operands,
                              const Panel<M> &panel, Done done) {
  float d[R];
  multiplyE4M3<M>(d, operands, panel);
  DSV4_UNROLL
  for (int j = 0; j < R / 4; ++j) {
    float sums[4] = {d[4 * j], d[4 * j + 1], d[4 * j + 2], d[4 * j + 3]};
    done(j, sums);
  }
}

/// An FP8 tile times a panel, 128 k: done(j, sums) for 8 columns at a time.
/// `Wide`: the panel has blocks of FP16.
template <MmaKind M, bool Wide, int R, class Done>
DSV4_DEVICE void multiplyFp8(Shared<const u8> lane, const Panel<M> &panel,
                             Done done) {
  OperandsE4M3<M> operands;
  DSV4_UNROLL
  for (int i = 0; i < 4; ++i) {
    U32x4 codes = laneVector(lane, i);
    if constexpr (M == MmaKind::F16)
      operands.set(i, fp8FragmentsF16(codes));
    else
      operands.a[i] = codes;
  }
  if constexpr (Wide)
    multiplyF16<R>(operands, panel.at(), done);
  else
    multiplyE4M3<M, R>(operands, panel, done);
}

/// The same of an FP4 tile.
template <MmaKind M, bool Wide, int R, class Done>
DSV4_DEVICE void multiplyFp4(const Fp4Codes &codes, const Fp4Tables &tables,
                             const Panel<M> &panel, Done done) {
  OperandsE4M3<M> operands;
  DSV4_UNROLL
  for (int i = 0; i < 4; ++i)
    if constexpr (M == MmaKind::F16)
      operands.set(i, fp4FragmentsF16(codes.upper, codes.lower, tables, i));
    else
      operands.a[i] = fp4FragmentE4m3(codes.upper, codes.lower, tables, i);
  if constexpr (Wide)
    multiplyF16<R>(operands, panel.at(), done);
  else
    multiplyE4M3<M, R>(operands, panel, done);
}

// ---- BF16 -------------------------------------------------------------------

/// Operands A of m16n8k16 in BF16, from the vectors of block c's k 8 i and on:
/// a BF16 tile's own, or those of an FP8 tile widened, which is exact.
template <WeightFormat F>
DSV4_DEVICE FragmentPair bf16Fragments(Shared<const u8> lane, int i) {
  if constexpr (F == WeightFormat::Fp8Wide) {
    return fp8FragmentsBf16(laneVector(lane, i));
  } else {
    return {laneVector(lane, 2 * i), laneVector(lane, 2 * i + 1)};
  }
}

/// d = A B over 128 k of rows of BF16; a lane reads the 32 k of its own block
/// as they are, no permutation.
template <WeightFormat F, int R>
DSV4_DEVICE void multiplyBf16(float (&d)[R], Shared<const u8> lane,
                              Shared<const u8> panel) {
  u32 g = laneId() / 4, c = laneId() % 4;
  DSV4_UNROLL
  for (int i = 0; i < R; ++i)
    d[i] = 0;
  DSV4_NO_UNROLL // all four at once take 32 registers
      for (u32 i = 0; i < 4; ++i) {
    FragmentPair pair = bf16Fragments<F>(lane, int(i));
    DSV4_UNROLL
    for (int j = 0; j < R / 4; ++j)
      onColumns(d, j, [&](float (&sum)[4]) {
        U32x4 x = wideVector(panel, 8 * j + g, 4 * c + i);
        u32 low[2] = {x[0], x[1]}, high[2] = {x[2], x[3]};
        mmaBF16(sum, pair.even.v, low);
        mmaBF16(sum, pair.odd.v, high);
      });
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_PRODUCTS_CUH
