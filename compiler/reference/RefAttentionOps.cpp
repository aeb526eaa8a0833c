// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention, compressor, indexer (model.md 3.4 to 3.7).

#include "compiler/conversion/Dsv4ToKern/RopeFrequencies.h"
#include "compiler/reference/OpRunner.h"
#include "runtime/numerics/attention.h"

namespace dsv4::reference {

static llvm::SmallVector<float> frequencies(graph::RopeAttr R) {
  return getRopeFrequencies({R.getDims(), R.getTheta(), R.getFactor(),
                             R.getOriginal(), R.getBetaFast(),
                             R.getBetaSlow()});
}

static graph::StateType stateType(mlir::Value V) {
  return llvm::cast<graph::StateType>(V.getType());
}

/// Body(row of the last axis) for every head of every token.
static void forHeads(Value &X,
                     llvm::function_ref<void(float *, int64_t)> Body) {
  int64_t N = X.Shape.back(), PerToken = X.width() / N;
  parallelFor(X.rows() * PerToken,
              [&](int64_t I) { Body(X.F.data() + I * N, I / PerToken); });
}

Value OpRunner::headNorm(Value X, double Eps) {
  int64_t N = X.Shape.back();
  forHeads(
      X, [&](float *Row, int64_t) { num::headNorm(Row, Row, N, float(Eps)); });
  return X;
}

Value OpRunner::rope(Value X, graph::RopeAttr Rope, bool Inverse) {
  auto Freqs = frequencies(Rope);
  int64_t N = X.Shape.back();
  forHeads(X, [&](float *Row, int64_t T) {
    num::rope(Row, N, Freqs.data(), Freqs.size(), position(T), Inverse);
  });
  return X;
}

Value OpRunner::quantizeKv(Value X, int64_t RopeDims) {
  for (int64_t T = 0; T < X.rows(); ++T)
    num::fakeQuantizeE4M3(X.row(T), X.width() - RopeDims, 64);
  return X;
}

void OpRunner::storeWindow(const Value &Kv, mlir::Value Window) {
  State &S = In.state(Window);
  for (int64_t T = 0; T < Kv.rows(); ++T)
    S.Rows.emplace_back(Kv.row(T), Kv.row(T) + Kv.width());
}

void OpRunner::compress(graph::CompressOp Op) {
  const Value &U = get(Op.getValues()), &G = get(Op.getGates());
  State &Carry = In.state(Op.getCarry()), &Entries = In.state(Op.getEntries());
  for (int64_t T = 0; T < U.rows(); ++T) {
    Carry.U.emplace_back(U.row(T), U.row(T) + U.width());
    Carry.G.emplace_back(G.row(T), G.row(T) + G.width());
  }
  auto Type = stateType(Op.getEntries());
  int64_t Ratio = Type.getExtent(), N = Type.getWidth(), W = U.width();
  const Weight &Ape = In.weight(Op.getApe()), &Norm = In.weight(Op.getNorm());
  auto Freqs = frequencies(Op.getRope());
  int64_t Slots = Ratio * (W / N);
  while ((int64_t(Entries.Rows.size()) + 1) * Ratio <=
         int64_t(Carry.U.size())) {
    int64_t C = Entries.Rows.size(), First = (C + 1) * Ratio - Slots;
    std::vector<float> Row(N);
    for (int64_t Ch = 0; Ch < N; ++Ch) {
      // Overlapping blocks: A half of the block before, B half of this one.
      auto Column = [&](int64_t S) {
        return W == N || S < Ratio ? Ch : N + Ch;
      };
      Row[Ch] = num::roundBf16(num::poolChannel(
          C == 0 ? Slots - Ratio : 0, Slots,
          [&](int64_t S) {
            return Carry.G[First + S][Column(S)] +
                   Ape.row(S % Ratio)[Column(S)];
          },
          [&](int64_t S) { return Carry.U[First + S][Column(S)]; }));
    }
    num::rmsNorm(Row.data(), Norm.Values.data(), Row.data(), N,
                 Op.getEps().convertToFloat());
    num::rope(Row.data(), N, Freqs.data(), Freqs.size(), C * Ratio, false);
    if (Type.getKind() == graph::StateKind::IndexEntries) {
      num::hadamard(Row.data(), N);
      num::fakeQuantizeE2M1(Row.data(), N);
    } else {
      num::fakeQuantizeE4M3(Row.data(), N - Op.getRope().getDims(), 64);
    }
    Entries.Rows.push_back(std::move(Row));
  }
}

Value OpRunner::hadamard(Value X) {
  int64_t N = X.Shape.back();
  forHeads(X, [&](float *Row, int64_t) { num::hadamard(Row, N); });
  return X;
}

Value OpRunner::quantizeFp4(Value X) {
  int64_t N = X.Shape.back();
  forHeads(X, [&](float *Row, int64_t) { num::fakeQuantizeE2M1(Row, N); });
  return X;
}

Value OpRunner::scaleWeights(Value X, double Factor) {
  for (float &V : X.F)
    V = num::roundBf16(V * float(Factor));
  return X;
}

Value OpRunner::indexScore(const Value &Q, const Value &Weights,
                           mlir::Value Entries) {
  State &S = In.state(Entries);
  int64_t Ratio = stateType(Entries).getExtent();
  Value Scores = likeShape({Q.rows(), int64_t(S.Rows.size())});
  parallelFor(Q.rows(), [&](int64_t T) {
    for (int64_t C = 0; C < (position(T) + 1) / Ratio; ++C)
      Scores.row(T)[C] = num::indexScore(
          Q.row(T), Weights.row(T), S.Rows[C].data(), Q.Shape[1], Q.Shape[2]);
  });
  return Scores;
}

Value OpRunner::topK(const Value &Scores, int64_t K, int64_t Ratio) {
  Value Ids;
  Ids.Shape = {Scores.rows(), K};
  Ids.I.assign(Scores.rows() * K, -1);
  auto Mark = std::make_unique<bool[]>(Scores.width() + 1);
  for (int64_t T = 0; T < Scores.rows(); ++T) {
    int64_t Visible = (position(T) + 1) / Ratio, At = T * K;
    num::markLargest(Scores.row(T), Visible, K, Mark.get());
    for (int64_t C = 0; C < Visible; ++C)
      if (Mark[C])
        Ids.I[At++] = int32_t(C);
  }
  return Ids;
}

Value OpRunner::attend(const Value &Q, mlir::Value Sink, mlir::Value Window,
                       mlir::Value Entries, const Value *Ids, double Scale) {
  State &Kv = In.state(Window);
  State *Compressed = Entries ? &In.state(Entries) : nullptr;
  const float *Sinks = In.weight(Sink).row(0);
  int64_t H = Q.Shape[1], N = Q.Shape[2];
  Value Out = likeShape(Q.Shape);
  parallelFor(Q.rows(), [&](int64_t T) {
    std::vector<const float *> Rows;
    int64_t P = position(T);
    int64_t Oldest =
        std::max<int64_t>(P - stateType(Window).getExtent() + 1, 0);
    for (int64_t At = Oldest; At <= P; ++At)
      Rows.push_back(Kv.Rows[At].data());
    if (Compressed && !Ids)
      for (int64_t C = 0; C < (P + 1) / stateType(Entries).getExtent(); ++C)
        Rows.push_back(Compressed->Rows[C].data());
    if (Compressed && Ids)
      for (int64_t I = 0; I < Ids->width(); ++I)
        if (int32_t Id = Ids->I[T * Ids->width() + I]; Id >= 0)
          Rows.push_back(Compressed->Rows[Id].data());
    std::vector<float> Scores(Rows.size());
    for (int64_t Head = 0; Head < H; ++Head)
      num::attendHead(Q.row(T) + Head * N, Rows.data(), Rows.size(), N,
                      float(Scale), Sinks[Head], Scores.data(),
                      Out.row(T) + Head * N, In.Order);
  });
  return Out;
}

} // namespace dsv4::reference
