// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrices, activations and configs for the tests of the matrix phases, and
// what their results are held against: numerics R1 by its scalar definition,
// within the bound of docs/cuda-phases.md.

#ifndef DSV4_TEST_UNIT_CUDA_LINEAR_LINEARTOOLS_H
#define DSV4_TEST_UNIT_CUDA_LINEAR_LINEARTOOLS_H

#include "runtime/numerics/dot.h"
#include "test/unit/cuda-linear/LinearConfigs.cuh"
#include "test/unit/cuda-packing/PackTools.h"
#include "test/unit/cuda/Compare.h"

namespace dsv4::cuda::test {

using namespace linear_configs;

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

/// R1 of one element, and how far a phase may be from it: by roundings to
/// float32, and by the bits that tensor cores drop.
struct Expected {
  float value;
  double bound, dropped;
};

/// Bits that a product of E4M3 keeps below its largest addend at least; others
/// keep about all of a float's.
constexpr int bitsKept(MmaKind mma, TileFormat format) {
  return mma == MmaKind::Wgmma && format != TileFormat::Bf16 ? 13 : 22;
}

inline Expected expected(const Matrix &m, i64 row, const float *x, u32 split,
                         MmaKind mma) {
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
  // Blocks of 128 k, four instructions of 33 addends each.
  double dropped =
      132 * std::ldexp(1.0, 1 - bitsKept(mma, m.layout.format())) * size;
  return {num::dot(x, w.data(), scales.data(), k),
          roundings * 0x1p-24 * size * 1.001, dropped};
}

/// A packed matrix with its job; memory of the emulator's own.
struct HostJob {
  Matrix matrix;
  u32 xGroups = 1, split = 1;
  bool floatOut = true;
  bool wide = false; // FP8 weights meet rows of BF16
};

/// Bytes of a block of activations for a config's products.
template <class C> constexpr u32 blockBytes() {
  return u32(MatrixPlan<C>::wideBlocks ? WideActivationBytes : ActivationBytes);
}

inline MatrixJob deviceJob(const HostJob &host,
                           u32 blockBytes = ActivationBytes) {
  const MatrixLayout &layout = host.matrix.layout;
  MatrixJob job{};
  job.format =
      host.wide ? WeightFormat::Fp8Wide : WeightFormat(int(layout.format()));
  job.rows = u32(layout.rows());
  job.blocks = u32(layout.tilesPerStrip());
  job.xGroups = host.xGroups;
  bool bf16 = readsBf16(job.format);
  job.xBytes = bf16 ? u32(layout.k()) * 2 : job.blocks * blockBytes;
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
                       Global<const i64> rows, u32 bytes, u32 rowsPer = 1) {
  auto bits = emu.input("x", x.bits);
  if (!blocks)
    return {bits.as<const u8>(), {}};
  auto encoded =
      emu.scratch<u8>("x blocks", size_t(x.rows) * (x.k / 128) * bytes);
  EncodeParams params{rows, rowsPer, x.k, bits, encoded, bytes};
  LaunchId id =
      emu.launch("encode", {3}, {96}, 0, DSV4_PHASE(params, encodeActivations));
  return {encoded, {{id, Edge::Programmatic}}};
}

inline std::vector<float> floatsOf(Global<u8> y, size_t count, bool isFloat) {
  if (isFloat)
    return contents(y.as<float>(), count);
  std::vector<float> values;
  for (u16 bits : contents(y.as<u16>(), count))
    values.push_back(num::bf16ToFloat(bits));
  return values;
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_LINEAR_LINEARTOOLS_H
