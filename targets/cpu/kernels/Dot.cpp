// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Dot.h.

#include "targets/cpu/kernels/Dot.h"

#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace dsv4::cpu {

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

InputForm wantedInput(KernelBuilder &K) {
  return K.dotForm() == DotForm::Bf16 ? InputForm::Bf16 : InputForm::F32;
}

void expandInput(KernelBuilder &K, Val Src, Val Dst, int64_t Count) {
  InputForm Form = wantedInput(K);
  K.forRange(K.c64(0), K.c64(Count / GroupK), 1, [&](Val G) {
    Val From = Src + G * (GroupK * 2);
    Val To = Dst + G * (GroupK * inputBytes(Form));
    if (Form == InputForm::Bf16)
      return K.store(K.loadVI(From), To, LineBytes);
    for (int64_t I = 0; I < GroupK; I += KernelBuilder::Lanes)
      K.store(K.loadBf16(From + I * 2, KernelBuilder::Lanes), To + I * 4,
              LineBytes);
  });
}

Pair broadcastPair(KernelBuilder &K, Val Ptr, InputForm Form) {
  auto Role = K.touching(InputRole);
  if (Form == InputForm::Bf16)
    return pairOfLanes(K, K.splat(K.load(K.i32(), Ptr, /*Align=*/4)));
  Pair P;
  P.even = K.splat(K.loadF32(Ptr));
  P.odd = K.splat(K.loadF32(Ptr + 4));
  return P;
}

Val dotPair(KernelBuilder &K, Val Chain, const Pair &A, const Pair &B) {
  // The last operand can be a broadcast from memory: that is what A often is.
  if (A.both)
    return K.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", Chain.type(),
                       {Chain, B.both, A.both});
  return fma(A.even, B.even, fma(A.odd, B.odd, Chain));
}

int64_t chainVectors(KernelBuilder &K) {
  return K.dotOrder() == num::DotOrder::Split ? 2 : 1;
}

void addPair(KernelBuilder &K, Val *Chain, const Pair &A, const Pair &B) {
  if (chainVectors(K) == 1) {
    Chain[0] = dotPair(K, Chain[0], A, B);
    return;
  }
  Chain[0] = fma(A.even, B.even, Chain[0]);
  Chain[1] = fma(A.odd, B.odd, Chain[1]);
}

