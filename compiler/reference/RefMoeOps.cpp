// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing and experts (model.md 3.8).

#include "compiler/reference/OpRunner.h"
#include "runtime/numerics/moe.h"

namespace dsv4::reference {

Value OpRunner::routerScores(Value X) {
  for (float &V : X.F)
    V = num::routerScore(V);
  return X;
}

OpRunner::Route OpRunner::route(const Value &Scores, mlir::Value Table,
                                int64_t K, double Scale) {
  const Weight &W = In.weight(Table);
  bool Hashed = llvm::cast<qfmt::WeightType>(Table.getType()).getFormat() ==
                qfmt::Format::I64;
  Route R;
  R.Ids.Shape = {Scores.rows(), K};
  R.Ids.I.resize(Scores.rows() * K);
  R.Weights = likeShape({Scores.rows(), K});
  for (int64_t T = 0; T < Scores.rows(); ++T) {
    int32_t *Ids = R.Ids.I.data() + T * K;
    if (Hashed)
      for (int64_t I = 0; I < K; ++I)
        Ids[I] = int32_t(W.row(Tokens.I[T])[I]);
    else
      num::selectExperts(Scores.row(T), W.row(0), Scores.width(), K, Ids);
    num::weighExperts(Scores.row(T), Ids, K, float(Scale), R.Weights.row(T));
  }
  return R;
}

Value OpRunner::swiglu(const Value &Gate, const Value &Up, const Value *Weights,
                       double Limit) {
  Value Y = likeShape(Gate.Shape);
  int64_t N = Gate.Shape.back();
  for (size_t I = 0; I < Y.F.size(); ++I)
    Y.F[I] = num::swiglu(Gate.F[I], Up.F[I], Weights ? Weights->F[I / N] : 1.0f,
                         float(Limit));
  return Y;
}

Value OpRunner::expertSum(const Value &Y, const Value &Ids) {
  int64_t K = Ids.width(), D = Y.Shape[2];
  Value Sum = likeShape({Y.rows(), D});
  for (int64_t T = 0; T < Y.rows(); ++T) {
    std::vector<int64_t> Order(K);
    for (int64_t I = 0; I < K; ++I)
      Order[I] = I;
    std::stable_sort(Order.begin(), Order.end(), [&](int64_t A, int64_t B) {
      return Ids.I[T * K + A] < Ids.I[T * K + B];
    });
    for (int64_t Slot : Order)
      for (int64_t I = 0; I < D; ++I)
        Sum.row(T)[I] += Y.F[(T * K + Slot) * D + I];
  }
  return Sum;
}

Value OpRunner::addShared(const Value &Routed, const Value &Shared) {
  Value Y = likeShape(Routed.Shape);
  for (size_t I = 0; I < Y.F.size(); ++I)
    Y.F[I] = num::roundBf16(Routed.F[I] + Shared.F[I]);
  return Y;
}

Value OpRunner::moe(graph::MoeOp Op) {
  const Value &X = get(Op.getX());
  mlir::Builder B(Op.getContext());
  auto Tensor = [&](int64_t N, mlir::Type Element) {
    return mlir::RankedTensorType::get({mlir::ShapedType::kDynamic, N},
                                       Element);
  };
  auto Rows = [](mlir::Value W) {
    auto Shape = llvm::cast<qfmt::WeightType>(W.getType()).getShape();
    return Shape[Shape.size() - 2];
  };
  double Limit = Op.getLimit().convertToDouble();
  Value Logits =
      linear(X, Op.getGate(), Tensor(Rows(Op.getGate()), B.getF32Type()));
  Route R = route(routerScores(Logits), Op.getRoute(), Op.getK(),
                  Op.getScale().convertToDouble());
  Value Q = quantize(X);
  Value H = swiglu(expertLinear(Q, R.Ids, Op.getW1()),
                   expertLinear(Q, R.Ids, Op.getW3()), &R.Weights, Limit);
  Value Routed = expertSum(expertLinear(quantize(H), R.Ids, Op.getW2()), R.Ids);
  auto Shared = [&](const Value &Input, mlir::Value W) {
    return linear(Input, W, Tensor(Rows(W), B.getBF16Type()));
  };
  Value S = swiglu(Shared(Q, Op.getSharedW1()), Shared(Q, Op.getSharedW3()),
                   nullptr, Limit);
  return addShared(Routed, Shared(quantize(S), Op.getSharedW2()));
}

} // namespace dsv4::reference
