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
// With AMX both passes are products of tile registers (AttendUnit.h).
//
// Scratch: accumulators f32 [16, N], padded for AMX; query [N / 2 pairs] of 16
// heads; decoded pairs of rows; scores f32 [rows, 16], rows rounded up to 16,
// which become probabilities in place (BF16 dots: pairs of rows in the first
// line of each two).

#include "targets/cpu/kernels/AttendUnit.h"
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
/// Rows whose even and odd ones are summed apart in the order Split.
constexpr int64_t SplitRows = 32;

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
    // Heads or rows at a time: a divisor of 16 for which registers are enough.
    Step = K.isa() >= IsaLevel::Avx512
               ? 8
               : int64_t(llvm::bit_floor(uint64_t(K.microRows())));
    Form = wantedInput(K);
    ValueRows = 2 * (Form == InputForm::Bf16 ? Bf16Pairs : F32Pairs);
    IsSplit = K.dotOrder() == num::DotOrder::Split;
    OnUnit = K.hasMatrixUnit();
    // With dots that read their input from memory, a score's chain and its
    // operands are all that a row needs of them.
    RowStep = K.dotForm() == DotForm::Bf16 ? Lanes : Step;
    if (IsSplit) { // chains take twice the registers, and whole groups of rows
      Step = RowStep = std::max<int64_t>(Step / 2, 1);
      ValueRows = std::max(ValueRows, SplitRows);
    }
    AccPitch = N * 4 + (OnUnit ? LineBytes : 0);
  }

  void emit() {
    K.forItems([&](Val Item) {
      Token = Item / Groups;
      FirstHead = Item % Groups * Lanes;
      Acc = K.scratch();
      Query = Acc + Lanes * AccPitch;
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

  /// Bytes from a row decoded for its score to the next: a line more than it
  /// has, since Zen 5 reads lines 1 KiB apart at two thirds of the rate.
  int64_t rowPitch() const { return N * inputBytes(Form) + LineBytes; }

  /// q . k of `RowStep` decoded rows with 16 heads (R1).
  Vals dotRows(Val Row) {
    return K.forRange(
        K.c64(0), K.c64(N / GroupK), 1, Vals(RowStep, K.vf(0)),
        [&](Val Group, llvm::ArrayRef<Val> It) {
          int64_t Vectors = chainVectors(K);
          Vals Chains(RowStep * Vectors, K.vf(0));
          Val X = Row + Group * (GroupK * inputBytes(Form));
          for (int64_t P = 0; P < GroupK / 2; ++P) {
            Pair Q = loadPair(K, Query + Group * (GroupK / 2 * pairBytes(K)) +
                                     P * pairBytes(K));
            for (int64_t I = 0; I < RowStep; ++I)
              addPair(
                  K, &Chains[I * Vectors],
                  broadcastPair(
                      K, X + (I * rowPitch() + P * 2 * inputBytes(Form)), Form),
                  Q);
          }
          Vals Sums = chainSums(K, Chains);
          for (int64_t I = 0; I < RowStep; ++I)
            Sums[I] = It[I] + Sums[I];
          return Sums;
        });
  }

  /// The same on the matrix unit, up to 64 rows at once; scores not scaled yet.
  void dotOnUnit() {
    int64_t Pitch = rowPitch();
    K.forRange(K.c64(0), NumRows, 4 * Lanes, [&](Val First) {
      Val Blocks = min((NumRows - First + (Lanes - 1)) / Lanes, K.c64(4));
      K.forRange(K.c64(0), Blocks * Lanes, 1, [&](Val I) {
        unpackKvRow(K, rowOrLast(First + I), Rows + I * Pitch, N, R, Form);
      });
      K.ifOneOf(Blocks, 4, [&](int64_t Count) {
        unitScores(K, N, Count, Rows, Pitch, Query, Scores + First * 64);
      });
    });
  }

  /// Scaled scores of all rows; returns each head's largest.
  Val scoreRows() {
    auto Role = K.touching("scores");
    Val Lowest = K.vf(-std::numeric_limits<float>::infinity());
    float Scale = Op.getScale().convertToFloat();
    if (OnUnit) {
      dotOnUnit();
      return K.forRange(K.c64(0), NumRows, 1, {Lowest},
                        [&](Val Row, llvm::ArrayRef<Val> Largest) {
                          Val At = Scores + Row * 64;
                          Val S = K.loadVF(At) * K.vf(Scale);
                          K.store(S, At);
                          return Vals{max(Largest[0], S)};
                        })[0];
    }
    auto Some = [&](Val First, llvm::ArrayRef<Val> Largest) {
      for (int64_t I = 0; I < RowStep; ++I)
        unpackKvRow(K, rowOrLast(First + I), Rows + I * rowPitch(), N, R, Form);
      Vals Dots = dotRows(Rows), Out(Largest.begin(), Largest.end());
      for (int64_t I = 0; I < RowStep; ++I) {
        Val S = Dots[I] * K.vf(Scale);
        K.store(S, Scores + (First + I) * 64);
        Out[0] = max(Out[0], S);
      }
      return Out;
    };
    return K.forRange(K.c64(0), NumRows, RowStep, {Lowest}, Some)[0];
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
          if (IsSplit)
            finishGroup(Begin, End);
          return Vals{It[0] + Chain};
        })[0];
    Val Sink = K.loadVF(K.operand(2) + FirstHead * 4);
    K.store(Total + K.exp(Sink - Largest), Totals);
  }

  /// What follows the last row of a group has probability 0; for the matrix
  /// unit heads become rows.
  void finishGroup(Val Begin, Val End) {
    K.forRange((End + 1) & -2, Begin + SplitRows, 1,
               [&](Val Row) { K.store(K.vi(0), Scores + Row * 64); });
    if (OnUnit)
      transposePairs(K, Scores + Begin * 64);
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
    K.forRange(K.c64(0), K.c64(Lanes * AccPitch), 64,
               [&](Val At) { K.store(K.vf(0), Acc + At); });
    Val All = IsSplit ? (NumRows + (SplitRows - 1)) & -SplitRows : NumRows;
    K.forRange(K.c64(0), NumRows, ValueRows, [&](Val First) {
      Val Count = min(All - First, K.c64(ValueRows));
      K.forRange(K.c64(0), Count, 2, [&](Val I) {
        unpackKvRows(K, rowOrLast(First + I), rowOrLast(First + I + 1),
                     pairOfRows(I), N, R, Form);
      });
      if (OnUnit)
        return unitValues(K, N, Count / SplitRows, Scores + First * 64,
                          pairOfRows(K.c64(0)), N * 4 + PairPadding, Acc,
                          AccPitch);
      K.forRange(K.c64(0), K.c64(N), 2 * Lanes, [&](Val D) {
        K.forRange(K.c64(0), headsHere(), Step,
                   [&](Val H) { addValues(First, Count, H, D); });
      });
    });
  }

  /// Adds `Count` rows to the dims D .. D + 31 of the heads H .. H + Step - 1.
  void addValues(Val First, Val Count, Val H, Val D) {
    auto At = [&](int64_t I, int64_t T) {
      return Acc + (H + I) * AccPitch + (D + T * Lanes) * 4;
    };
    Vals Sums;
    for (int64_t I = 0; I < Step; ++I)
      for (int64_t T = 0; T < 2; ++T)
        Sums.push_back(K.loadVF(At(I, T)));
    // The rows [From, To) by pairs.
    auto Chains = [&](Val From, Val To, const Vals &Init) {
      int64_t Vectors = Init.size() / (2 * Step);
      return K.forRange(
          From, To, 2, Init, [&](Val Row, llvm::ArrayRef<Val> It) {
            Vals Out(It.begin(), It.end());
            Pair Columns[2] = {columns(Row, D), columns(Row, D + Lanes)};
            for (int64_t I = 0; I < Step; ++I) {
              Pair P = weights(First + Row, H + I);
              for (int64_t T = 0; T < 2; ++T)
                addPair(K, &Out[(2 * I + T) * Vectors], P, Columns[T]);
            }
            return Out;
          });
    };
    if (IsSplit)
      Sums = K.forRange(K.c64(0), Count, SplitRows, Sums,
                        [&](Val Row, llvm::ArrayRef<Val> It) {
                          Vals Group =
                              chainSums(K, Chains(Row, Row + SplitRows,
                                                  Vals(4 * Step, K.vf(0))));
                          for (size_t I = 0; I < Group.size(); ++I)
                            Group[I] = It[I] + Group[I];
                          return Group;
                        });
    else
      Sums = Chains(K.c64(0), Count, Sums);
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
        K.storeBf16(Out + D * 32,
                    K.loadVF(Acc + H * AccPitch + D * 64) / Total);
      });
      ropeRow(K, Out + (N - R) * 2, Tab, R, true);
    });
  }

  KernelBuilder &K;
  kern::AttendOp Op;
  int64_t Heads, N, R, Ring, RowBytes, Groups;
  int64_t Step, RowStep;           // heads and rows at a time
  InputForm Form;                  // of decoded rows
  bool IsSplit, OnUnit;            // order of sums; AMX
  int64_t AccPitch;                // bytes of a head's accumulators
  int64_t ValueRows;               // decoded at once for the values
  Val Totals;                      // on the stack
  Val Acc, Query, Rows, Scores;    // in the scratch
  Val Token, FirstHead;            // of the item
  Val Oldest, WindowRows, NumRows; // row numbers
  Val Window, Entries, Ids;        // addresses
};

} // namespace

void emitAttend(KernelBuilder &K, kern::AttendOp Op) {
  if (!K.hasMatrixUnit())
    return Attend(K, Op).emit();
  auto Form = K.useForm(DotForm::Bf16);
  beginUnit(K);
  Attend(K, Op).emit();
  endUnit(K);
}

} // namespace dsv4::cpu
