// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing, expert lists, SwiGLU and the sum of experts (model.md 3.8). The
// products themselves are in ExpertLinear.cpp.

#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

#include <limits>

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;

int64_t widthOf(mlir::Value Buffer) {
  return llvm::cast<kern::BufferType>(Buffer.getType()).getFixed();
}

/// Addresses of one token's routing: E scores and biased scores on the stack,
/// K selected ids and weights in selection order on the stack.
struct Routing {
  int64_t Experts, Count;
  Val Scores, Biased, Ids, Weights;
};

/// Scores s = sqrt(softplus(logit)), one at a time: E need not be a multiple
/// of 16. Above 20 softplus is its argument (R9).
void scoreExperts(KernelBuilder &K, const Routing &R, Val Logits, Val Bias) {
  auto Role = K.touching("scores");
  K.forRange(K.c64(0), K.c64(R.Experts), 1, [&](Val E) {
    Val X = K.loadF32(Logits + E * 4);
    Val S = sqrt(select(X > K.cf(20), X, K.softplus(X)));
    K.store(S, R.Scores + E * 4);
    if (Bias)
      K.store(S + K.loadF32(Bias + E * 4), R.Biased + E * 4);
  });
}

/// The K largest biased scores: higher first, lower id first among equals.
void selectExperts(KernelBuilder &K, const Routing &R) {
  auto Role = K.touching("scores");
  Val Lowest = K.cf(-std::numeric_limits<float>::infinity());
  K.forRange(K.c64(0), K.c64(R.Count), 1, [&](Val Slot) {
    Vals Best = K.forRange(K.c64(0), K.c64(R.Experts), 1, {Lowest, K.c64(0)},
                           [&](Val E, llvm::ArrayRef<Val> It) {
                             Val S = K.loadF32(R.Biased + E * 4);
                             Val Better = S > It[0];
                             return Vals{select(Better, S, It[0]),
                                         select(Better, E, It[1])};
                           });
    K.store(K.trunc32(Best[1]), R.Ids + Slot * 4);
    K.store(Lowest, R.Biased + Best[1] * 4);
  });
}

/// w = s / (sum of s in selection order) * scale (R9).
void weighExperts(KernelBuilder &K, const Routing &R, float Scale) {
  Val Sum = K.cf(0);
  Vals S;
  for (int64_t I = 0; I < R.Count; ++I) {
    Val Id = K.sext64(K.loadI32(R.Ids + I * 4));
    S.push_back(K.loadF32(R.Scores + Id * 4));
    Sum = Sum + S.back();
  }
  for (int64_t I = 0; I < R.Count; ++I)
    K.store(S[I] / Sum * K.cf(Scale), R.Weights + I * 4);
}

/// Writes ids and weights ordered by id; equal ids keep selection order. Each
/// slot's place is the number of slots before it: K is small.
void storeAscending(KernelBuilder &K, const Routing &R, Val Ids, Val Weights) {
  Vals Id;
  for (int64_t I = 0; I < R.Count; ++I)
    Id.push_back(K.loadI32(R.Ids + I * 4));
  for (int64_t I = 0; I < R.Count; ++I) {
    Val Place = K.c64(0);
    for (int64_t J = 0; J < R.Count; ++J)
      if (J != I) {
        Val Before = J < I ? Id[J] <= Id[I] : Id[J] < Id[I];
        Place = Place + select(Before, K.c64(1), K.c64(0));
      }
    K.store(Id[I], Ids + Place * 4);
    K.store(K.loadF32(R.Weights + I * 4), Weights + Place * 4);
  }
}

/// h = bf16(w * (silu(min(gate, limit)) * clamp(up))) of 16 elements (R10).
Val swiglu(KernelBuilder &K, Val Gate, Val Up, Val Weight, float Limit) {
  Val G = min(Gate, K.vf(Limit));
  Val U = min(max(Up, K.vf(-Limit)), K.vf(Limit));
  Val H = G * K.sigmoid(G) * U;
  return Weight ? Weight * H : H;
}

} // namespace

void emitRoute(KernelBuilder &K, kern::RouteOp Op) {
  Routing R;
  R.Experts = widthOf(Op.getLogits());
  R.Count = widthOf(Op.getIds());
  R.Scores = stackBuffer(K, R.Experts * 4);
  R.Biased = stackBuffer(K, R.Experts * 4);
  R.Ids = stackBuffer(K, R.Count * 4);
  R.Weights = stackBuffer(K, R.Count * 4);
  bool Hashed = bool(Op.getTable());
  K.forItems([&](Val Token) {
    scoreExperts(K, R, K.operand(0) + Token * (R.Experts * 4),
                 Hashed ? Val() : K.operand(1));
    if (Hashed)
      for (int64_t I = 0; I < R.Count; ++I)
        K.store(
            K.loadI32(K.operand(1) + K.token(Token) * (R.Count * 4) + I * 4),
            R.Ids + I * 4);
    else
      selectExperts(K, R);
    weighExperts(K, R, Op.getScale().convertToFloat());
    storeAscending(K, R, K.operand(2) + Token * (R.Count * 4),
                   K.operand(3) + Token * (R.Count * 4));
  });
}

