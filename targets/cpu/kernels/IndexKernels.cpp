// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Indexer scores straight from the packed FP4 rows (model.md 3.7 steps 5, 6).

#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/IndexDot.h"
#include "targets/cpu/kernels/IndexUnit.h"
#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;

/// One index_score phase. A call takes items of one token mostly: what depends
/// on the token alone is made once.
class IndexScore {
public:
  IndexScore(KernelBuilder &K, kern::IndexScoreOp Op)
      : K(K), Op(Op), Heads(Op.getHeads()),
        N(entries().getRowFormat().getWidth()), Ratio(entries().getExtent()),
        Dot(K, Heads, N, K.scratch()),
        Unit(K, Heads, N, K.scratch() + IndexDot::roomBytes(Heads, N)) {
    // Before the weights of the heads lie zeros (see sumOfHeads).
    Val Zeros = stackBuffer(K, LineBytes + Heads * 4);
    K.store(K.vi(0), Zeros, LineBytes);
    Weights = Zeros + LineBytes;
  }

  void emit() {
    int64_t Block = kern::IndexScoreOp::EntryBlock;
    Val Blocks = ((K.maxPosition() + 1) / Ratio + (Block - 1)) / Block;
    if (Unit.exists())
      beginUnit(K);
    auto Item = [&](Val Item, llvm::ArrayRef<Val> It) {
      Val Token = Item / Blocks, First = Item % Blocks * (Block / Lanes);
      Val Q = K.operand(0) + Token * (Heads * N * 2);
      Vals Fit = K.choose(
          Token == It[0], [&] { return Vals{It[1], It[2]}; },
          [&] {
            roundWeights(Token);
            auto [Fits, IsNear] = Dot.prepareQuery(Q);
            return Vals{Fits, IsNear};
          });
      Val Tiles = ((K.position(Token) + 1) / Ratio + (Lanes - 1)) / Lanes;
      Val End = min(First + Block / Lanes, Tiles);
      auto OnCore = [&] {
        K.ifElse(
            Fit[0], [&] { scoreInIntegers(Token, First, End); },
            [&] { scoreInFloats(Token, Q, First, End); });
      };
      if (Unit.exists())
        K.ifElse(
            areNear(Fit[1], Token, First, End),
            [&] { scoreOnUnit(Token, Q, First, End); }, OnCore);
      else
        OnCore();
      return Vals{Token, Fit[0], Fit[1]};
    };
    Val False = K.constant(K.i1(), int64_t(0));
    K.forRange(K.begin(), K.end(), 1, {K.c64(-1), False, False}, Item);
    if (Unit.exists())
      endUnit(K);
  }

private:
  kern::StateType entries() {
    return llvm::cast<kern::StateType>(Op.getEntries().getType());
  }
  Val tile(Val Token, Val T) {
    return K.stateOf(2, Token) + T * tileBytes(TileFormat::Fp4, N);
  }
  Val score(Val Token, Val T) {
    return K.operand(3) + Token * (K.context() / Ratio * 2) + T * (Lanes * 2);
  }

  /// bf16(weight * factor) of all heads.
  void roundWeights(Val Token) {
    float Factor = Op.getFactor().convertToFloat();
    K.forRange(K.c64(0), K.c64(Heads), 1, [&](Val H) {
      Val W = K.loadBf16(K.operand(1) + (Token * Heads + H) * 2);
      K.store(K.roundBf16(W * K.cf(Factor)), Weights + H * 4);
    });
  }

  /// Sum + bf16(relu(bf16(q_h . k)) * w_h), lanes = entries of a tile.
  Val addHead(Val Sum, Val Dots, Val H) {
    Val W = K.splat(K.loadF32(Weights + H * 4));
    return Sum + K.roundBf16(max(K.roundBf16(Dots), K.vf(0)) * W);
  }

  /// Heads that a tile meets at once.
  int64_t shared() const { return Heads % 4 ? 1 : 4; }

  /// The tiles [First, End), some at a time; where the last ones are fewer, the
  /// last one stands in for those that lack, with the same result.
  void scoreInIntegers(Val Token, Val First, Val End) {
    constexpr int64_t Tiles = IndexDot::Tiles;
    K.forRange(First, End, Tiles, [&](Val T) {
      auto At = [&](int64_t I) { return I ? min(T + I, End - 1) : T; };
      for (int64_t I = 0; I < Tiles; ++I)
        Dot.decodeTile(tile(Token, At(I)), I);
      Vals Sums = sumOfHeads();
      for (int64_t I = 0; I < Tiles; ++I)
        K.storeBf16(score(Token, At(I)), Sums[I]);
    });
  }

  /// Whether the query and the scales of the tiles [First, End) are such that
  /// the matrix unit has the same bits.
  Val areNear(Val Query, Val Token, Val First, Val End) {
    auto Tiles = [&] {
      Val Far = K.forRange(
          First, End, 1, {K.vi(0)}, [&](Val T, llvm::ArrayRef<Val> It) {
            return Vals{It[0] | Unit.farScales(tile(Token, T))};
          })[0];
      return Vals{K.laneSum((Far >> 31) & 1) == 0};
    };
    return K.choose(Query, Tiles, [&] { return Vals{Query}; })[0];
  }

