// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Selection of the best entries (model.md 3.7 step 7): exact, linear in the
// entries, and nearly all of it 32 entries at a time.
//   1. Scores become 16-bit keys, whose signed order is that of the scores.
//   2. The entries fall into groups of 16; the k-th largest of the groups'
//      maxima is a bound: k entries at least reach it, so the k best do. Few
//      others do. Where groups are few, the k-th largest key is the bound.
//   3. The ids of those that reach it are collected; among them the k-th
//   largest
//      key is found, and the ids above it are written with the first of its
//      equals.
// A k-th largest key comes from its bits, highest first: sixteen times counting
// the keys above a number. The first count runs over a sixteenth of the
// entries, the second over those collected, which are all only where all are
// equal.
//
// Scratch: maxima, keys (16 bits each), ids collected.

#include "targets/cpu/kernels/Phases.h"

#include <limits>

namespace dsv4::cpu {

namespace {

constexpr int64_t Wide = 32;           // keys in a vector
constexpr int64_t Chunk = 16 * Wide;   // entries of 32 groups
constexpr int64_t Lowest = -(1 << 15); // below the key of every score

class TopK {
public:
  TopK(KernelBuilder &K, kern::TopKOp Op)
      : K(K), Ratio(Op.getRatio()), Count(Op.getK()),
        Keys16(K.vec(Wide, K.i16())) {}

  void emit() {
    K.forItems([&](Val Token) {
      Val Visible = (K.position(Token) + 1) / Ratio;
      Val Scores = K.operand(0) + Token * (K.context() / Ratio * 2);
      Ids = K.operand(1) + Token * (Count * 4);
      K.ifElse(
          Visible <= Count, [&] { takeAll(Visible); },
          [&] { select(Scores, Visible); });
    });
  }

private:
  void takeAll(Val Visible) {
    K.forRange(K.c64(0), K.c64(Count), 1, [&](Val I) {
      Val Id = dsv4::cpu::select(I < Visible, K.trunc32(I), K.c32(-1));
      K.store(Id, Ids + I * 4);
    });
  }

  void select(Val Scores, Val Visible) {
    Val Chunks = (Visible + (Chunk - 1)) / Chunk;
    Maxima = K.scratch();
    Keys = Maxima + Chunks * (Wide * 2);
    Found = Keys + Chunks * (Chunk * 2);
    makeKeys(Scores, Visible, Chunks);
    makeMaxima(Chunks);
    Val NumFound = collect(bound(Chunks), Chunks);
    Val Vectors = compactKeys(NumFound);
    Val Kth = kthLargest(Keys, Vectors);
    writeIds(Kth, Count - countAbove(Keys, Vectors, Kth));
  }

  /// Key of BF16 bits: the magnitude with its sign in two's complement, where
  /// both zeros are one.
  Val keyOf(Val Bits) {
    return dsv4::cpu::select(Bits < 0, Bits.like(Lowest) - Bits, Bits);
  }

  /// Keys of all entries, then Lowest to the end of the last chunk.
  void makeKeys(Val Scores, Val Visible, Val Chunks) {
    Val Whole = Visible / Wide * Wide;
    K.forRange(K.c64(0), Whole, Wide, [&](Val I) {
      K.store(keyOf(K.load(Keys16, Scores + I * 2)), Keys + I * 2);
    });
    K.forRange(Whole, Chunks * Chunk, Wide, [&](Val I) {
      K.store(K.constant(Keys16, Lowest), Keys + I * 2);
    });
    K.forRange(Whole, Visible, 1, [&](Val I) {
      K.store(keyOf(K.load(K.i16(), Scores + I * 2)), Keys + I * 2);
    });
  }

  /// Of each chunk the maxima of 32 groups, which are its columns.
  void makeMaxima(Val Chunks) {
    K.forRange(K.c64(0), Chunks, 1, [&](Val C) {
      Val First = Keys + C * (Chunk * 2), Most = K.load(Keys16, First);
      for (int64_t I = Wide; I < Chunk; I += Wide)
        Most = max(Most, K.load(Keys16, First + I * 2));
      K.store(Most, Maxima + C * (Wide * 2));
    });
  }

  /// One bit per key of the vector at `Ptr`: whether it is above `Bound`.
  Val above(Val Ptr, Val Bound) {
    Val Splat = K.splat(K.trunc(Bound, K.i16()), Wide);
    return K.bitcast(K.load(Keys16, Ptr) > Splat, K.i32());
  }

