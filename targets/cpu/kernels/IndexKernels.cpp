// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Indexer scores straight from the packed FP4 rows, and the selection of the
// best entries (model.md 3.7 steps 5 to 7).

#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;

/// Sum over heads of bf16(relu(bf16(q_h . k)) * w_h) for the 16 entries of a
/// tile, lanes = entries (R8). Heads share the decoded tile four at a time.
Val scoreTile(KernelBuilder &K, Val Q, Val Weights, Val Tile, int64_t Heads,
              int64_t N) {
  int64_t Shared = Heads % 4 ? 1 : 4;
  return K.forRange(K.c64(0), K.c64(Heads), Shared, {K.vf(0)},
                    [&](Val H, llvm::ArrayRef<Val> It) {
                      Vals X;
                      for (int64_t I = 0; I < Shared; ++I)
                        X.push_back(Q + (H + I) * (N * 2));
                      Vals Dots = dotTiles(K, {TileFormat::Fp4, N}, 1, Tile, X);
                      Val Sum = It[0];
                      for (int64_t I = 0; I < Shared; ++I) {
                        Val W = K.splat(K.loadF32(Weights + (H + I) * 4));
                        Sum = Sum + K.roundBf16(
                                        max(K.roundBf16(Dots[I]), K.vf(0)) * W);
                      }
                      return Vals{Sum};
                    })[0];
}

/// Ascending 16-bit key of a BF16 score: unsigned order equals float order,
/// and the two zeros are one.
Val sortKey(KernelBuilder &K, Val Address) {
  Val Bits = K.zext(K.load(K.i16(), Address), K.i32());
  Val Key = select((Bits & 0x8000) == 0, Bits | 0x8000, Bits ^ 0xffff);
  return select((Bits & 0x7fff) == 0, K.c32(0x8000), Key);
}

/// Walks a 256-bucket histogram from the top; returns the bucket in which the
/// `Wanted`-th largest lies and how many are wanted inside it.
std::pair<Val, Val> bucketOf(KernelBuilder &K, Val Histogram, Val Wanted) {
  auto Count = [&](Val B) { return K.loadI32(Histogram + K.sext64(B) * 4); };
  Vals Found = K.whileLoop(
      {K.c32(255), Wanted},
      [&](llvm::ArrayRef<Val> It) { return It[1] > Count(It[0]); },
      [&](llvm::ArrayRef<Val> It) {
        return Vals{It[0] - 1, It[1] - Count(It[0])};
      });
  return {Found[0], Found[1]};
}

void clearHistogram(KernelBuilder &K, Val Histogram) {
  K.forRange(K.c64(0), K.c64(256 / Lanes), 1,
             [&](Val I) { K.store(K.vi(0), Histogram + I * 64); });
}

void countInto(KernelBuilder &K, Val Histogram, Val Bucket) {
  Val Slot = Histogram + K.sext64(Bucket) * 4;
  K.store(K.loadI32(Slot) + 1, Slot);
}

/// The k largest of `Visible` > k scores, ascending ids: two passes find the
/// key of the k-th largest, a third writes all above it and the first of its
/// equals. Linear and exact.
void selectLargest(KernelBuilder &K, Val Scores, Val Visible, Val Ids,
                   int64_t Count, Val Histogram) {
  clearHistogram(K, Histogram);
  K.forRange(K.c64(0), Visible, 1, [&](Val I) {
    countInto(K, Histogram, sortKey(K, Scores + I * 2) >> 8);
  });
  auto [High, InHigh] = bucketOf(K, Histogram, K.c32(Count));
  clearHistogram(K, Histogram);
  K.forRange(K.c64(0), Visible, 1, [&](Val I) {
    Val Key = sortKey(K, Scores + I * 2);
    K.ifThen((Key >> 8) == High, [&] { countInto(K, Histogram, Key & 0xff); });
  });
  auto [Low, Ties] = bucketOf(K, Histogram, InHigh);
  Val Threshold = (High << 8) | Low;
  K.forRange(K.c64(0), Visible, 1, {K.c64(0), Ties},
             [&](Val I, llvm::ArrayRef<Val> It) {
               Val Key = sortKey(K, Scores + I * 2);
               Val Equal = (Key == Threshold) & (It[1] > 0);
               return K.choose((Key > Threshold) | Equal,
                               [&] {
                                 K.store(K.trunc32(I), Ids + It[0] * 4);
                                 return Vals{
                                     It[0] + 1,
                                     It[1] - select(Equal, K.c32(1), K.c32(0))};
                               },
                               [&] { return Vals{It[0], It[1]}; });
             });
}

} // namespace

void emitIndexScore(KernelBuilder &K, kern::IndexScoreOp Op) {
  auto Entries = llvm::cast<kern::StateType>(Op.getEntries().getType());
  int64_t Heads = Op.getHeads(), Ratio = Entries.getExtent();
  int64_t N = Entries.getRowFormat().getWidth();
  int64_t TileBytes = tileBytes(TileFormat::Fp4, N),
          Block = kern::IndexScoreOp::EntryBlock;
  float Factor = Op.getFactor().convertToFloat();
  Val Blocks = ((K.maxPosition() + 1) / Ratio + (Block - 1)) / Block;
  Val Weights = stackBuffer(K, Heads * 4);
  K.forItems([&](Val Item) {
    Val Token = Item / Blocks, First = Item % Blocks * (Block / Lanes);
    Val Visible = (K.position(Token) + 1) / Ratio;
    Val Tiles = (Visible + (Lanes - 1)) / Lanes;
    Val Q = K.operand(0) + Token * (Heads * N * 2);
    K.forRange(K.c64(0), K.c64(Heads), 1, [&](Val H) {
      Val W = K.loadBf16(K.operand(1) + (Token * Heads + H) * 2);
      K.store(K.roundBf16(W * K.cf(Factor)), Weights + H * 4);
    });
    Val Scores = K.operand(3) + Token * (K.context() / Ratio * 2);
    K.forRange(First, min(First + Block / Lanes, Tiles), 1, [&](Val T) {
      Val Tile = K.stateOf(2, Token) + T * TileBytes;
      Val Sum = scoreTile(K, Q, Weights, Tile, Heads, N);
      K.storeBf16(Scores + T * (Lanes * 2), Sum);
    });
  });
}

void emitTopK(KernelBuilder &K, kern::TopKOp Op) {
  int64_t Count = Op.getK(), Ratio = Op.getRatio();
  Val Histogram = stackBuffer(K, 256 * 4);
  K.forItems([&](Val Token) {
    Val Visible = (K.position(Token) + 1) / Ratio;
    Val Scores = K.operand(0) + Token * (K.context() / Ratio * 2);
    Val Ids = K.operand(1) + Token * (Count * 4);
    K.ifElse(
        Visible <= Count,
        [&] {
          K.forRange(K.c64(0), K.c64(Count), 1, [&](Val I) {
            Val Id = select(I < Visible, K.trunc32(I), K.c32(-1));
            K.store(Id, Ids + I * 4);
          });
        },
        [&] { selectLargest(K, Scores, Visible, Ids, Count, Histogram); });
  });
}

} // namespace dsv4::cpu
