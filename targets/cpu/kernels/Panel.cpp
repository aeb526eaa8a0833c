// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Panel.h.

#include "targets/cpu/kernels/Panel.h"

#include <string>

using namespace mlir;

namespace dsv4::cpu {

static constexpr int64_t WeightBytes = PanelTiles * BlockK * 64;
static constexpr int64_t ScaleBytes = PanelTiles * BlockK / GroupK * 64;
static constexpr int64_t MostRows = 256; // of panelRows()

/// Of so many rows: 4 bytes for each k of a block.
static int64_t inputPanelBytes(int64_t Rows) { return Rows * BlockK * 4; }
static int64_t totalBytes(int64_t Rows) { return Rows * PanelRunTiles * 64; }

int64_t panelRows(KernelBuilder &K) {
  return K.dotForm() == DotForm::Bf16 ? MostRows : 128;
}

int64_t panelBytes() {
  return WeightBytes + ScaleBytes + inputPanelBytes(MostRows) +
         totalBytes(MostRows) + MostRows * 8;
}

Panel placePanel(KernelBuilder &K, Val Scratch) {
  int64_t Rows = panelRows(K);
  Panel P;
  P.weights = Scratch;
  P.scales = P.weights + WeightBytes;
  P.inputs = P.scales + ScaleBytes;
  P.totals = P.inputs + inputPanelBytes(Rows);
  P.ahead.rows = P.totals + totalBytes(Rows);
  return P;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static std::string decoderName(TileLayout Layout, int64_t Tiles) {
  return std::string("decode_") + TileFormatNames[int(Layout.format)] + "_t" +
         std::to_string(Tiles) +
         (Layout.lineAlign() == LineBytes ? "" : "_unaligned");
}

/// decode(lines, weights, groups, next): the lines of one tile's block into its
/// column of the panel, while those at `next` bytes from here come closer.
static void emitDecoder(KernelBuilder &K, TileLayout Layout, int64_t Tiles) {
  TileFormat Format = Layout.format;
  std::string Name = decoderName(Layout, Tiles);
  if (K.hasFunction(Name))
    return;
  K.beginHelper(Name, {K.ptr(), K.ptr(), K.i64(), K.i64()});
  Val Lines = K.param(0), Weights = K.param(1);
  int64_t Step = Tiles * pairBytes(K), PerLine = pairsPerLine(Format);
  // The next block of this tile is wanted after this one of all others.
  int64_t Ahead = Layout.blockBytes();
  K.forRange(K.c64(0), K.param(2), 1, [&](Val G) {
    for (int64_t L = 0; L < GroupK / 2 / PerLine; ++L) {
      Val Line = Lines + G * lineBytes(Format, GroupK) + L * LineBytes;
      K.prefetch(Line + Ahead);
      K.prefetch(Line + K.param(3));
      auto Pairs = loadPairs(K, Format, Line, Layout.lineAlign());
      for (int64_t I = 0; I < PerLine; ++I)
        storePair(K, Pairs[I],
                  Weights + G * (GroupK / 2 * Step) + (L * PerLine + I) * Step);
    }
  });
  K.endFunction();
}

void decodePanel(KernelBuilder &K, TileLayout Layout, int64_t Tiles, Val First,
                 Val I, int64_t Size, const Panel &P) {
  int64_t TileSize = tileBytes(Layout.format, Layout.inner);
  K.forRange(K.c64(0), K.c64(Tiles), 1, [&](Val T) {
    Val Tile = First + T * TileSize;
    if (Layout.format == TileFormat::Fp4) // the line of scales
      K.prefetch(Layout.scale(Tile, I, Size, K.c64(0)) + Layout.blockBytes());
    K.call(decoderName(Layout, Tiles),
           {Layout.lines(Tile, I), P.weights + T * pairBytes(K),
            K.c64(Size / GroupK), K.c64(Tiles * TileSize)});
    for (int64_t G = 0; G < Size / GroupK; ++G)
      K.store(
          loadScale(K, Layout.format, Layout.scale(Tile, I, Size, K.c64(G))),
          P.scales + T * 64 + G * Tiles * 64, 64);
  });
}

//===----------------------------------------------------------------------===//
// The micro-kernel
//===----------------------------------------------------------------------===//

static std::string microName(int64_t Rows, int64_t Tiles) {
  return "panel_x" + std::to_string(Rows) + "_t" + std::to_string(Tiles);
}

/// Chains of one group of 32 k: [rows][tiles].
static Vals groupChains(KernelBuilder &K, int64_t Rows, int64_t Tiles,
                        Val Weights, Val Inputs) {
  InputForm Form = wantedInput(K);
  constexpr int64_t Together = 4; // pairs per turn of the loop
  int64_t Vectors = chainVectors(K);
  Vals Chains = K.forRange(
      K.c64(0), K.c64(GroupK / 2), Together,
      Vals(Rows * Tiles * Vectors, K.vf(0)), [&](Val P, ArrayRef<Val> In) {
        Vals Out(In.begin(), In.end());
        Val W = Weights + P * (Tiles * pairBytes(K));
        Val X = Inputs + P * (2 * inputBytes(Form));
        for (int64_t I = 0; I < Together; ++I) {
          SmallVector<Pair> Column;
          for (int64_t T = 0; T < Tiles; ++T)
            Column.push_back(loadPair(K, W + (I * Tiles + T) * pairBytes(K)));
          for (int64_t R = 0; R < Rows; ++R) {
            Pair Input = broadcastPair(
                K, X + (R * BlockK + I * 2) * inputBytes(Form), Form);
            for (int64_t T = 0; T < Tiles; ++T)
              addPair(K, &Out[(R * Tiles + T) * Vectors], Input, Column[T]);
          }
        }
        return Out;
      });
  return chainSums(K, Chains);
}

void addToTotals(KernelBuilder &K, ArrayRef<Val> Chains, int64_t Tiles,
                 int64_t T, Val Scale, Val Totals, Val Stride) {
  for (int64_t R = 0; R < int64_t(Chains.size()) / Tiles; ++R) {
    Val At = Totals + Stride * T + R * 64;
    K.store(fma(Chains[R * Tiles + T], Scale, K.loadVF(At, 64)), At, 64);
  }
}

/// Whether chains and totals of so many rows both stay in registers, of which
/// two more are for an input and what the scheduler moves ahead.
static bool totalsStay(KernelBuilder &K, int64_t Rows, int64_t Tiles) {
  return K.dotForm() == DotForm::Bf16 && 2 * Rows * Tiles + Tiles + 4 <= 30;
}

/// micro(weights, scales, inputs, totals, stride, groups)
static void emitMicro(KernelBuilder &K, int64_t Rows, int64_t Tiles) {
  std::string Name = microName(Rows, Tiles);
  if (K.hasFunction(Name))
    return;
  K.beginHelper(Name, {K.ptr(), K.ptr(), K.ptr(), K.ptr(), K.i64(), K.i64()});
  auto ChainsOf = [&](Val G) {
    Val Weights = K.param(0) + G * (GroupK / 2 * Tiles * pairBytes(K));
    Val Inputs = K.param(2) + G * (GroupK * inputBytes(wantedInput(K)));
    return groupChains(K, Rows, Tiles, Weights, Inputs);
  };
  auto ScaleOf = [&](Val G, int64_t T) {
    return K.loadVF(K.param(1) + G * (Tiles * 64) + T * 64, 64);
  };
  auto TotalAt = [&](int64_t R, int64_t T) {
    return K.param(3) + K.param(4) * T + R * 64;
  };
  if (!totalsStay(K, Rows, Tiles)) {
    K.forRange(K.c64(0), K.param(5), 1, [&](Val G) {
      Vals Chains = ChainsOf(G);
      for (int64_t T = 0; T < Tiles; ++T)
        addToTotals(K, Chains, Tiles, T, ScaleOf(G, T), K.param(3), K.param(4));
    });
    return K.endFunction();
  }
  Vals Totals;
  for (int64_t R = 0; R < Rows; ++R)
    for (int64_t T = 0; T < Tiles; ++T)
      Totals.push_back(K.loadVF(TotalAt(R, T), 64));
  Totals =
      K.forRange(K.c64(0), K.param(5), 1, Totals, [&](Val G, ArrayRef<Val> In) {
        Vals Chains = ChainsOf(G), Out;
        for (int64_t I = 0; I < Rows * Tiles; ++I)
          Out.push_back(fma(Chains[I], ScaleOf(G, I % Tiles), In[I]));
        return Out;
      });
  for (int64_t R = 0; R < Rows; ++R)
    for (int64_t T = 0; T < Tiles; ++T)
      K.store(Totals[R * Tiles + T], TotalAt(R, T), 64);
  K.endFunction();
}

static std::string multiplyName(int64_t Tiles) {
  return "panel_t" + std::to_string(Tiles);
}

/// multiply(weights, scales, inputs, totals, stride, groups, rows, ahead, from,
/// to): the rows in steps that are as equal as can be, so that none is left
/// with too few chains. Each step prefetches its rows' part of the next inputs:
/// few lines at a time, which go on beside the products.
static void emitMultiply(KernelBuilder &K, int64_t Tiles) {
  std::string Name = multiplyName(Tiles);
  if (K.hasFunction(Name))
    return;
  int64_t Most = K.microRows();
  for (int64_t Rows = 1; Rows <= Most; ++Rows)
    emitMicro(K, Rows, Tiles);
  K.beginHelper(Name, {K.ptr(), K.ptr(), K.ptr(), K.ptr(), K.i64(), K.i64(),
                       K.i64(), K.ptr(), K.i64(), K.i64()});
  Val Rows = K.param(6), Steps = (Rows + (Most - 1)) / Most;
  K.forRange(K.c64(0), Steps, 1, [&](Val I) {
    Val Begin = I * Rows / Steps, Count = (I + 1) * Rows / Steps - Begin;
    Val Inputs = K.param(2) + Begin * (BlockK * inputBytes(wantedInput(K)));
    Val Totals = K.param(3) + Begin * 64;
    K.forRange(Begin, Begin + Count, 1, [&](Val R) {
      Val Row = K.load(K.ptr(), K.param(7) + R * 8);
      K.forRange(K.param(8), K.param(9), LineBytes,
                 [&](Val Line) { K.prefetch(Row + Line); });
    });
    K.ifOneOf(Count, Most, [&](int64_t R) {
      K.call(microName(R, Tiles),
             {K.param(0), K.param(1), Inputs, Totals, K.param(4), K.param(5)});
    });
  });
  K.endFunction();
}

void multiplyPanel(KernelBuilder &K, int64_t Tiles, Val Rows, Val Stride,
                   int64_t Size, const Panel &P) {
  K.call(multiplyName(Tiles),
         {P.weights, P.scales, P.inputs, P.totals, Stride, K.c64(Size / GroupK),
          Rows, P.ahead.rows, P.ahead.from, P.ahead.to});
}

void needPanelHelpers(KernelBuilder &K, TileLayout Layout, int64_t Tiles) {
  emitDecoder(K, Layout, Tiles);
  emitMultiply(K, Tiles);
}

} // namespace dsv4::cpu