Vals chainSums(KernelBuilder &K, ArrayRef<Val> Chains) {
  if (chainVectors(K) == 1)
    return Vals(Chains.begin(), Chains.end());
  Vals Sums;
  for (size_t I = 0; I < Chains.size(); I += 2)
    Sums.push_back(Chains[I] + Chains[I + 1]);
  return Sums;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {
class TileDot {
public:
  TileDot(KernelBuilder &K, TileLayout Layout, int64_t Tiles, Val Tile,
          ArrayRef<Val> X, InputForm Form)
      : K(K), Layout(Layout), Tiles(Tiles), X(X), Form(Form) {
    int64_t Bytes = tileBytes(Layout.format, Layout.inner);
    for (int64_t T = 0; T < Tiles; ++T)
      Starts.push_back(Tile + T * Bytes);
    // Few rows come with weights straight from memory.
    IsStream = X.size() <= 2;
    Distance = IsStream ? K.prefetchBytes(Layout.format) : 0;
  }

  Vals run() {
    Vals Totals = K.forRange(
        K.c64(0), K.c64(Layout.blocks()), 1, Vals(Tiles * X.size(), K.vf(0)),
        [&](Val I, ArrayRef<Val> In) { return block(I, BlockK, In); });
    if (!Layout.rest())
      return Totals;
    return block(K.c64(Layout.blocks()), Layout.rest(), Totals);
  }

private:
  /// Bytes of prefetch beyond the lines of block I. Beyond the end of a tile
  /// lie the other tiles of this call, which have been read: what comes next is
  /// the tile that takes this one's place in the next call.
  Val aheadOf(Val I) {
    int64_t Bytes = tileBytes(Layout.format, Layout.inner);
    int64_t Last = (Distance + Layout.blockBytes() - 1) / Layout.blockBytes();
    Val Beyond = K.c64(Distance + (Tiles - 1) * Bytes);
    return select(I + Last < Layout.blocks(), K.c64(Distance), Beyond);
  }

  /// Groups that advance in turns. One tile of FP4 alone has too few lines in a
  /// group to hide the latency of its chain behind those of the next groups;
  /// the other formats are read in the order of their lines.
  int64_t groupsTogether(int64_t Size) const {
    bool Many = IsStream && Layout.format == TileFormat::Fp4 &&
                K.isa() >= IsaLevel::Avx512 && Size == BlockK;
    return Many ? 4 / Tiles : 1;
  }

  /// Adds block I of `Size` k to the totals.
  Vals block(Val I, int64_t Size, ArrayRef<Val> Totals) {
    if (Distance)
      Ahead = aheadOf(I);
    int64_t Together = groupsTogether(Size);
    Vals Out = K.forRange(K.c64(0), K.c64(Size / GroupK), Together, Totals,
                          [&](Val G, ArrayRef<Val> In) {
                            return groups(I, Size, G, Together, In);
                          });
    if (Distance && Layout.format == TileFormat::Fp4)
      for (Val Start : Starts) // the line of scales
        K.prefetch(Layout.scale(Start, I, Size, K.c64(0)) + Ahead);
    return Out;
  }

  /// One line of the tile at `Start`: its pairs, and the line that will be
  /// wanted later.
  SmallVector<Pair, 4> line(Val Start, Val I, Val Offset) {
    Val Ptr = Layout.lines(Start, I) + Offset;
    if (Distance)
      K.prefetch(Ptr + Ahead);
    auto Pairs = loadPairs(K, Layout.format, Ptr, Layout.lineAlign());
    if (Distance)
      K.keepOrder();
    return Pairs;
  }

  /// Adds `Count` neighbouring groups from group G of block I, in order. Chains
  /// of different groups and tiles are independent and advance in turns.
  Vals groups(Val I, int64_t Size, Val G, int64_t Count, ArrayRef<Val> Totals) {
    int64_t Rows = X.size(), PerLine = pairsPerLine(Layout.format);
    Val First = (I * BlockK + G * GroupK) * inputBytes(Form);
    int64_t Vectors = chainVectors(K);
    Vals Chains(Tiles * Count * Rows * Vectors, K.vf(0));
    for (int64_t L = 0; L < GroupK / 2 / PerLine; ++L)
      for (int64_t N = 0; N < Tiles * Count; ++N) {
        int64_t Bytes = lineBytes(Layout.format, GroupK);
        auto Weights =
            line(Starts[N / Count], I, (G + N % Count) * Bytes + L * LineBytes);
        for (int64_t P = 0; P < PerLine; ++P)
          for (int64_t T = 0; T < Rows; ++T) {
            int64_t At = N % Count * GroupK + (L * PerLine + P) * 2;
            Pair In =
                broadcastPair(K, X[T] + First + At * inputBytes(Form), Form);
            addPair(K, &Chains[(N * Rows + T) * Vectors], In, Weights[P]);
          }
      }
    return addChains(I, Size, G, Count, chainSums(K, Chains), Totals);
  }

  Vals addChains(Val I, int64_t Size, Val G, int64_t Count,
                 ArrayRef<Val> Chains, ArrayRef<Val> Totals) {
    int64_t Rows = X.size();
    Vals Out(Totals.begin(), Totals.end());
    for (int64_t N = 0; N < Tiles * Count; ++N) {
      Val Scale =
          loadScale(K, Layout.format,
                    Layout.scale(Starts[N / Count], I, Size, G + N % Count));
      for (int64_t T = 0; T < Rows; ++T) {
        Val &Total = Out[N / Count * Rows + T];
        Val Chain = Chains[N * Rows + T];
        Total = Layout.format == TileFormat::Bf16 ? Chain + Total
                                                  : fma(Chain, Scale, Total);
      }
    }
    return Out;
  }

  KernelBuilder &K;
  TileLayout Layout;
  int64_t Tiles;
  ArrayRef<Val> X;
  InputForm Form;
  SmallVector<Val> Starts; // of the tiles
  bool IsStream;
  int64_t Distance; // bytes of prefetch beyond each line, or 0
  Val Ahead;        // the same for this block
};
} // namespace

Vals dotTiles(KernelBuilder &K, TileLayout Layout, int64_t Tiles, Val Tile,
              ArrayRef<Val> X, InputForm Form) {
  return TileDot(K, Layout, Tiles, Tile, X, Form).run();
}

} // namespace dsv4::cpu
