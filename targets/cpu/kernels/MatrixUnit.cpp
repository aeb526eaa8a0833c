// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See MatrixUnit.h.

#include "targets/cpu/kernels/MatrixUnit.h"

#include <string>

using namespace mlir;

namespace dsv4::cpu {

/// A group of a tile, decoded: what one register holds.
static constexpr int64_t GroupBytes = GroupK / 2 * LineBytes;

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

static Val reg(KernelBuilder &K, int64_t Number) {
  return K.constant(K.i8(), Number);
}

void zeroTile(KernelBuilder &K, int64_t Reg) {
  K.perform("llvm.x86.tilezero", {reg(K, Reg)});
}

void loadTile(KernelBuilder &K, int64_t Reg, Val Ptr, int64_t Stride) {
  K.perform("llvm.x86.tileloadd64", {reg(K, Reg), Ptr, K.c64(Stride)});
}

void storeTile(KernelBuilder &K, int64_t Reg, Val Ptr, int64_t Stride) {
  K.perform("llvm.x86.tilestored64", {reg(K, Reg), Ptr, K.c64(Stride)});
}

void multiplyRegisters(KernelBuilder &K, int64_t To, int64_t X, int64_t W) {
  K.perform("llvm.x86.tdpbf16ps", {reg(K, To), reg(K, X), reg(K, W)});
}

void beginUnit(KernelBuilder &K) {
  // Palette 1; eight registers of 16 rows of 64 bytes.
  constexpr int32_t Columns = 0x00400040, Rows = 0x10101010;
  static constexpr int32_t Config[16] = {
      1, 0, 0, 0, Columns, Columns, Columns, Columns, 0, 0, 0, 0, Rows, Rows};
  K.perform("llvm.x86.ldtilecfg", {K.constantI32(Config)});
}

Val unitInput(Val Inputs, Val R, int64_t Inner) {
  return Inputs + R / UnitRows * (UnitRows * Inner * 2) +
         R % UnitRows * LineBytes;
}

void endUnit(KernelBuilder &K) { K.perform("llvm.x86.tilerelease", {}); }

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

Val unitExponents(KernelBuilder &K, TileLayout Layout, Val Tile, Val I,
                  int64_t Size, Val G) {
  auto Role = K.touching(ScalesRole);
  Val Ptr = Layout.scale(Tile, I, Size, G);
  Val Byte = Layout.format == TileFormat::Fp4
                 ? K.zext(K.load(K.vec(16, K.i8()), Ptr, 16), K.i32())
                 : K.splat(K.loadU8(Ptr));
  Val Half = (Byte - 127) << 7 & 0xffff;
  return K.bitcast(Half | Half << 16, K.vec(32, K.i16()));
}

SmallVector<Val, 4> unitFp4Pairs(KernelBuilder &K, TileLayout Layout, Val Line,
                                 Val Exponents) {
  SmallVector<Val, 4> Out;
  for (const Pair &P :
       loadPairs(K, TileFormat::Fp4, Line, Layout.lineAlign())) {
    Val Bits = K.bitcast(P.both, K.vec(32, K.i16()));
    Out.push_back(select((Bits & 0x7fff) == 0, Bits, Bits + Exponents));
  }
  return Out;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {
/// unit(tile, inputs, panel, totals)
class UnitHelper {
public:
  UnitHelper(KernelBuilder &K, TileLayout Layout, UnitShape Shape)
      : K(K), Layout(Layout), Tiles(Shape.tiles), Blocks(Shape.blocks),
        Distance(K.prefetchBytes(Layout.format)),
        IsDecoded(Layout.format != TileFormat::Bf16) {}

  void emit() {
    for (int64_t R = 0; R < Tiles * Blocks; ++R)
      zeroTile(K, R);
    K.forRange(K.c64(0), K.c64(Layout.blocks()), 1,
               [&](Val I) { block(I, BlockK); });
    if (Layout.rest())
      block(K.c64(Layout.blocks()), Layout.rest());
    for (int64_t R = 0; R < Tiles * Blocks; ++R)
      storeTile(K, R, K.param(3) + R * UnitTotalBytes, LineBytes);
  }

private:
  Val tile(int64_t T) {
    return K.param(0) + T * tileBytes(Layout.format, Layout.inner);
  }
  Val inputs(int64_t Block, Val I, Val G) {
    return K.param(1) + Block * (UnitRows * Layout.inner * 2) +
           (I * (BlockK / GroupK) + G) * UnitGroupStride;
  }

  /// Eight registers: results, at most four; weights, held for all blocks, or
  /// taken in turns; inputs, in turns.
  int64_t weightReg(int64_t T) const { return 4 + T % weightRegs(); }
  int64_t weightRegs() const { return Blocks == 1 ? 3 : Tiles; }
  int64_t inputReg(int64_t B) const {
    return 4 + weightRegs() + B % (4 - weightRegs());
  }

  void block(Val I, int64_t Size) {
    if (Distance)
      Ahead = aheadOf(I);
    startBlock(I, Size);
    K.forRange(K.c64(0), K.c64(Size / GroupK), 1,
               [&](Val G) { group(I, Size, G); });
    if (Distance && Layout.format == TileFormat::Fp4)
      for (int64_t T = 0; T < Tiles; ++T) // the line of scales
        K.prefetch(Layout.scale(tile(T), I, Size, K.c64(0)) + Ahead);
  }

  /// Bytes of prefetch beyond the lines of block I: see TileDot::aheadOf.
  Val aheadOf(Val I) {
    int64_t Bytes = tileBytes(Layout.format, Layout.inner);
    int64_t Last = (Distance + Layout.blockBytes() - 1) / Layout.blockBytes();
    Val Beyond = K.c64(Distance + (Tiles - 1) * Bytes);
    return select(I + Last < Layout.blocks(), K.c64(Distance), Beyond);
  }

  // ---- Weights

  /// Of the panel: [tiles][2].
  Val panelOf(int64_t T, Val Half) {
    return K.param(2) + Half * GroupBytes + T * (2 * GroupBytes);
  }
  Val lines(int64_t T, Val I, Val G) {
    return Layout.lines(tile(T), I) + G * lineBytes(Layout.format, GroupK);
  }

  Val exponents(int64_t T, Val I, int64_t Size, Val G) {
    return unitExponents(K, Layout, tile(T), I, Size, G);
  }

  /// A block of FP8 has one scale, which goes into the look-up tables.
  void startBlock(Val I, int64_t Size) {
    Tables.clear();
    for (int64_t T = 0; T < Tiles && Layout.format == TileFormat::Fp8; ++T)
      Tables.push_back(fp8Tables(K, exponents(T, I, Size, K.c64(0))));
  }

  /// BF16 bits times 2^exponent.
  SmallVector<Val, 4> scaledPairs(int64_t T, Val Line, Val Exponents) {
    return Layout.format == TileFormat::Fp8
               ? fp8LookUp(K, Line, Tables[T])
               : unitFp4Pairs(K, Layout, Line, Exponents);
  }

  /// Group G of block I of tile T times its scales to `To`.
  void decode(int64_t T, Val I, int64_t Size, Val G, Val To) {
    int64_t PerLine = pairsPerLine(Layout.format);
    Val Exponents =
        Layout.format == TileFormat::Fp4 ? exponents(T, I, Size, G) : Val();
    for (int64_t L = 0; L < GroupK / 2 / PerLine; ++L) {
      Val Line = lines(T, I, G) + L * LineBytes;
      if (Distance)
        K.prefetch(Line + Ahead);
      if (!IsDecoded)
        continue;
      auto Pairs = scaledPairs(T, Line, Exponents);
      auto Role = K.touching(PanelRole);
      for (int64_t P = 0; P < PerLine; ++P)
        K.store(Pairs[P], To + (L * PerLine + P) * LineBytes, LineBytes);
      K.keepOrder();
    }
  }

  /// Where a group's register is loaded from.
  Val weights(int64_t T, Val I, Val G) {
    return IsDecoded ? panelOf(T, G & 1) : lines(T, I, G);
  }

  // ---- Products

  /// One group of all tiles and blocks. Decoding the next one goes on beside
  /// the products, from one half of the panel to the other.
  void group(Val I, int64_t Size, Val G) {
    for (int64_t T = 0; T < Tiles; ++T)
      decode(T, I, Size, G, panelOf(T, G & 1));
    for (int64_t B = 0; B < Blocks; ++B) {
      loadTile(K, inputReg(B), inputs(B, I, G), LineBytes);
      for (int64_t T = 0; T < Tiles; ++T) {
        if (B == 0)
          loadTile(K, weightReg(T), weights(T, I, G), LineBytes);
        multiplyRegisters(K, T * Blocks + B, inputReg(B), weightReg(T));
      }
    }
  }

  KernelBuilder &K;
  TileLayout Layout;
  int64_t Tiles, Blocks, Distance;
  bool IsDecoded; // to the panel; BF16 is loaded from where it is
  Val Ahead;      // bytes of prefetch beyond each line
  SmallVector<Fp8Tables> Tables; // per tile, of the block
};
} // namespace

static std::string helperName(TileLayout Layout, UnitShape Shape) {
  return std::string("unit_") + TileFormatNames[int(Layout.format)] + "_k" +
         std::to_string(Layout.inner) + "_t" + std::to_string(Shape.tiles) +
         "_b" + std::to_string(Shape.blocks);
}

void needUnit(KernelBuilder &K, TileLayout Layout, UnitShape Shape) {
  std::string Name = helperName(Layout, Shape);
  if (K.hasFunction(Name))
    return;
  K.beginHelper(Name, {K.ptr(), K.ptr(), K.ptr(), K.ptr()});
  UnitHelper(K, Layout, Shape).emit();
  K.endFunction();
}

void callUnit(KernelBuilder &K, TileLayout Layout, UnitShape Shape,
              const UnitCall &Call) {
  K.call(helperName(Layout, Shape),
         {Call.tile, Call.inputs, Call.panel, Call.totals});
}

} // namespace dsv4::cpu
