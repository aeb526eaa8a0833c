// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse attention (model.md 3.5 steps 6 to 8; numerics R4) for one token and
// groups of 16 heads, straight from the packed rows, in two passes over blocks
// of decoded rows:
//   1. scores: lanes are heads, a few rows at a time share the query's pairs;
//   2. values: lanes are dims, a few heads at a time share pairs of rows.
// Rows are numbered as the sum runs: window by position, then entries by id.
// An item is a token and a group; items of a call that are of one token run
// together, so that a block of rows is decoded once for all of their groups.
//
// With AMX both passes are products of tile registers (AttendUnit.h).
//
// Scratch: of each group of a run accumulators f32 [16, N], padded for AMX, and
// the query [N / 2 pairs] of 16 heads; decoded pairs of rows; of each group
// scores f32 [rows, 16], rows rounded up to 32, which become probabilities in
// place (BF16 dots: pairs of rows in the first line of each two).

#include "targets/cpu/kernels/AttendBlock.h"
#include "targets/cpu/kernels/AttendUnit.h"
#include "targets/cpu/kernels/KvRows.h"
#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

#include <limits>

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;
static_assert(Lanes == kern::AttendOp::HeadGroup);

class Attend {
public:
  Attend(KernelBuilder &K, kern::AttendOp Op)
      : K(K), Op(Op), Heads(Op.getHeads()),
        N(llvm::cast<kern::BufferType>(Op.getQ().getType()).getFixed() / Heads),
        Block(K, N) {
    R = llvm::cast<kern::BufferType>(Op.getTab().getType()).getFixed();
    auto Window = llvm::cast<kern::StateType>(Op.getWindow().getType());
    Ring = Window.getExtent();
    RowBytes = Window.getRowFormat().bytesPerRow();
    Groups = Op.headGroups();
    Shared = Op.groupsTogether();
    AllLargest = stackBuffer(K, 64 * Shared);
    AllTotals = stackBuffer(K, 64 * Shared);
    OnUnit = K.hasMatrixUnit();
    AccPitch = N * 4 + (OnUnit ? LineBytes : 0);
  }

  void emit() {
    auto Left = [&](llvm::ArrayRef<Val> It) { return It[0] < K.end(); };
    K.whileLoop({K.begin()}, Left, [&](llvm::ArrayRef<Val> It) {
      Token = It[0] / Groups;
      FirstGroup = It[0] % Groups;
      Count = min(min(K.end() - It[0], Groups - FirstGroup), K.c64(Shared));
      emitRun();
      return Vals{It[0] + Count};
    });
  }

private:
  /// `Count` groups of heads of one token.
  void emitRun() {
    numberRows();
    AllAcc = K.scratch();
    AllQueries = AllAcc + Shared * (Lanes * AccPitch);
    Rows = AllQueries + Shared * (N / 2 * 128);
    AllScores = Rows + Block.decodedBytes();
    ScoresPitch = ((NumRows + 31) & -32) * 64;
    forGroups([&] { transposeQuery(); });
    scoreRows();
    forGroups([&] { weighRows(); });
    sumValues();
    forGroups([&] { finish(); });
  }

  /// Body for each group of the run.
  void forGroups(llvm::function_ref<void()> Body) {
    K.forRange(K.c64(0), Count, 1, [&](Val Group) {
      FirstHead = (FirstGroup + Group) * Lanes;
      Acc = AllAcc + Group * (Lanes * AccPitch);
      Query = AllQueries + Group * (N / 2 * 128);
      Scores = AllScores + Group * ScoresPitch;
      Largest = AllLargest + Group * 64;
      Totals = AllTotals + Group * 64;
      Body();
    });
  }

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

  /// Rows are gathered from anywhere: the hardware sees no stream.
  void prefetchRow(Val I) {
    Val Row = rowOrLast(I);
    for (int64_t At = 0; At < RowBytes + LineBytes - 1; At += LineBytes)
      K.prefetch(Row + std::min(At, RowBytes - 1));
  }

  /// Scores on the matrix unit, of up to 64 rows at once; not scaled yet.
  void dotOnUnit() {
    int64_t Pitch = Block.rowPitch();
    K.forRange(K.c64(0), NumRows, 4 * Lanes, [&](Val First) {
      Val Blocks = min((NumRows - First + (Lanes - 1)) / Lanes, K.c64(4));
      K.forRange(K.c64(0), Blocks * Lanes, 1, [&](Val I) {
        unpackKvRow(K, rowOrLast(First + I), Rows + I * Pitch, N, R,
                    Block.form());
      });
      forGroups([&] {
        K.ifOneOf(Blocks, 4, [&](int64_t Some) {
          unitScores(K, N, Some, Rows, Pitch, Query, Scores + First * 64);
        });
      });
    });
  }