  /// The tiles [First, End), two at a time as above. While the unit multiplies
  /// a part of the heads, the part before is added up: the last one of the
  /// tiles before, whose scores are then done, or one of the same tiles. Before
  /// the first ones come the first ones themselves, with any scores.
  void scoreOnUnit(Val Token, Val Q, Val First, Val End) {
    constexpr int64_t Tiles = IndexUnit::Tiles;
    int64_t Parts = Unit.parts(), Last = Parts - 1;
    auto At = [&](Val T, int64_t I) { return I ? min(T + I, End - 1) : T; };
    auto Store = [&](Val T, const Vals &Sums) {
      for (int64_t I = 0; I < Tiles; ++I)
        K.storeBf16(score(Token, At(T, I)), Sums[I]);
    };
    Vals State(1 + Tiles, K.vf(0));
    State[0] = First;
    auto Some = [&](Val T, llvm::ArrayRef<Val> It) {
      for (int64_t I = 0; I < Tiles; ++I)
        Unit.decodeTile(tile(Token, At(T, I)), I);
      Vals Sums(It.drop_front());
      for (int64_t Part = 0; Part < Parts; ++Part) {
        Unit.multiply(Q, Part, [&](int64_t Group) {
          addHeads(Sums, Part ? Part - 1 : Last, Group);
        });
        if (Part == 0) {
          Store(It[0], Sums);
          Sums.assign(Tiles, K.vf(0));
        }
      }
      Sums.insert(Sums.begin(), T);
      return Sums;
    };
    State = K.forRange(First, End, Tiles, State, Some);
    Vals Sums(State.begin() + 1, State.end());
    for (int64_t Group = 0; Group < Unit.groups(); ++Group)
      addHeads(Sums, Last, Group);
    K.ifElse(First < End, [&] { Store(State[0], Sums); }, [] {});
  }

  /// Of the heads of a part whose results the unit has left, those that are due
  /// beside a group of the next one.
  void addHeads(Vals &Sums, int64_t Part, int64_t Group) {
    int64_t Count = Unit.partHeads(), Groups = Unit.groups();
    for (int64_t H = Count * Group / Groups; H < Count * (Group + 1) / Groups;
         ++H)
      for (int64_t T = 0; T < IndexUnit::Tiles; ++T)
        Sums[T] = addHead(Sums[T], Unit.result(H, T), K.c64(Part * Count + H));
  }

  /// Heads that the decoded tiles meet at once: what the dots of some add to
  /// the sums is worked out beside the dots of the next ones.
  int64_t together() const { return Heads % 2 ? 1 : 2; }

  /// Scores of the decoded tiles.
  Vals sumOfHeads() {
    constexpr int64_t Tiles = IndexDot::Tiles;
    int64_t Count = together();
    auto Add = [&](Vals &State, Val H, int64_t I) {
      for (int64_t T = 0; T < Tiles; ++T)
        State[T] = addHead(State[T], State[Tiles + T * Count + I], H + I);
    };
    // Before the first heads come zeros, with weights that are zero too.
    Vals State(Tiles * (1 + Count), K.vf(0));
    State = K.forRange(K.c64(0), K.c64(Heads), Count, State,
                       [&](Val H, llvm::ArrayRef<Val> It) {
                         Vals Before(It);
                         int64_t Added = 0;
                         Vals Dots = Dot.dots(H, Count, [&](int64_t Group) {
                           int64_t Due = Count * (Group + 1) / Dot.groups();
                           for (; Added < Due; ++Added)
                             Add(Before, H - Count, Added);
                         });
                         llvm::copy(Dots, Before.begin() + Tiles);
                         return Before;
                       });
    for (int64_t I = 0; I < Count; ++I)
      Add(State, K.c64(Heads - Count), I);
    State.resize(Tiles);
    return State;
  }

  /// The same for any queries.
  void scoreInFloats(Val Token, Val Q, Val First, Val End) {
    auto Order = K.useOrder(num::DotOrder::Chain); // not of weights (R8)
    K.forRange(First, End, 1, [&](Val T) {
      Val Sum = K.forRange(K.c64(0), K.c64(Heads), shared(), {K.vf(0)},
                           [&](Val H, llvm::ArrayRef<Val> It) {
                             Vals X;
                             for (int64_t I = 0; I < shared(); ++I)
                               X.push_back(Q + (H + I) * (N * 2));
                             Vals Dots = dotTiles(K, {TileFormat::Fp4, N}, 1,
                                                  tile(Token, T), X);
                             Val Sum = It[0];
                             for (int64_t I = 0; I < shared(); ++I)
                               Sum = addHead(Sum, Dots[I], H + I);
                             return Vals{Sum};
                           })[0];
      K.storeBf16(score(Token, T), Sum);
    });
  }

  KernelBuilder &K;
  kern::IndexScoreOp Op;
  int64_t Heads, N, Ratio;
  IndexDot Dot;
  IndexUnit Unit;
  Val Weights; // on the stack
};

} // namespace

void emitIndexScore(KernelBuilder &K, kern::IndexScoreOp Op) {
  IndexScore(K, Op).emit();
}

} // namespace dsv4::cpu
