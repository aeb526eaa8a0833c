// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests of the attention phases share: steps of several sequences inside
// the emulated device, random values, runs over many schedules, and references
// that call runtime/numerics.

#ifndef DSV4_TEST_UNIT_CUDA_ATTENTION_ATTENTIONTESTSUPPORT_H
#define DSV4_TEST_UNIT_CUDA_ATTENTION_ATTENTIONTESTSUPPORT_H

#include "runtime/abi/program.h"
#include "runtime/numerics/attention.h"
#include "runtime/numerics/denormals.h"
#include "targets/cuda/device/phases/step_view.cuh"
#include "test/unit/cuda-attention/AttentionConfigs.cuh"
#include "test/unit/cuda/Compare.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace dsv4::cuda::test {

constexpr u64 seeds = 20;

using Floats = std::vector<float>;
using Halves = std::vector<u16>; // BF16
using Bytes = std::vector<u8>;

/// Rows of a step, sequence by sequence.
struct StepRows {
  std::vector<i32> position, sequence, first, end;
  i64 context = 4096, stride = 0;

  void add(i32 slot, i32 start, i32 count) {
    i32 from = i32(position.size());
    for (i32 i = 0; i < count; ++i) {
      position.push_back(start + i);
      sequence.push_back(slot);
      first.push_back(from);
      end.push_back(from + count);
    }
  }
  i64 tokens() const { return i64(position.size()); }
  i32 most() const {
    return *std::max_element(position.begin(), position.end());
  }

  const dsv4_step *upload(Emulator &emu) const {
    dsv4_step step = {};
    step.tokens = tokens();
    step.context = context;
    step.state_stride = stride;
    step.max_position = most();
    step.position = emu.input("position", position).raw();
    step.sequence = emu.input("sequence", sequence).raw();
    step.first_row = emu.input("first", first).raw();
    step.end_row = emu.input("end", end).raw();
    return emu.input("step", std::vector<dsv4_step>{step}).raw();
  }
};

/// Runs `body`, which sets a run up and answers how to read its outputs, over
/// all schedules: no findings, always the same bytes. Returns them.
template <class T, class Body>
std::vector<T> onAllSchedules(const Body &body, u64 count = seeds) {
  num::FlushDenormals flush;
  std::vector<T> outputs;
  for (u64 seed = 1; seed <= schedules(count); ++seed) {
    Emulator emu({.seed = seed, .residentBlocks = u32(1 + seed % 4)});
    auto [out, size] = body(emu);
    Result result = emu.run();
    EXPECT_TRUE(result.ok()) << "seed " << seed << '\n' << result.text();
    std::vector<T> now = contents(out, size);
    if (seed == 1)
      outputs = now;
    EXPECT_SAME(now, outputs) << "another schedule, other bits: " << seed;
    if (testing::Test::HasFailure())
      break;
  }
  return outputs;
}

struct Randoms {
  std::mt19937 engine{11};

  u32 operator()() { return engine(); }
  /// BF16 with exponents from -spread to spread.
  Halves bf16(i64 count, int spread = 4) {
    Halves out(static_cast<size_t>(count));
    for (u16 &h : out)
      h = u16((engine() & 0x807f) |
              u32(127 + int(engine() % u32(2 * spread + 1)) - spread) << 7);
    return out;
  }
  Floats floats(i64 count, float range = 1) {
    std::uniform_real_distribution<float> uniform(-range, range);
    Floats out(static_cast<size_t>(count));
    for (float &f : out)
      f = uniform(engine);
    return out;
  }
};

inline Floats floatsOf(const u16 *from, i64 count) {
  Floats out(static_cast<size_t>(count));
  for (i64 i = 0; i < count; ++i)
    out[size_t(i)] = num::bf16ToFloat(from[i]);
  return out;
}

inline Floats frequencies(int count) {
  Floats f;
  for (int i = 0; i < count; ++i)
    f.push_back(float(std::pow(10000.0, -1.0 * i / count)));
  return f;
}

/// As parameters hold them.
inline RopeFreqs byValue(const Floats &freqs) {
  RopeFreqs to{};
  std::copy(freqs.begin(), freqs.end(), to.of);
  return to;
}

/// Rows of rope_table.
inline Floats ropeRows(const StepRows &rows, const Floats &freqs) {
  Floats tab;
  for (i32 position : rows.position)
    for (float f : freqs) {
      num::CosSin turn = num::cosSin(float(position) * f);
      tab.push_back(turn.cos);
      tab.push_back(turn.sin);
    }
  return tab;
}

/// The stored form of a KV row of n values, r of them rotary (R15).
inline Bytes packedKv(const Floats &x, int n, int r, int rowBytes) {
  Bytes row(size_t(rowBytes), 0);
  int codes = n - r;
  for (int b = 0; b < codes / 64; ++b) {
    u8 byte = num::scaleByte(x.data() + 64 * b, 64, 1e-4f, float(1.0 / 448));
    for (int i = 64 * b; i < 64 * b + 64; ++i)
      row[size_t(i)] = num::e4m3Code(num::roundE4M3(
          num::clamp(x[size_t(i)] * num::inverseScale(byte), 448)));
    row[size_t(codes + 2 * r + b)] = byte;
  }
  for (int i = 0; i < r; ++i) {
    u16 h = num::floatToBf16(x[size_t(codes + i)]);
    row[size_t(codes + 2 * i)] = u8(h);
    row[size_t(codes + 2 * i + 1)] = u8(h >> 8);
  }
  return row;
}

/// What a stored KV row means.
inline Floats unpackedKv(const u8 *row, int n, int r) {
  Floats x;
  int codes = n - r;
  for (int i = 0; i < codes; ++i)
    x.push_back(num::e4m3ToFloat(row[i]) *
                num::e8m0ToFloat(row[codes + 2 * r + i / 64]));
  for (int i = 0; i < r; ++i)
    x.push_back(num::bf16ToFloat(
        u16(row[codes + 2 * i] | row[codes + 2 * i + 1] << 8)));
  return x;
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_ATTENTION_ATTENTIONTESTSUPPORT_H
