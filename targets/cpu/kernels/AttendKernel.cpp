// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse attention (model.md 3.5 steps 6 to 8; numerics R4) for one token and a
// group of 16 heads, straight from the packed rows, in two passes:
//   1. scores: every row is decoded once; lanes are heads, so one row's dot
//      products with 16 heads are one chain of dot instructions;
//   2. values: blocks of 8 rows are decoded, lanes are dims.
// Rows are numbered as the sum runs: window by position, then entries by id.
//
// Scratch: accumulators f32 [16, N], then scores f32 [rows, 16].

#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

#include <limits>

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;
constexpr int64_t RowBlock = 8; // rows decoded at once in the second pass

class Attend {
public:
  Attend(KernelBuilder &K, kern::AttendOp Op) : K(K), Op(Op) {
    Heads = Op.getHeads();
    N = llvm::cast<kern::BufferType>(Op.getQ().getType()).getFixed() / Heads;
    R = llvm::cast<kern::BufferType>(Op.getTab().getType()).getFixed();
    auto Window = llvm::cast<kern::StateType>(Op.getWindow().getType());
    Ring = Window.getExtent();
    RowBytes = Window.getRowFormat().bytesPerRow();
    Groups = (Heads + Lanes - 1) / Lanes;
    Query = stackBuffer(K, N * Lanes * 2);
    Rows = stackBuffer(K, RowBlock * N * 2);
    Totals = stackBuffer(K, 64);
  }

  void emit() {
    K.forItems([&](Val Item) {
      Token = Item / Groups;
      FirstHead = Item % Groups * Lanes;
      Acc = K.scratch();
      Scores = Acc + Lanes * N * 4;
      numberRows();
      transposeQuery();
      Val Largest = scoreRows();
      weighRows(Largest);
      sumValues();
      finish();
    });
  }

private:
  /// Counts of window rows and entries, and their addresses.
  void numberRows() {
    Val P = K.position(Token);
    Oldest = max(P - (Op.getWindowSize() - 1), K.c64(0));
    WindowRows = P + 1 - Oldest;
    Window = K.stateOf(3, Token);
    NumRows = WindowRows;
    if (!Op.getEntries())
      return;
    Entries = K.stateOf(4, Token);
    int64_t Ratio =
        llvm::cast<kern::StateType>(Op.getEntries().getType()).getExtent();
    Val Visible = (P + 1) / Ratio;
    if (Op.getIds()) {
      int64_t Limit =
          llvm::cast<kern::BufferType>(Op.getIds().getType()).getFixed();
      Visible = min(Visible, K.c64(Limit)); // ids beyond are -1
      Ids = K.operand(5) + Token * (Limit * 4);
    }
    NumRows = WindowRows + Visible;
  }

  Val rowAddress(Val Row) {
    Val InWindow = Window + ((Oldest + Row) % Ring) * RowBytes;
    if (!Op.getEntries())
      return InWindow;
    auto Entry = [&]() -> Vals {
      Val Id = Row - WindowRows;
      if (Op.getIds())
        Id = K.sext64(K.loadI32(Ids + Id * 4));
      return {Entries + Id * RowBytes};
    };
    return K.choose(Row < WindowRows, [&] { return Vals{InWindow}; }, Entry)[0];
  }

  Val headsHere() { return min(K.c64(Heads) - FirstHead, K.c64(Lanes)); }

  Val outputs() { return K.operand(Op->getNumOperands() - 1); }

  /// Query as [N / 2 pairs][16 heads] of BF16 pairs; absent heads are zero.
  void transposeQuery() {
    Val Q = K.operand(0) + (Token * Heads + FirstHead) * (N * 2);
    Val Here = headsHere();
    K.forRange(K.c64(0), K.c64(Lanes), 1, [&](Val H) {
      K.ifElse(
          H < Here,
          [&] {
            K.forRange(K.c64(0), K.c64(N / 2), 1, [&](Val P) {
              K.store(K.loadI32(Q + H * (N * 2) + P * 4),
                      Query + P * 64 + H * 4);
            });
          },
          [&] {
            K.forRange(K.c64(0), K.c64(N / 2), 1, [&](Val P) {
              K.store(K.c32(0), Query + P * 64 + H * 4);
            });
          });
    });
  }

