// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FewRows.h.

#include "targets/cpu/kernels/FewRows.h"

#include <string>

using namespace mlir;

namespace dsv4::cpu {

/// With more rows a panel is the faster way: a multiply-add here takes its
/// input from memory, and loads then are as scarce as multiply-adds. The dot
/// instruction does two multiply-adds for a load.
int64_t mostFewRows(KernelBuilder &K) {
  if (K.isa() < IsaLevel::Avx512)
    return 0;
  return K.dotForm() == DotForm::Bf16 ? 16 : 12;
}

static std::string nameOf(const char *What, TileLayout Layout, int64_t Tiles) {
  std::string Name = std::string(What) + "_" +
                     TileFormatNames[int(Layout.format)] + "_t" +
                     std::to_string(Tiles);
  return Layout.lineAlign() == LineBytes ? Name : Name + "_unaligned";
}

namespace {
/// few(lines, scales, inputs, totals, stride, tile bytes, groups): one step.
class FewRowsStep {
public:
  FewRowsStep(KernelBuilder &K, TileLayout Layout, int64_t Rows, int64_t Tiles)
      : K(K), Layout(Layout), Rows(Rows), Tiles(Tiles), Form(wantedInput(K)),
        PerLine(pairsPerLine(Layout.format)), Vectors(chainVectors(K)),
        Ahead(Layout.blockBytes()) {}

  void emit() {
    if (Layout.format == TileFormat::Fp4) // the line of scales behind the codes
      for (int64_t T = 0; T < Tiles; ++T)
        K.prefetch(K.param(1) + K.param(5) * T + Ahead);
    K.forRange(K.c64(0), K.param(6), 1, [&](Val G) {
      Vals Chains = group(G);
      // Or LLVM would carry the totals over the groups in registers that the
      // chains need, and spill.
      K.keepOrder();
      for (int64_t T = 0; T < Tiles; ++T)
        addToTotals(K, Chains, Tiles, T, scaleOf(G, T), K.param(3), K.param(4));
    });
  }

private:
  /// Chains of group G: [rows][tiles].
  Vals group(Val G) {
    constexpr int64_t PairsOfTurn = 4;
    int64_t Lines = PairsOfTurn / PerLine;
    Val From = K.param(0) + G * lineBytes(Layout.format, GroupK);
    Val X = K.param(2) + G * (GroupK * inputBytes(Form));
    Vals Chains = K.forRange(
        K.c64(0), K.c64(GroupK / 2 / PerLine), Lines,
        Vals(Rows * Tiles * Vectors, K.vf(0)), [&](Val L, ArrayRef<Val> In) {
          Vals Chains(In.begin(), In.end());
          for (int64_t I = 0; I < Lines; ++I)
            line(From + (L + I) * LineBytes,
                 X + (L + I) * (PerLine * 2 * inputBytes(Form)), Chains);
          return Chains;
        });
    return chainSums(K, Chains);
  }

  void line(Val From, Val X, Vals &Chains) {
    SmallVector<SmallVector<Pair, 4>> Weights;
    for (int64_t T = 0; T < Tiles; ++T) {
      Val Line = From + K.param(5) * T;
      K.prefetch(Line + Ahead);
      Weights.push_back(loadPairs(K, Layout.format, Line, Layout.lineAlign()));
    }
    for (int64_t P = 0; P < PerLine; ++P)
      for (int64_t R = 0; R < Rows; ++R) {
        Pair Input =
            broadcastPair(K, X + (R * BlockK + P * 2) * inputBytes(Form), Form);
        for (int64_t T = 0; T < Tiles; ++T)
          addPair(K, &Chains[(R * Tiles + T) * Vectors], Input, Weights[T][P]);
      }
  }

  Val scaleOf(Val G, int64_t T) {
    Val From = K.param(1) + K.param(5) * T;
    if (Layout.format == TileFormat::Fp4)
      From = From + G * TileRows;
    return loadScale(K, Layout.format, From);
  }

  KernelBuilder &K;
  TileLayout Layout;
  int64_t Rows, Tiles;
  InputForm Form;
  int64_t PerLine, Vectors; // pairs of a line, vectors of a chain
  int64_t Ahead; // bytes of prefetch beyond each line: this tile's next block
};
} // namespace

static std::string stepName(TileLayout Layout, int64_t Rows, int64_t Tiles) {
  return nameOf("few", Layout, Tiles) + "_x" + std::to_string(Rows);
}

void needFewRows(KernelBuilder &K, TileLayout Layout, int64_t Tiles) {
  std::string Name = nameOf("lines", Layout, Tiles);
  if (!mostFewRows(K) || K.hasFunction(Name))
    return;
  int64_t Most = Tiles == 1 ? mostFewRows(K) : FewRowsOfTwoTiles;
  SmallVector<Type> Types{K.ptr(), K.ptr(), K.ptr(), K.ptr(),
                          K.i64(), K.i64(), K.i64()};
  for (int64_t Rows = 1; Rows <= Most; ++Rows) {
    K.beginHelper(stepName(Layout, Rows, Tiles), Types);
    FewRowsStep(K, Layout, Rows, Tiles).emit();
    K.endFunction();
  }
  Types.push_back(K.i64()); // rows
  K.beginHelper(Name, Types);
  SmallVector<Val> Args;
  for (unsigned I = 0; I < 7; ++I)
    Args.push_back(K.param(I));
  K.ifOneOf(K.param(7), Most,
            [&](int64_t Rows) { K.call(stepName(Layout, Rows, Tiles), Args); });
  K.endFunction();
}

void multiplyLines(KernelBuilder &K, TileLayout Layout, int64_t Tiles,
                   Val First, Val I, Val Rows, Val Stride, int64_t Size,
                   const Panel &P) {
  K.call(nameOf("lines", Layout, Tiles),
         {Layout.lines(First, I), Layout.scale(First, I, Size, K.c64(0)),
          P.inputs, P.totals, Stride,
          K.c64(tileBytes(Layout.format, Layout.inner)), K.c64(Size / GroupK),
          Rows});
}

} // namespace dsv4::cpu
