// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See MatrixUnit.h.

#include "targets/cpu/kernels/MatrixUnit.h"

#include <string>

using namespace mlir;

namespace dsv4::cpu {

/// Of a tile's block in the panel.
static constexpr int64_t ColumnBytes = BlockK / 2 * LineBytes;
static constexpr int64_t InputStride = BlockK * 2;

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

/// What to add to BF16 bits, in 32 lanes of 16 bits, for a factor of the scale
/// at `Ptr`: its exponent.
static Val exponentOf(KernelBuilder &K, TileFormat Format, Val Ptr) {
  auto Role = K.touching(ScalesRole);
  Val Byte = Format == TileFormat::Fp4
                 ? K.zext(K.load(K.vec(16, K.i8()), Ptr, 16), K.i32())
                 : K.splat(K.loadU8(Ptr));
  Val Half = (Byte - 127) << 7 & 0xffff;
  return K.bitcast(Half | Half << 16, K.vec(32, K.i16()));
}

/// BF16 bits times the power of two; zeros stay.
static Val scaled(KernelBuilder &K, const Pair &P, Val Exponent) {
  Val Bits = K.bitcast(P.both, K.vec(32, K.i16()));
  return select((Bits & 0x7fff) == 0, Bits, Bits + Exponent);
}

static std::string decoderName(TileLayout Layout) {
  return std::string("unit_decode_") + TileFormatNames[int(Layout.format)] +
         (Layout.lineAlign() == LineBytes ? "" : "_unaligned");
}

/// decode(lines, scales, weights, groups): the block of one tile.
static void emitDecoder(KernelBuilder &K, TileLayout Layout) {
  TileFormat Format = Layout.format;
  std::string Name = decoderName(Layout);
  if (Format == TileFormat::Bf16 || K.hasFunction(Name))
    return;
  K.beginHelper(Name, {K.ptr(), K.ptr(), K.ptr(), K.i64()});
  int64_t PerLine = pairsPerLine(Format);
  // The next block of this tile is wanted after this one of all others.
  int64_t Ahead = Layout.blockBytes();
  K.forRange(K.c64(0), K.param(3), 1, [&](Val G) {
    Val Scales = K.param(1);
    if (Format == TileFormat::Fp4)
      Scales = Scales + G * TileRows;
    Val Exponent = exponentOf(K, Format, Scales);
    for (int64_t L = 0; L < GroupK / 2 / PerLine; ++L) {
      Val Line = K.param(0) + G * lineBytes(Format, GroupK) + L * LineBytes;
      K.prefetch(Line + Ahead);
      auto Pairs = loadPairs(K, Format, Line, Layout.lineAlign());
      auto Role = K.touching(PanelRole);
      for (int64_t I = 0; I < PerLine; ++I)
        K.store(scaled(K, Pairs[I], Exponent),
                K.param(2) + G * (GroupK / 2 * LineBytes) +
                    (L * PerLine + I) * LineBytes,
                LineBytes);
    }
  });
  K.endFunction();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static Val reg(KernelBuilder &K, int64_t Number) {
  return K.constant(K.i8(), Number);
}

static void loadTile(KernelBuilder &K, int64_t Reg, Val Ptr, int64_t Stride) {
  K.perform("llvm.x86.tileloadd64", {reg(K, Reg), Ptr, K.c64(Stride)});
}

void beginUnit(KernelBuilder &K) {
  // Palette 1; eight registers of 16 rows of 64 bytes.
  constexpr int32_t Columns = 0x00400040, Rows = 0x10101010;
  static constexpr int32_t Config[16] = {
      1, 0, 0, 0, Columns, Columns, Columns, Columns, 0, 0, 0, 0, Rows, Rows};
  K.perform("llvm.x86.ldtilecfg", {K.constantI32(Config)});
}

void endUnit(KernelBuilder &K) { K.perform("llvm.x86.tilerelease", {}); }

static std::string multiplyName(int64_t Tiles) {
  return "unit_t" + std::to_string(Tiles);
}

namespace {
/// multiply(weights, bytes between tiles, inputs, totals, stride, groups, rows,
/// ahead, from, to): results in registers 0 to 3, inputs in 4, weights in 5 to 7
/// in turns. Rows beyond the last one that share its product compute something
/// that nobody reads. Each step prefetches its rows' part of the next inputs.
class UnitStep {
public:
  UnitStep(KernelBuilder &K, int64_t Tiles) : K(K), Tiles(Tiles) {}

  void emit() {
    Val Rows = K.param(6);
    K.forRange(K.c64(0), Rows, UnitRows, [&](Val Row) {
      prefetchInputs(Row, min(Row + UnitRows, Rows));
      rows(Row);
    });
  }

private:
  void prefetchInputs(Val From, Val To) {
    K.forRange(From, To, 1, [&](Val R) {
      Val Row = K.load(K.ptr(), K.param(7) + R * 8);
      K.forRange(K.param(8), K.param(9), LineBytes,
                 [&](Val Line) { K.prefetch(Row + Line); });
    });
  }

  void rows(Val Row) {
    Val Inputs = K.param(2) + Row * InputStride;
    auto Total = [&](int64_t T) {
      return K.param(3) + K.param(4) * T + Row * 64;
    };
    for (int64_t T = 0; T < Tiles; ++T)
      loadTile(K, T, Total(T), 64);
    K.forRange(K.c64(0), K.param(5), 1, [&](Val G) { group(Inputs, G); });
    for (int64_t T = 0; T < Tiles; ++T)
      K.perform("llvm.x86.tilestored64", {reg(K, T), Total(T), K.c64(64)});
  }

  void group(Val Inputs, Val G) {
    constexpr int64_t InputReg = 4, WeightRegs = 5, NumWeightRegs = 3;
    loadTile(K, InputReg, Inputs + G * (GroupK * 2), InputStride);
    for (int64_t T = 0; T < Tiles; ++T) {
      int64_t Weights = WeightRegs + T % NumWeightRegs;
      loadTile(K, Weights,
               K.param(0) + K.param(1) * T + G * (GroupK / 2 * LineBytes),
               LineBytes);
      K.perform("llvm.x86.tdpbf16ps",
                {reg(K, T), reg(K, InputReg), reg(K, Weights)});
    }
  }

  KernelBuilder &K;
  int64_t Tiles;
};
} // namespace

void needUnit(KernelBuilder &K, TileLayout Layout, int64_t Tiles) {
  emitDecoder(K, Layout);
  std::string Name = multiplyName(Tiles);
  if (K.hasFunction(Name))
    return;
  K.beginHelper(Name, {K.ptr(), K.i64(), K.ptr(), K.ptr(), K.i64(), K.i64(),
                       K.i64(), K.ptr(), K.i64(), K.i64()});
  UnitStep(K, Tiles).emit();
  K.endFunction();
}

/// Lines of the next block of a tile, which nothing else brings closer.
static void prefetchBlock(KernelBuilder &K, TileLayout Layout, Val Lines) {
  K.forRange(K.c64(0), K.c64(Layout.blockBytes()), LineBytes, [&](Val At) {
    K.prefetch(Lines + Layout.blockBytes() + At);
  });
}

void multiplyOnUnit(KernelBuilder &K, TileLayout Layout, int64_t Tiles,
                    Val First, Val I, Val Rows, Val Stride, int64_t Size,
                    const Panel &P) {
  int64_t TileSize = tileBytes(Layout.format, Layout.inner);
  bool IsDecoded = Layout.format != TileFormat::Bf16;
  for (int64_t T = 0; T < Tiles; ++T) {
    Val Tile = First + T * TileSize, Lines = Layout.lines(Tile, I);
    if (IsDecoded)
      K.call(decoderName(Layout), {Lines, Layout.scale(Tile, I, Size, K.c64(0)),
                                   P.weights + T * ColumnBytes,
                                   K.c64(Size / GroupK)});
    else
      prefetchBlock(K, Layout, Lines);
  }
  K.call(multiplyName(Tiles),
         {IsDecoded ? P.weights : Layout.lines(First, I),
          K.c64(IsDecoded ? ColumnBytes : TileSize), P.inputs, P.totals, Stride,
          K.c64(Size / GroupK), Rows, P.ahead.rows, P.ahead.from, P.ahead.to});
}

} // namespace dsv4::cpu
