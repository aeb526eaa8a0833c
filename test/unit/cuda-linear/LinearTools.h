// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrices, activations and configs for the tests of the matrix phases, and
// what their results are held against: numerics R1 by its scalar definition,
// within the bound of docs/cuda-phases.md.

#ifndef DSV4_TEST_UNIT_CUDA_LINEAR_LINEARTOOLS_H
#define DSV4_TEST_UNIT_CUDA_LINEAR_LINEARTOOLS_H

#include "runtime/numerics/dot.h"
#include "targets/cuda/device/phases/linear.cuh"
#include "targets/cuda/emulation/Emulator.h"
#include "test/unit/cuda-packing/PackTools.h"

namespace dsv4::cuda::test {

using emu::Edge, emu::Emulator, emu::LaunchId, emu::Result;

/// A config of the tests: small rings, so that they go round.
template <MmaKind M, u32 Columns, bool Partials, bool Bulk = true,
          u32 Groups = 2>
struct TestConfig {
  static constexpr MmaKind mma = M;
  static constexpr bool bulk = Bulk;
  static constexpr u32 formats = 7;
  static constexpr bool escapes = true;
  static constexpr bool partials = Partials;
  static constexpr u32 columns = Columns, groups = Groups;
  static constexpr u32 weightStages = 3, stageBytes = 18000, xStages = 2;
};

/// Decode by single strips: four blocks of FP4 a stage, or three, which do not
/// divide the eight of a stage of activations.
using WgmmaFours = TestConfig<MmaKind::Wgmma, 8, true, true, 1>;
struct WgmmaThrees : WgmmaFours {
  static constexpr u32 stageBytes = 13000;
};

/// Rows of activations as the model has them: fake-quantised BF16, magnitudes
/// that differ from block to block.
struct Activations {
  u32 rows, k;
  std::vector<u16> bits;
  std::vector<float> row(u32 r) const {
    std::vector<float> values(k);
    for (u32 i = 0; i < k; ++i)
      values[i] = num::bf16ToFloat(bits[size_t(r) * k + i]);
    return values;
  }
};

inline Activations makeActivations(u32 rows, u32 k, bool quantised,
                                   unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Activations x{rows, k, std::vector<u16>(size_t(rows) * k)};
  for (u32 r = 0; r < rows; ++r) {
    std::vector<float> values(k);
    for (u32 i = 0; i < k; ++i) {
      if (i % 128 == 0 && r + i)
        (void)random();
      float size = num::e8m0ToFloat(u8(124 + (r * 7 + i / 128 * 3) % 9));
      values[i] = num::roundBf16(normal(random) * size);
    }
    if (quantised)
      num::fakeQuantizeE4M3(values.data(), k, 128);
    for (u32 i = 0; i < k; ++i)
      x.bits[size_t(r) * k + i] = num::floatToBf16(values[i]);
  }
  return x;
}

/// R1 of one element, and how far a phase may be from it.
struct Expected {
  float value;
  double bound;
};

inline Expected expected(const Matrix &m, i64 row, const float *x, u32 split) {
  i64 k = m.layout.k();
  std::vector<float> w(k), scales(k / 32, 1.0f);
  double size = 0;
  for (i64 i = 0; i < k; ++i) {
    double value = weight(m, row, i);
    size += std::abs(value * x[i]);
    if (m.layout.format() == TileFormat::Fp4)
      scales[i / 32] = num::e8m0ToFloat(m.scales[row * (k / 32) + i / 32]);
    if (m.layout.format() == TileFormat::Fp8)
      scales[i / 32] = num::e8m0ToFloat(
          m.scales[row / 128 * m.layout.tilesPerStrip() + i / 128]);
    w[i] = scales[i / 32] ? float(value / scales[i / 32]) : 0;
  }
  // docs/cuda-phases.md: roundings of ours (8 instructions, promotions, parts)
  // and of R1 (32 in a chain, one per group).
  double roundings = 8 + 32 + 8.0 * double(m.layout.tilesPerStrip()) + split;
  return {num::dot(x, w.data(), scales.data(), k),
          roundings * 0x1p-24 * size * 1.001};
}

/// A packed matrix with its job; memory of the emulator's own.
struct HostJob {
  Matrix matrix;
  u32 xGroups = 1, split = 1;
  bool floatOut = true;
};

inline MatrixJob deviceJob(const HostJob &host) {
  const MatrixLayout &layout = host.matrix.layout;
  MatrixJob job{};
  job.format = WeightFormat(int(layout.format()));
  job.rows = u32(layout.rows());
  job.blocks = u32(layout.tilesPerStrip());
  job.xGroups = host.xGroups;
  bool bf16 = job.format == WeightFormat::Bf16;
  job.xBytes = bf16 ? u32(layout.k()) * 2 : job.blocks * ActivationBytes;
  job.xRowBytes = job.xBytes * host.xGroups;
  job.split = host.split;
  job.tilesBegin = u32(layout.headerBytes());
  job.escapesBegin = layout.escapesBegin();
  job.floatOut = host.floatOut;
  return job;
}

/// Activations on the device: BF16 rows as they are, or blocks that a launch
/// before encodes.
struct DeviceX {
  Global<const u8> data;
  std::vector<Edge> edges; // what the reader waits for
};

inline DeviceX uploadX(Emulator &emu, const Activations &x, bool blocks,
                       Global<const i64> rows, u32 rowsPer = 1) {
  auto bits = emu.input("x", x.bits);
  if (!blocks)
    return {bits.as<const u8>(), {}};
  auto encoded = emu.scratch<u8>("x blocks", size_t(x.rows) * (x.k / 128) *
                                                 ActivationBytes);
  EncodeParams params{rows, rowsPer, x.k, bits, encoded};
  LaunchId id =
      emu.launch("encode", {3}, {96}, 0, [=] { encodeActivations(params); });
  return {encoded, {{id, Edge::Programmatic}}};
}

template <class T>
std::vector<float> floatsOf(Global<u8> y, size_t count, bool isFloat) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = isFloat ? reinterpret_cast<float *>(y.raw())[i]
                        : num::bf16ToFloat(reinterpret_cast<T *>(y.raw())[i]);
  return values;
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_LINEAR_LINEARTOOLS_H