  Val countAbove(Val Ptr, Val Vectors, Val Bound) {
    return K.forRange(
        K.c64(0), Vectors, 1, {K.c32(0)}, [&](Val I, llvm::ArrayRef<Val> It) {
          Val Bits = above(Ptr + I * (Wide * 2), Bound);
          return Vals{It[0] + K.intrinsic("llvm.ctpop", K.i32(), {Bits})};
        })[0];
  }

  /// The k-th largest key of some vectors (i32), Lowest where there are fewer:
  /// the largest number that k keys reach.
  Val kthLargest(Val Ptr, Val Vectors) {
    return K.forRange(K.c64(0), K.c64(16), 1, {K.c32(Lowest), K.c32(1 << 15)},
                      [&](Val, llvm::ArrayRef<Val> It) {
                        Val Try = It[0] + It[1];
                        Val Reach = countAbove(Ptr, Vectors, Try - 1);
                        return Vals{
                            dsv4::cpu::select(Reach >= Count, Try, It[0]),
                            It[1] >> 1};
                      })[0];
  }

  /// A key that the k best reach and few others: of fewer groups than 2 k, the
  /// k-th maximum would say little, and the keys themselves are few.
  Val bound(Val Chunks) {
    Val Few = Chunks * Wide < 2 * Count;
    return kthLargest(dsv4::cpu::select(Few, Keys, Maxima),
                      dsv4::cpu::select(Few, Chunks * (Chunk / Wide), Chunks));
  }

  /// Ids of the entries that reach `Bound`, ascending; how many.
  Val collect(Val Bound, Val Chunks) {
    Val Below = max(Bound - 1, K.c32(Lowest)); // without what fills the chunk
    auto Vector = [&](Val I, llvm::ArrayRef<Val> It) {
      Val Bits = above(Keys + I * (Wide * 2), Below);
      // The lowest bit of those that are left, one at a time.
      Val Last = K.whileLoop(
          {Bits, It[0]}, [&](llvm::ArrayRef<Val> V) { return V[0] != 0; },
          [&](llvm::ArrayRef<Val> V) {
            Val Bit = K.intrinsic("llvm.cttz", K.i32(),
                                  {V[0], K.constant(K.i1(), int64_t(1))});
            K.store(K.trunc32(I * Wide) + Bit, Found + V[1] * 4);
            return Vals{V[0] & (V[0] - 1), V[1] + 1};
          })[1];
      return Vals{Last};
    };
    return K.forRange(K.c64(0), Chunks * (Chunk / Wide), 1, {K.c64(0)},
                      Vector)[0];
  }

  /// Moves the keys of the ids found to the front, in their order; answers how
  /// many vectors they fill.
  Val compactKeys(Val NumFound) {
    K.forRange(K.c64(0), NumFound, 1, [&](Val I) {
      Val Id = K.sext64(K.loadI32(Found + I * 4)); // I or later
      K.store(K.load(K.i16(), Keys + Id * 2), Keys + I * 2);
    });
    Val Vectors = (NumFound + (Wide - 1)) / Wide;
    K.forRange(NumFound, Vectors * Wide, 1, [&](Val I) {
      K.store(K.constant(K.i16(), Lowest), Keys + I * 2);
    });
    return Vectors;
  }

  /// The ids found with keys above `Kth`, and the first `Ties` equal to it.
  void writeIds(Val Kth, Val Ties) {
    K.whileLoop(
        {K.c64(0), K.c64(0), Ties},
        [&](llvm::ArrayRef<Val> It) { return It[1] < Count; },
        [&](llvm::ArrayRef<Val> It) {
          Val Key = K.sext(K.load(K.i16(), Keys + It[0] * 2), K.i32());
          Val Tie = (Key == Kth) & (It[2] > 0);
          // Stored in any case: what does not count is overwritten.
          K.store(K.loadI32(Found + It[0] * 4), Ids + It[1] * 4);
          return Vals{It[0] + 1, It[1] + K.zext((Key > Kth) | Tie, K.i64()),
                      It[2] - K.zext(Tie, K.i32())};
        });
  }

  KernelBuilder &K;
  int64_t Ratio, Count;
  mlir::Type Keys16;
  Val Ids;                 // of the token
  Val Maxima, Keys, Found; // in the scratch
};

} // namespace

void emitTopK(KernelBuilder &K, kern::TopKOp Op) { TopK(K, Op).emit(); }

} // namespace dsv4::cpu
