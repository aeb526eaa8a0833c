// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random matrices in the checkpoint's form, and whole matrices packed by the
// streaming functions in portions.

#ifndef DSV4_TEST_UNIT_CUDA_PACKING_PACKTOOLS_H
#define DSV4_TEST_UNIT_CUDA_PACKING_PACKTOOLS_H

#include "runtime/numerics/formats.h"
#include "targets/cuda/Packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace dsv4::cuda::test {

using Bytes = std::vector<uint8_t>;

inline MatrixLayout layoutOf(TileFormat Format, int64_t Rows, int64_t K) {
  llvm::Expected<MatrixLayout> Layout = MatrixLayout::get(Format, Rows, K);
  if (!Layout)
    throw std::runtime_error(llvm::toString(Layout.takeError()));
  return *Layout;
}

inline std::string wordsOf(llvm::Error E) {
  return llvm::toString(std::move(E));
}

/// A matrix as the checkpoint has it.
struct Matrix {
  MatrixLayout layout;
  Bytes data, scales;
};

/// Any bytes but NaN codes; scales from Lowest to Highest.
inline Matrix randomMatrix(TileFormat Format, int64_t Rows, int64_t K,
                           int Lowest, int Highest, unsigned Seed = 1) {
  std::mt19937 Random(Seed);
  Matrix M{layoutOf(Format, Rows, K), {}, {}};
  M.data.resize(M.layout.dataBytes());
  M.scales.resize(M.layout.scaleBytes());
  for (uint8_t &B : M.data) {
    B = uint8_t(Random());
    if (Format == TileFormat::Fp8 && (B & 0x7f) == 0x7f)
      B ^= 1;
  }
  for (uint8_t &B : M.scales)
    B = uint8_t(Lowest + int(Random() % unsigned(Highest - Lowest + 1)));
  return M;
}

/// Element (Row, K) from the checkpoint's bytes.
inline double weight(const Matrix &M, int64_t Row, int64_t K) {
  const uint8_t *Line = M.data.data() + Row * M.layout.rowBytes();
  if (M.layout.format() == TileFormat::Fp4)
    return double(dsv4::num::e2m1ToFloat(Line[K / 2] >> K % 2 * 4 & 15)) *
           dsv4::num::e8m0ToFloat(M.scales[Row * (M.layout.k() / 32) + K / 32]);
  if (M.layout.format() == TileFormat::Fp8)
    return double(dsv4::num::e4m3ToFloat(Line[K])) *
           dsv4::num::e8m0ToFloat(
               M.scales[Row / 128 * M.layout.tilesPerStrip() + K / 128]);
  uint16_t Bits;
  std::memcpy(&Bits, Line + 2 * K, 2);
  return dsv4::num::bf16ToFloat(Bits);
}

/// The packed matrix, its tiles in portions of `Portion`.
inline llvm::Expected<Bytes> pack(const Matrix &M, int64_t Portion = 3) {
  llvm::Expected<ScalePlan> Plan = planScales(M.layout, M.scales);
  if (!Plan)
    return Plan.takeError();
  Bytes Out = Plan->header;
  Out.resize(M.layout.packedBytes(Plan->escapes), 0xEE);
  llvm::MutableArrayRef<uint8_t> Rest(Out);
  for (int64_t First = 0; First < M.layout.tiles(); First += Portion) {
    int64_t Count = std::min(Portion, M.layout.tiles() - First);
    if (llvm::Error E =
            packTiles(M.layout, *Plan, First, Count, M.data, M.scales,
                      Rest.slice(M.layout.tileBegin(First),
                                 Count * M.layout.tileBytes())))
      return E;
  }
  if (llvm::Error E = packEscapes(M.layout, *Plan, M.scales,
                                  Rest.drop_front(M.layout.escapesBegin())))
    return E;
  return Out;
}

inline Bytes mustPack(const Matrix &M, int64_t Portion = 3) {
  llvm::Expected<Bytes> Out = pack(M, Portion);
  if (!Out)
    throw std::runtime_error(llvm::toString(Out.takeError()));
  return *Out;
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_PACKING_PACKTOOLS_H
