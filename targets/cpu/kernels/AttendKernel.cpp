// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse attention (model.md 3.5 steps 6 to 8; numerics R4) for one token and a
// group of 16 heads, straight from the packed rows, in two passes over blocks
// of decoded rows:
//   1. scores: lanes are heads, a few rows at a time share the query's pairs;
//   2. values: lanes are dims, a few heads at a time share pairs of rows.
// Rows are numbered as the sum runs: window by position, then entries by id.
//
// Scratch: accumulators f32 [16, N]; query [N / 2 pairs] of 16 heads; decoded
// pairs of rows; scores f32 [rows, 16], rows rounded up to 16, which become
// probabilities in place (BF16 dots: pairs of rows in the first line of each
// two).

#include "targets/cpu/kernels/KvRows.h"
#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

#include "llvm/ADT/bit.h"

#include <limits>

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;
/// Decoded pairs of rows for the values: BF16, and f32, which are twice as
/// large. 128 bytes of padding keep columns of pairs in different cache sets.
constexpr int64_t Bf16Pairs = 32, F32Pairs = 8, PairPadding = 128;

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
    Totals = stackBuffer(K, 64);
    // Rows or heads at a time: a divisor of 16 for which registers are enough.
    Step = K.isa() >= IsaLevel::Avx512
               ? 8
               : int64_t(llvm::bit_floor(uint64_t(K.microRows())));
    Form = wantedInput(K);
    ValueRows = 2 * (Form == InputForm::Bf16 ? Bf16Pairs : F32Pairs);
  }

  void emit() {
    K.forItems([&](Val Item) {
      Token = Item / Groups;
      FirstHead = Item % Groups * Lanes;
      Acc = K.scratch();
      Query = Acc + Lanes * N * 4;
      Rows = Query + N / 2 * 128;
      Scores = Rows + Bf16Pairs * (N * 4 + PairPadding);
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

  /// Query as [N / 2 pairs] of 16 heads, decoded; absent heads are zero.
  void transposeQuery() {
    auto Role = K.touching("query");
    Val Q = K.operand(0) + (Token * Heads + FirstHead) * (N * 2);
    Val Here = headsHere();
    // First the lanes of all pairs, where rows will lie later.
    K.forRange(K.c64(0), K.c64(Lanes), 1, [&](Val H) {
      K.ifElse(
          H < Here,
          [&] {
            K.forRange(K.c64(0), K.c64(N / 2), 1, [&](Val P) {
              K.store(K.loadI32(Q + H * (N * 2) + P * 4),
                      Rows + P * 64 + H * 4);
            });
          },
          [&] {
            K.forRange(K.c64(0), K.c64(N / 2), 1, [&](Val P) {
              K.store(K.c32(0), Rows + P * 64 + H * 4);
            });
          });
    });
    K.forRange(K.c64(0), K.c64(N / 2), 1, [&](Val P) {
      storePair(K, pairOfLanes(K, K.loadVI(Rows + P * 64)),
                Query + P * pairBytes(K));
    });
  }

  /// Address of row I; beyond the last one, of the last.
  Val rowOrLast(Val I) { return rowAddress(min(I, NumRows - 1)); }

  /// q . k of `Step` decoded rows with 16 heads (R1).
  Vals dotRows(Val Row) {
    return K.forRange(
        K.c64(0), K.c64(N / GroupK), 1, Vals(Step, K.vf(0)),
        [&](Val Group, llvm::ArrayRef<Val> It) {
          Vals Chains(Step, K.vf(0));
          Val X = Row + Group * (GroupK * inputBytes(Form));
          for (int64_t P = 0; P < GroupK / 2; ++P) {
            Pair Q = loadPair(K, Query + Group * (GroupK / 2 * pairBytes(K)) +
                                     P * pairBytes(K));
            for (int64_t I = 0; I < Step; ++I)
              Chains[I] =
                  dotPair(K, Chains[I],
                          broadcastPair(
                              K, X + (I * N + P * 2) * inputBytes(Form), Form),
                          Q);
          }
          for (int64_t I = 0; I < Step; ++I)
            Chains[I] = It[I] + Chains[I];
          return Chains;
        });
  }

  /// Scaled scores of all rows; returns each head's largest.
  Val scoreRows() {
    auto Role = K.touching("scores");
    Val Lowest = K.vf(-std::numeric_limits<float>::infinity());
    float Scale = Op.getScale().convertToFloat();
    auto Some = [&](Val First, llvm::ArrayRef<Val> Largest) {
      for (int64_t I = 0; I < Step; ++I)
        unpackKvRow(K, rowOrLast(First + I), Rows + I * (N * inputBytes(Form)),
                    N, R, Form);
      Vals Dots = dotRows(Rows), Out(Largest.begin(), Largest.end());
      for (int64_t I = 0; I < Step; ++I) {
        Val S = Dots[I] * K.vf(Scale);
        K.store(S, Scores + (First + I) * 64);
        Out[0] = max(Out[0], S);
      }
      return Out;
    };
    return K.forRange(K.c64(0), NumRows, Step, {Lowest}, Some)[0];
  }

  /// Scores become BF16 probabilities; Totals gets the denominators: rows in
  /// groups of 32, then the sink.
  void weighRows(Val Largest) {
    auto Role = K.touching("scores");
    Val Total = K.forRange(
        K.c64(0), (NumRows + 31) / 32, 1, {K.vf(0)},
        [&](Val Group, llvm::ArrayRef<Val> It) {
          Val Begin = Group * 32, End = min(Begin + 32, NumRows);
          Val Chain = K.forRange(Begin, End, 2, {K.vf(0)},
                                 [&](Val Row, llvm::ArrayRef<Val> C) {
                                   return Vals{weighPair(Row, Largest, C[0])};
                                 })[0];
          return Vals{It[0] + Chain};
        })[0];
    Val Sink = K.loadVF(K.operand(2) + FirstHead * 4);
    K.store(Total + K.exp(Sink - Largest), Totals);
  }

  /// Probabilities of the rows Row and Row + 1, which may be beyond the last
  /// one: 0. Adds them to `Chain`.
  Val weighPair(Val Row, Val Largest, Val Chain) {
    Val At = Scores + Row * 64;
    Val Even = K.exp(K.loadVF(At) - Largest);
    Val Odd = K.exp(K.loadVF(At + 64) - Largest);
    Odd = select(Row + 1 < NumRows, Odd, K.vf(0));
    Val EvenBits = K.asInt(K.roundBf16(Even)),
        OddBits = K.asInt(K.roundBf16(Odd));
    if (Form == InputForm::Bf16) {
      K.store((EvenBits >> 16) | OddBits, At);
    } else {
      K.store(EvenBits, At);
      K.store(OddBits, At + 64);
    }
    return Chain + Even + Odd;
  }

  /// Acc[h, d] = sum over rows of P[h, row] * v[row, d], pairs of rows
  /// ascending, the odd row of a pair first.
  void sumValues() {
    auto Role = K.touching("accumulators");
    K.forRange(K.c64(0), K.c64(N), 1,
               [&](Val I) { K.store(K.vf(0), Acc + I * 64); });
    K.forRange(K.c64(0), NumRows, ValueRows, [&](Val First) {
      Val Count = min(NumRows - First, K.c64(ValueRows));
      K.forRange(K.c64(0), Count, 2, [&](Val I) {
        unpackKvRows(K, rowOrLast(First + I), rowOrLast(First + I + 1),
                     pairOfRows(I), N, R, Form);
      });
      K.forRange(K.c64(0), K.c64(N), 2 * Lanes, [&](Val D) {
        K.forRange(K.c64(0), headsHere(), Step,
                   [&](Val H) { addValues(First, Count, H, D); });
      });
    });
  }

  /// Adds `Count` rows to the dims D .. D + 31 of the heads H .. H + Step - 1.
  void addValues(Val First, Val Count, Val H, Val D) {
    auto At = [&](int64_t I, int64_t T) {
      return Acc + (H + I) * (N * 4) + (D + T * Lanes) * 4;
    };
    Vals Sums;
    for (int64_t I = 0; I < Step; ++I)
      for (int64_t T = 0; T < 2; ++T)
        Sums.push_back(K.loadVF(At(I, T)));
    Sums = K.forRange(
        K.c64(0), Count, 2, Sums, [&](Val Row, llvm::ArrayRef<Val> It) {
          Vals Out;
          Pair Columns[2] = {columns(Row, D), columns(Row, D + Lanes)};
          for (int64_t I = 0; I < Step; ++I) {
            Pair P = weights(First + Row, H + I);
            for (int64_t T = 0; T < 2; ++T)
              Out.push_back(dotPair(K, It[2 * I + T], P, Columns[T]));
          }
          return Out;
        });
    for (int64_t I = 0; I < Step; ++I)
      for (int64_t T = 0; T < 2; ++T)
        K.store(Sums[2 * I + T], At(I, T));
  }

  /// Where the decoded rows Row and Row + 1 of the block lie.
  Val pairOfRows(Val Row) {
    return Rows + Row * (N * inputBytes(Form) + PairPadding / 2);
  }

  /// 16 dims from D on of the decoded rows Row and Row + 1.
  Pair columns(Val Row, Val D) {
    auto Role = K.touching("decoded rows");
    Val V = pairOfRows(Row) + D * 4;
    if (Form == InputForm::Bf16)
      return pairOfLanes(K, K.loadVI(V, LineBytes));
    Pair P;
    P.even = K.loadVF(V, LineBytes);
    P.odd = K.loadVF(V + N * 4, LineBytes);
    return P;
  }

  /// Probabilities of the rows Row and Row + 1 for one head, in all lanes.
  Pair weights(Val Row, Val H) {
    Val P = Scores + Row * 64 + H * 4;
    if (Form == InputForm::Bf16)
      return broadcastPair(K, P, Form);
    auto Role = K.touching("scores");
    Pair Both;
    Both.even = K.splat(K.loadF32(P));
    Both.odd = K.splat(K.loadF32(P + 64));
    return Both;
  }

  /// Divides, rounds, and turns the rotary dims back.
  void finish() {
    auto Role = K.touching("accumulators");
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
  int64_t Heads, N, R, Ring, RowBytes, Groups, Step;
  InputForm Form;                  // of decoded rows
  int64_t ValueRows;               // decoded at once for the values
  Val Totals;                      // on the stack
  Val Acc, Query, Rows, Scores;    // in the scratch
  Val Token, FirstHead;            // of the item
  Val Oldest, WindowRows, NumRows; // row numbers
  Val Window, Entries, Ids;        // addresses
};

} // namespace

void emitAttend(KernelBuilder &K, kern::AttendOp Op) { Attend(K, Op).emit(); }

} // namespace dsv4::cpu