  /// Scaled scores of all rows, and each head's largest.
  void scoreRows() {
    auto Role = K.touching("scores");
    forGroups([&] {
      K.store(K.vf(-std::numeric_limits<float>::infinity()), Largest);
    });
    if (OnUnit) {
      dotOnUnit();
      return forGroups([&] {
        K.store(K.forRange(K.c64(0), NumRows, 1, {K.loadVF(Largest)},
                           [&](Val Row, llvm::ArrayRef<Val> Most) {
                             Val Dot = K.loadVF(Scores + Row * 64);
                             return Vals{max(Most[0], keepScore(Dot, Row))};
                           })[0],
                Largest);
      });
    }
    int64_t RowStep = Block.rowStep(), Pitch = Block.rowPitch();
    K.forRange(K.c64(0), NumRows, RowStep, [&](Val First) {
      K.forRange(K.c64(0), K.c64(RowStep), 1, [&](Val I) {
        prefetchRow(First + RowStep + I);
        unpackKvRow(K, rowOrLast(First + I), Rows + I * Pitch, N, R,
                    Block.form());
      });
      forGroups([&] {
        Vals Dots = Block.dotRows(Rows, Query);
        Val Most = K.loadVF(Largest);
        for (int64_t I = 0; I < RowStep; ++I)
          Most = max(Most, keepScore(Dots[I], First + I));
        K.store(Most, Largest);
      });
    });
  }

  /// Stores and returns the scaled scores of a row.
  Val keepScore(Val Dot, Val Row) {
    Val Scaled = Dot * K.vf(Op.getScale().convertToFloat());
    K.store(Scaled, Scores + Row * 64);
    return Scaled;
  }

  /// Scores become BF16 probabilities; Totals gets the denominators: rows in
  /// groups of 32, then the sink.
  void weighRows() {
    auto Role = K.touching("scores");
    Val Highest = K.loadVF(Largest);
    Val Total = K.forRange(
        K.c64(0), (NumRows + 31) / 32, 1, {K.vf(0)},
        [&](Val Group, llvm::ArrayRef<Val> It) {
          Val Begin = Group * 32, End = min(Begin + 32, NumRows);
          Val Chain = K.forRange(Begin, End, 2, {K.vf(0)},
                                 [&](Val Row, llvm::ArrayRef<Val> C) {
                                   return Vals{weighPair(Row, Highest, C[0])};
                                 })[0];
          if (Block.isSplit())
            finishGroup(Begin, End);
          return Vals{It[0] + Chain};
        })[0];
    Val Sink = K.loadVF(K.operand(2) + FirstHead * 4);
    K.store(Total + K.exp(Sink - Highest), Totals);
  }

  /// What follows the last row of a group has probability 0; for the matrix
  /// unit heads become rows.
  void finishGroup(Val Begin, Val End) {
    K.forRange((End + 1) & -2, Begin + AttendBlock::SplitRows, 1,
               [&](Val Row) { K.store(K.vi(0), Scores + Row * 64); });
    if (OnUnit)
      transposePairs(K, Scores + Begin * 64);
  }

  /// Probabilities of the rows Row and Row + 1, which may be beyond the last
  /// one: 0. Adds them to `Chain`.
  Val weighPair(Val Row, Val Highest, Val Chain) {
    Val At = Scores + Row * 64;
    Val Even = K.exp(K.loadVF(At) - Highest);
    Val Odd = K.exp(K.loadVF(At + 64) - Highest);
    Odd = select(Row + 1 < NumRows, Odd, K.vf(0));
    Val EvenBits = K.asInt(K.roundBf16(Even)),
        OddBits = K.asInt(K.roundBf16(Odd));
    if (Block.form() == InputForm::Bf16) {
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
    K.forRange(K.c64(0), Count * (Lanes * AccPitch), 64,
               [&](Val At) { K.store(K.vf(0), AllAcc + At); });
    Val All = Block.isSplit() ? (NumRows + (AttendBlock::SplitRows - 1)) &
                                    -AttendBlock::SplitRows
                              : NumRows;
    int64_t Most = Block.valueRows();
    K.forRange(K.c64(0), NumRows, Most, [&](Val First) {
      Val Some = min(All - First, K.c64(Most));
      K.forRange(K.c64(0), Some, 2, [&](Val I) {
        unpackKvRows(K, rowOrLast(First + I), rowOrLast(First + I + 1),
                     Block.pairOfRows(Rows, I), N, R, Block.form());
      });
      forGroups([&] { addBlock(First, Some); });
    });
  }

  /// Adds the decoded rows [First, First + Some) to all dims of 16 heads.
  void addBlock(Val First, Val Some) {
    Val Probabilities = Scores + First * 64;
    if (OnUnit)
      return unitValues(K, N, Some / AttendBlock::SplitRows, Probabilities,
                        Rows, Block.pairPitch(), Acc, AccPitch);
    Block.addValues(Rows, Some, Probabilities, headsHere(), Acc, AccPitch);
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
  AttendBlock Block;
  bool OnUnit;                  // AMX
  int64_t AccPitch;             // bytes of a head's accumulators
  int64_t Shared;               // groups that run together, at most
  Val Token, FirstGroup, Count; // of the run
  Val AllLargest, AllTotals;    // [groups] of 16 heads, on the stack
  Val AllAcc, AllQueries, Rows, AllScores, ScoresPitch; // in the scratch
  Val FirstHead, Acc, Query, Scores, Largest, Totals;   // of the group
  Val Oldest, WindowRows, NumRows;                      // row numbers
  Val Window, Entries, Ids;                             // addresses
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
