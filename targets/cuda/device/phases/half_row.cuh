// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A row of N BF16 values in the registers of half a warp: lane l of 16 holds
// the elements 16 i + l, the lanes of R3. Norms, RoPE, Hadamard transform and
// the stored forms of rows; every sum and rounding is that of runtime/numerics,
// so the bits are. All 32 lanes take part, two rows at a time.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_HALF_ROW_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_HALF_ROW_CUH

#include "runtime/numerics/rows.h"
#include "targets/cuda/device/phases/index_tile.cuh"
#include "targets/cuda/device/phases/step_view.cuh"

namespace dsv4::cuda {

/// Lanes are added 8 apart, then 4, 2, 1 (R3); all get the sum, because a sum
/// of two does not depend on their order.
DSV4_DEVICE float halfWarpSum(float x) {
  DSV4_UNROLL
  for (u32 step = 8; step > 0; step /= 2)
    x += shflXor(x, step);
  return x;
}

DSV4_DEVICE float halfWarpMax(float x) {
  DSV4_UNROLL
  for (u32 step = 8; step > 0; step /= 2) {
    float other = shflXor(x, step);
    x = other > x ? other : x;
  }
  return x;
}

template <int N> struct HalfRow {
  static constexpr int Count = N / 16;
  static_assert(N % 16 == 0, "16 lanes share a row");
  float v[Count];

  DSV4_DEVICE static u32 lane() { return laneId() % 16; }
  DSV4_DEVICE static int element(int i) { return 16 * i + int(lane()); }

  DSV4_DEVICE void load(Global<const u16> from, bool exists) {
    DSV4_UNROLL
    for (int i = 0; i < Count; ++i)
      v[i] = exists ? num::bf16ToFloat(from[element(i)]) : 0.0f;
  }
  DSV4_DEVICE void store(Global<u16> to, bool exists) const {
    if (!exists)
      return;
    DSV4_UNROLL
    for (int i = 0; i < Count; ++i)
      to[element(i)] = num::floatToBf16(v[i]);
  }

  /// Weightless norm of a head (R12).
  DSV4_DEVICE void headNorm(float eps) {
    float sum = 0;
    DSV4_UNROLL
    for (int i = 0; i < Count; ++i)
      sum += num::roundBf16(v[i] * v[i]);
    float mean = num::roundBf16(halfWarpSum(sum) / float(N));
    float r = num::roundBf16(1.0f / num::sqrt(num::roundBf16(mean + eps)));
    DSV4_UNROLL
    for (int i = 0; i < Count; ++i)
      v[i] = num::roundBf16(v[i] * r);
  }

  DSV4_DEVICE void rmsNorm(Global<const u16> weight, float eps) {
    float sum = 0;
    DSV4_UNROLL
    for (int i = 0; i < Count; ++i)
      sum = num::fma(v[i], v[i], sum);
    float r = 1.0f / num::sqrt(halfWarpSum(sum) / float(N) + eps);
    DSV4_UNROLL
    for (int i = 0; i < Count; ++i) {
      v[i] = num::roundBf16(num::bf16ToFloat(weight[element(i)]) * (v[i] * r));
      if (i % 4 == 3)
        syncWarp(); // weights in turns: all at once take 32 registers more
    }
  }

  /// This lane's part of the pairs of R rotary elements: turn(k) is the cosine
  /// of pair k / 2 for an even k, else its sine.
  template <int R> struct Turns {
    float part[R / 16];
    template <class Turn> DSV4_DEVICE explicit Turns(const Turn &turn) {
      static_assert(R % 16 == 0 && R <= N, "pairs start at a lane");
      DSV4_UNROLL
      for (int i = 0; i < R / 16; ++i)
        part[i] = turn(16 * i + int(lane()));
      syncWarp(); // before there is a row: both take many registers
    }
  };

  /// RoPE of the last R elements (R13). Pairs lie in neighbouring lanes.
  template <int R> DSV4_DEVICE void rope(const Turns<R> &turns) {
    bool odd = lane() % 2 != 0;
    DSV4_UNROLL
    for (int i = 0; i < R / 16; ++i) {
      float mine = v[(N - R) / 16 + i], other = shflXor(mine, 1);
      float part = turns.part[i], otherPart = shflXor(part, 1);
      float even = num::fma(mine, part, -(other * otherPart));
      float uneven = num::fma(other, part, mine * otherPart);
      v[(N - R) / 16 + i] = num::roundBf16(odd ? uneven : even);
    }
  }
  template <int R, class Turn> DSV4_DEVICE void rope(const Turn &turn) {
    rope<R>(Turns<R>(turn));
  }

  /// R7: steps below 16 go over lanes, the others over registers.
  DSV4_DEVICE void hadamard() {
    static_assert((N & (N - 1)) == 0, "N is a power of two");
    DSV4_UNROLL
    for (u32 step = 1; step < 16; step *= 2) {
      bool upper = lane() & step;
      DSV4_UNROLL
      for (int i = 0; i < Count; ++i) {
        float other = shflXor(v[i], step);
        v[i] = upper ? other - v[i] : v[i] + other;
      }
    }
    DSV4_UNROLL
    for (int step = 1; step < Count; step *= 2) {
      DSV4_UNROLL
      for (int i = 0; i < Count; ++i)
        if (!(i & step)) {
          float a = v[i], b = v[i + step];
          v[i] = a + b;
          v[i + step] = a - b;
        }
    }
    float scale = inverseRoot();
    DSV4_UNROLL
    for (int i = 0; i < Count; ++i)
      v[i] = num::roundBf16(v[i] * scale);
  }

  /// Largest magnitude of the Registers x 16 elements from register `first` on.
  template <int Registers> DSV4_DEVICE float largest(int first) const {
    float most = 0;
    DSV4_UNROLL
    for (int i = 0; i < Registers; ++i) {
      float a = num::absolute(v[first + i]);
      most = a > most ? a : most;
    }
    return halfWarpMax(most);
  }

  /// Scale byte of a block of E2M1 (R15): 32 elements, two registers.
  DSV4_DEVICE u8 scaleE2M1(int first) const {
    float most = largest<2>(first);
    return num::scaleByte(&most, 1, 6 * 0x1p-126f, float(1.0 / 6));
  }
  DSV4_DEVICE float onGridE2M1(int i, u8 byte) const {
    return num::roundE2M1(num::clamp(v[i] * num::inverseScale(byte), 6));
  }

  DSV4_DEVICE void fakeQuantizeE2M1() {
    static_assert(N % 32 == 0, "blocks of 32");
    DSV4_UNROLL
    for (int first = 0; first < Count; first += 2) {
      u8 byte = scaleE2M1(first);
      DSV4_UNROLL
      for (int i = first; i < first + 2; ++i)
        v[i] = num::roundBf16(onGridE2M1(i, byte) * num::e8m0ToFloat(byte));
    }
  }

  /// Stores a KV row: N - R E4M3 codes, R BF16 values, a scale byte per 64
  /// codes, zeros up to the end of the row.
  template <int R>
  DSV4_DEVICE void packKv(Global<u8> row, int rowBytes, bool exists) const {
    constexpr int Codes = N - R, Blocks = Codes / 64;
    static_assert(Codes % 64 == 0 && R % 16 == 0, "blocks of 64 codes");
    DSV4_UNROLL
    for (int b = 0; b < Blocks; ++b) {
      float most = largest<4>(4 * b);
      u8 byte = num::scaleByte(&most, 1, 1e-4f, float(1.0 / 448));
      float inverse = num::inverseScale(byte);
      DSV4_UNROLL
      for (int i = 4 * b; i < 4 * b + 4; ++i) {
        float q = num::roundE4M3(num::clamp(v[i] * inverse, 448));
        if (exists)
          row[element(i)] = num::e4m3Code(q);
      }
      if (exists && lane() == 0)
        row[Codes + 2 * R + b] = byte;
    }
    if (!exists)
      return;
    DSV4_UNROLL
    for (int i = Codes / 16; i < Count; ++i)
      (row + Codes).as<u16>()[element(i) - Codes] = num::floatToBf16(v[i]);
    int end = Codes + 2 * R + Blocks + int(lane());
    if (end < rowBytes) // at most 7
      row[end] = 0;
  }

  /// Stores an index row (R15) as row `r` of a tile (index_tile.cuh).
  DSV4_DEVICE void packIndex(Global<u8> tile, int r, bool exists) const {
    using Tile = IndexTile<N>;
    DSV4_UNROLL
    for (int g = 0; g < N / 32; ++g) {
      u8 byte = scaleE2M1(2 * g);
      DSV4_UNROLL
      for (int half = 0; half < 2; ++half) {
        u32 code = num::e2m1Code(onGridE2M1(2 * g + half, byte));
        u32 word = indexNibble(lane() % 8, code);
        DSV4_UNROLL
        for (u32 step = 1; step < 8; step *= 2)
          word |= shflXor(word, step);
        if (exists && lane() % 8 == 0)
          tile.as<u32>()[Tile::word(r, g, 2 * half + int(lane()) / 8)] = word;
      }
      if (exists && lane() == 0)
        tile[Tile::scale(r, g)] = byte;
    }
  }

private:
  /// float(1 / sqrt(N)) as numerics rounds it: powers of two move no bit.
  DSV4_DEVICE static constexpr float inverseRoot() {
    int log = 0;
    while ((1 << (log + 1)) <= N)
      ++log;
    float root = log % 2 ? float(0.70710678118654746) : 1.0f;
    for (int i = 0; i < log / 2; ++i)
      root *= 0.5f;
    return root;
  }
};

/// What rope() takes from a row of rope_table.
struct TableTurn {
  Global<const float> tab;
  bool exists;
  DSV4_DEVICE float operator()(int k) const {
    return exists ? float(tab[k]) : 0.0f;
  }
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_HALF_ROW_CUH