  /// q . k of one decoded row with 16 heads (R1).
  Val dotRow(Val Row) {
    return K.forRange(
        K.c64(0), K.c64(N / 32), 1, {K.vf(0)},
        [&](Val Group, llvm::ArrayRef<Val> It) {
          Val Chain = K.vf(0);
          for (int64_t Pair = 0; Pair < 16; ++Pair)
            Chain = dotPair(
                K, Chain, broadcastPair(K, Row + Group * 64 + Pair * 4),
                pairOfLanes(K, K.loadVI(Query + Group * 1024 + Pair * 64)));
          return Vals{It[0] + Chain};
        })[0];
  }

  /// Scaled scores of all rows; returns each head's largest.
  Val scoreRows() {
    Val Lowest = K.vf(-std::numeric_limits<float>::infinity());
    float Scale = Op.getScale().convertToFloat();
    return K.forRange(K.c64(0), NumRows, 1, {Lowest},
                      [&](Val Row, llvm::ArrayRef<Val> It) {
                        unpackKvRow(K, rowAddress(Row), Rows, N, R);
                        Val S = dotRow(Rows) * K.vf(Scale);
                        K.store(S, Scores + Row * 64);
                        return Vals{max(It[0], S)};
                      })[0];
  }

  /// Scores become BF16 probabilities; Totals gets the denominators: rows in
  /// groups of 32, then the sink.
  void weighRows(Val Largest) {
    Val Total =
        K.forRange(K.c64(0), (NumRows + 31) / 32, 1, {K.vf(0)},
                   [&](Val Group, llvm::ArrayRef<Val> It) {
                     Val Begin = Group * 32, End = min(Begin + 32, NumRows);
                     Val Chain =
                         K.forRange(Begin, End, 1, {K.vf(0)},
                                    [&](Val Row, llvm::ArrayRef<Val> C) {
                                      Val At = Scores + Row * 64;
                                      Val P = K.exp(K.loadVF(At) - Largest);
                                      K.store(K.roundBf16(P), At);
                                      return Vals{C[0] + P};
                                    })[0];
                     return Vals{It[0] + Chain};
                   })[0];
    Val Sink = K.loadVF(K.operand(2) + FirstHead * 4);
    K.store(Total + K.exp(Sink - Largest), Totals);
  }

  /// Acc[h, d] = sum over rows of P[h, row] * v[row, d], rows ascending.
  void sumValues() {
    Val Here = headsHere();
    K.forRange(K.c64(0), Here * (N / Lanes), 1,
               [&](Val I) { K.store(K.vf(0), Acc + I * 64); });
    K.forRange(K.c64(0), NumRows, RowBlock, [&](Val First) {
      Val Count = min(NumRows - First, K.c64(RowBlock));
      K.forRange(K.c64(0), Count, 1, [&](Val I) {
        unpackKvRow(K, rowAddress(First + I), Rows + I * (N * 2), N, R);
      });
      K.forRange(K.c64(0), Here, 1, [&](Val H) {
        Val P = Scores + First * 64 + H * 4;
        K.forRange(K.c64(0), K.c64(N / Lanes), 1, [&](Val D) {
          Val At = Acc + H * (N * 4) + D * 64;
          Val Sum = K.forRange(
              K.c64(0), Count, 1, {K.loadVF(At)},
              [&](Val I, llvm::ArrayRef<Val> It) {
                Val V = K.loadBf16(Rows + I * (N * 2) + D * 32, Lanes);
                return Vals{fma(K.splat(K.loadF32(P + I * 64)), V, It[0])};
              })[0];
          K.store(Sum, At);
        });
      });
    });
  }

  /// Divides, rounds, and turns the rotary dims back.
  void finish() {
    Val Tab = K.operand(1) + Token * (R * 4);
    K.forRange(K.c64(0), headsHere(), 1, [&](Val H) {
      Val Out = outputs() + (Token * Heads + FirstHead + H) * (N * 2);
      Val Total = K.splat(K.loadF32(Totals + H * 4));
      K.forRange(K.c64(0), K.c64(N / Lanes), 1, [&](Val D) {
        K.storeBf16(Out + D * 32, K.loadVF(Acc + H * (N * 4) + D * 64) / Total);
      });
      ropeRow(K, Out + (N - R) * 2, Tab, R, true);
    });
  }

  KernelBuilder &K;
  kern::AttendOp Op;
  int64_t Heads, N, R, Ring, RowBytes, Groups;
  Val Query, Rows, Totals;           // on the stack
  Val Token, FirstHead, Acc, Scores; // of the item
  Val Oldest, WindowRows, NumRows;   // row numbers
  Val Window, Entries, Ids;          // addresses
};

} // namespace

void emitAttend(KernelBuilder &K, kern::AttendOp Op) { Attend(K, Op).emit(); }

} // namespace dsv4::cpu
