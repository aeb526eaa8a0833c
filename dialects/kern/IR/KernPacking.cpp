// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes of packed weights; see KernPacking.h for the layouts.

#include "dialects/kern/IR/KernPacking.h"

using namespace mlir;

namespace dsv4::kern {

using qfmt::Format;

static int64_t getInner(qfmt::WeightType Type) {
  return Type.getShape().back();
}

static int64_t getRows(qfmt::WeightType Type) {
  ArrayRef<int64_t> Shape = Type.getShape();
  return Shape.size() < 2 ? 1 : Shape[Shape.size() - 2];
}

bool canPack(qfmt::WeightType Type, Layout Layout) {
  Format F = Type.getFormat();
  if (Layout == Layout::Raw)
    return F == Format::BF16 || F == Format::F32 || F == Format::I64;
  if (Type.getShape().size() < 2 || F == Format::I64)
    return false;
  int64_t Step = F == Format::F32 ? 1 : F == Format::BF16 ? 2 : 128;
  return getInner(Type) % Step == 0;
}

int64_t getTileBytes(qfmt::WeightType Type) {
  int64_t K = getInner(Type);
  switch (Type.getFormat()) {
  case Format::FP4:
    return K / 128 * (16 * 64 + 64);
  case Format::FP8:
    return roundUp(K / 128, 64) + K / 128 * (32 * 64);
  case Format::BF16:
    return K / 2 * 64;
  default:
    return K * 64;
  }
}

int64_t getNumTiles(qfmt::WeightType Type) {
  return ceilDiv(getRows(Type), TileRows);
}

int64_t getMatrixBytes(qfmt::WeightType Type, Layout Layout) {
  if (Layout == Layout::Tile16)
    return getNumTiles(Type) * getTileBytes(Type);
  int64_t Element = Type.getFormat() == Format::BF16 ? 2 : 4;
  return getRows(Type) * getInner(Type) * Element;
}

int64_t getPackedBytes(qfmt::WeightType Type, Layout Layout) {
  int64_t Experts = Type.getShape().size() == 3 ? Type.getShape()[0] : 1;
  return Experts * getMatrixBytes(Type, Layout);
}

int64_t getProductScratchBytes(int64_t K) {
  constexpr int64_t Fixed = 96 << 10, Gathered = 512 << 10, FewestRows = 16;
  return Fixed + std::max(Gathered, FewestRows * 2 * K);
}

} // namespace dsv4::kern