void emitDispatch(KernelBuilder &K, kern::DispatchOp Op) {
  auto Role = K.touching("lists");
  int64_t Experts = Op.getExperts(), Count = widthOf(Op.getIds());
  Val Cursor = stackBuffer(K, Experts * 4);
  K.forItems([&](Val) {
    Val Ids = K.operand(0), Lists = K.operand(1);
    Val Slots = K.tokens() * Count;
    auto cursor = [&](Val Slot) {
      return Cursor + K.sext64(K.loadI32(Ids + Slot * 4)) * 4;
    };
    K.forRange(K.c64(0), K.c64(Experts), 1,
               [&](Val E) { K.store(K.c32(0), Cursor + E * 4); });
    K.forRange(K.c64(0), Slots, 1, [&](Val Slot) {
      Val At = cursor(Slot);
      K.store(K.loadI32(At) + 1, At);
    });
    // Active experts, ascending, and where the rows of each begin; the count of
    // an expert becomes its cursor.
    Vals Last =
        K.forRange(K.c64(0), K.c64(Experts), 1, {K.c64(0), K.c32(0)},
                   [&](Val E, llvm::ArrayRef<Val> It) {
                     Val N = K.loadI32(Cursor + E * 4);
                     return K.choose(
                         N > 0,
                         [&] {
                           K.store(K.trunc32(E), Lists + (It[0] + 1) * 4);
                           K.store(It[1], Lists + (It[0] + (1 + Experts)) * 4);
                           K.store(It[1], Cursor + E * 4);
                           return Vals{It[0] + 1, It[1] + N};
                         },
                         [&] { return Vals{It[0], It[1]}; });
                   });
    K.store(K.trunc32(Last[0]), Lists);
    K.store(Last[1], Lists + (Last[0] + (1 + Experts)) * 4);
    K.forRange(K.c64(0), Slots, 1, [&](Val Slot) {
      Val At = cursor(Slot), Place = K.loadI32(At);
      K.store(K.trunc32(Slot),
              Lists + (K.sext64(Place) + (2 + 2 * Experts)) * 4);
      K.store(Place + 1, At);
    });
  });
}

void emitSwiglu(KernelBuilder &K, kern::SwigluOp Op) {
  auto Role = K.touching("gate and up");
  int64_t I = widthOf(Op.getGate());
  float Limit = Op.getLimit().convertToFloat();
  bool Routed = bool(Op.getWeights());
  K.forItems([&](Val Row) {
    Val Offset = Row * (I * 2);
    Val H = K.operand(Routed ? 3 : 2) + Offset;
    Val Weight;
    if (Routed)
      Weight = K.splat(K.loadF32(K.operand(2) + Row * 4));
    K.forRange(K.c64(0), K.c64(I / Lanes), 1, [&](Val J) {
      Val Gate = K.loadBf16(K.operand(0) + Offset + J * 32, Lanes);
      Val Up = K.loadBf16(K.operand(1) + Offset + J * 32, Lanes);
      K.storeBf16(H + J * 32, swiglu(K, Gate, Up, Weight, Limit));
    });
    fakeQuantizeRow(K, H, H, I);
  });
}

void emitCombine(KernelBuilder &K, kern::CombineOp Op) {
  auto Role = K.touching("results of experts");
  int64_t D = widthOf(Op.getShared());
  auto Program = Op->getParentOfType<kern::ProgramOp>();
  int64_t Count = Program.getExpertsPerToken();
  K.forItems([&](Val Item) {
    Val Token = Item / (D / 128), Part = Item % (D / 128) * 256;
    Val Row = Token * (D * 2) + Part;
    Val Slots = K.operand(0) + Token * (Count * D * 2) + Part;
    for (int64_t I = 0; I < 256; I += 32) {
      Val Sum = K.vf(0);
      for (int64_t S = 0; S < Count; ++S)
        Sum = Sum + K.loadBf16(Slots + (S * D * 2 + I), Lanes);
      Sum = Sum + K.loadBf16(K.operand(1) + Row + I, Lanes);
      K.storeBf16(K.operand(2) + Row + I, Sum);
    }
  });
}

} // namespace dsv4::cpu
