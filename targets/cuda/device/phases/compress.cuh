// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compressor (kern.compress, kern.carry): a block of threads pools a
// finished block of tokens, a thread per channel; half a warp norms, turns and
// stores the row. Bit-equal to runtime/numerics.
//
// C of compress: Width (D), Overlap (W = 2 D), Ratio, CarrySlots, RopeDims,
// RowBytes, Eps, Index; D floats of shared memory. Of carry: Width (W), Slots.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_COMPRESS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_COMPRESS_CUH

#include "runtime/numerics/attention.h"
#include "targets/cuda/device/phases/half_row.cuh"

namespace dsv4::cuda {

struct CompressParams {
  const dsv4_step *step;
  Global<const float> u, g, ape;
  Global<const u16> norm;
  Global<const u8> carry;
  Global<u8> entries;
  RopeFreqs freqs;
};

/// The slots that an entry pools, which end at the row `token`.
template <class C> struct CompressSlots {
  static constexpr int W = C::Overlap ? 2 * C::Width : C::Width;
  static constexpr int Slots = C::Overlap ? 2 * C::Ratio : C::Ratio;

  Global<const float> u, g, ape, carry;
  i64 firstRow;   // of the sequence in this step
  int start, end; // positions of that row and of the token

  /// The half of a row that a slot pools: of the block before the first.
  DSV4_DEVICE static int half(int slot) {
    return C::Overlap && slot >= C::Ratio ? C::Width : 0;
  }
  /// u of a slot, or with `gate` g: of this step's rows or carried.
  DSV4_DEVICE float input(int slot, int channel, bool gate) const {
    int at = end - (Slots - 1) + slot;
    i64 column = half(slot) + channel;
    if (at >= start)
      return (gate ? g : u)[(firstRow + (at - start)) * W + column];
    return carry[i64(at % C::CarrySlots) * (2 * W) + (gate ? W : 0) + column];
  }
  DSV4_DEVICE float gate(int slot, int channel) const {
    i64 at = i64(slot % C::Ratio) * W + half(slot) + channel;
    return input(slot, channel, true) + ape[at];
  }
  /// num::poolChannel, whose loops the compiler would unroll over more slots
  /// than there are registers for.
  DSV4_DEVICE float pool(int from, int channel) const {
    float largest = -__builtin_inff(), total = 0, sum = 0;
    DSV4_UNROLL_BY(4)
    for (int s = from; s < Slots; ++s) {
      float one = gate(s, channel);
      largest = one > largest ? one : largest;
    }
    DSV4_UNROLL_BY(4)
    for (int s = from; s < Slots; ++s)
      total += num::exp(gate(s, channel) - largest);
    DSV4_UNROLL_BY(4)
    for (int s = from; s < Slots; ++s)
      sum = num::fma(input(s, channel, false),
                     num::exp(gate(s, channel) - largest) / total, sum);
    return sum;
  }
};

/// The sine or cosine of a pair at one position.
struct PositionTurn {
  const RopeFreqs &freqs;
  int position;
  DSV4_DEVICE float operator()(int k) const {
    num::CosSin turn = num::cosSin(float(position) * freqs.of[k / 2]);
    return k % 2 ? turn.sin : turn.cos;
  }
};

/// Norm, RoPE and the stored form, by the first warp.
template <class C>
DSV4_DEVICE void storeEntry(const CompressParams &p, Shared<float> pooled,
                            Global<u8> rows, int entry) {
  using Row = HalfRow<C::Width>;
  typename Row::template Turns<C::RopeDims> turns(
      PositionTurn{p.freqs, entry * C::Ratio});
  Row row;
  DSV4_UNROLL
  for (int i = 0; i < row.Count; ++i)
    row.v[i] = pooled[row.element(i)];
  bool exists = laneId() < 16; // both halves compute the same
  row.rmsNorm(p.norm, C::Eps);
  row.rope(turns);
  if constexpr (C::Index) {
    row.hadamard();
    row.packIndex(rows +
                      i64(entry / IndexTileRows) * IndexTile<C::Width>::Bytes,
                  entry % IndexTileRows, exists);
  } else {
    row.template packKv<C::RopeDims>(rows + i64(entry) * C::RowBytes,
                                     C::RowBytes, exists);
  }
}

/// Items: tokens.
template <class C, class View = WholeGrid>
DSV4_DEVICE void compress(const CompressParams &p, const View &view = {}) {
  StepView step(p.step);
  auto pooled = view.shared().template as<float>();
  view.begin();
  for (i64 token = view.block(); token < step.tokens();
       token += view.blocks()) {
    int position = step.position(token), entry = position / C::Ratio;
    if ((position + 1) % C::Ratio != 0)
      continue;
    i64 first = step.firstRow(token);
    auto carry = step.stateOf(p.carry, token).template as<const float>();
    CompressSlots<C> slots{
        p.u, p.g, p.ape, carry, first, step.position(first), position};
    int from = C::Overlap && entry == 0 ? C::Ratio : 0;
    for (int c = int(view.thread()); c < C::Width; c += int(view.threads()))
      pooled[c] = num::roundBf16(slots.pool(from, c));
    view.sync();
    if (view.thread() < 32)
      storeEntry<C>(p, pooled, step.stateOf(p.entries, token), entry);
    view.sync(); // the next token's row goes to the same place
  }
}

struct CarryParams {
  const dsv4_step *step;
  Global<const float> u, g;
  Global<u8> carry;
};

/// Items: tokens. After compress, which reads what this overwrites.
template <class C, class View = WholeGrid>
DSV4_DEVICE void carry(const CarryParams &p, const View &view = {}) {
  constexpr int W = C::Width;
  static_assert(W % 4 == 0, "16 bytes at a time");
  StepView step(p.step);
  view.begin();
  for (i64 token = view.block(); token < step.tokens();
       token += view.blocks()) {
    int position = step.position(token);
    if (position <= step.position(step.endRow(token) - 1) - C::Slots)
      continue;
    auto to = step.stateOf(p.carry, token).template as<float>() +
              i64(position % C::Slots) * (2 * W);
    for (int i = 4 * int(view.thread()); i < W; i += 4 * int(view.threads())) {
      to.template setVec<4>(i, p.u.template vec<4>(token * W + i));
      to.template setVec<4>(W + i, p.g.template vec<4>(token * W + i));
    }
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_COMPRESS_CUH
