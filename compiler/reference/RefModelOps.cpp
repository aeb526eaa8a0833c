// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Embedding, norm, quantisation, linear layers.

#include "compiler/reference/OpRunner.h"
#include "runtime/numerics/dot.h"

namespace dsv4::reference {

/// The dot product once more for CPUs with FMA: the same bits, without a call
/// per multiply-add.
#if defined(__x86_64__) && defined(__clang__)
template <num::DotOrder Order>
__attribute__((target("fma"))) static float
dotFma(const float *X, const float *W, const float *S, int64_t N) {
  constexpr bool IsSplit = Order == num::DotOrder::Split;
  float Total = 0;
  for (int64_t Group = 0; Group < N; Group += 32) {
    float Even = 0, Odd = 0;
    for (int64_t I = Group; I < Group + 32; I += 2) {
      float &OddChain = IsSplit ? Odd : Even;
      OddChain = __builtin_fmaf(X[I + 1], W[I + 1], OddChain);
      Even = __builtin_fmaf(X[I], W[I], Even);
    }
    float Chain = IsSplit ? Even + Odd : Even;
    Total = __builtin_fmaf(Chain, S ? S[Group / 32] : 1.0f, Total);
  }
  return Total;
}

static float dotProduct(const float *X, const float *W, const float *S,
                        int64_t N, num::DotOrder Order) {
  static const bool HasFma = __builtin_cpu_supports("fma");
  if (!HasFma)
    return num::dot(X, W, S, N, Order);
  return Order == num::DotOrder::Split
             ? dotFma<num::DotOrder::Split>(X, W, S, N)
             : dotFma<num::DotOrder::Chain>(X, W, S, N);
}
#else
static float dotProduct(const float *X, const float *W, const float *S,
                        int64_t N, num::DotOrder Order) {
  return num::dot(X, W, S, N, Order);
}
#endif

Value OpRunner::embed(graph::EmbedOp Op) {
  const Weight &Table = In.weight(Op.getTable());
  Value Y = likeShape({tokens(), Table.K});
  for (int64_t T = 0; T < tokens(); ++T)
    std::copy_n(Table.row(Tokens.I[T]), Table.K, Y.row(T));
  return Y;
}

Value OpRunner::expandStreams(graph::ExpandStreamsOp Op) {
  const Value &X = get(Op.getX());
  int64_t C = llvm::cast<mlir::RankedTensorType>(Op.getResult().getType())
                  .getDimSize(1);
  Value Y = likeShape({tokens(), C, X.width()});
  for (int64_t T = 0; T < tokens(); ++T)
    for (int64_t J = 0; J < C; ++J)
      std::copy_n(X.row(T), X.width(), Y.row(T) + J * X.width());
  return Y;
}

Value OpRunner::rmsNorm(const Value &X, const Weight &W, double Eps) {
  Value Y = likeShape(X.Shape);
  for (int64_t T = 0; T < X.rows(); ++T)
    num::rmsNorm(X.row(T), W.Values.data(), Y.row(T), X.width(), float(Eps));
  return Y;
}

Value OpRunner::quantize(Value X) {
  for (int64_t T = 0; T < X.rows(); ++T)
    num::fakeQuantizeE4M3(X.row(T), X.width(), 128);
  return X;
}

Value OpRunner::linear(const Value &X, mlir::Value W, mlir::Type Type) {
  const Weight &M = In.weight(W);
  auto Tensor = llvm::cast<mlir::RankedTensorType>(Type);
  std::vector<int64_t> Shape(Tensor.getShape());
  Shape[0] = X.rows();
  Value Y = likeShape(Shape);
  bool Rounded = Tensor.getElementType().isBF16();
  parallelFor(M.N, [&](int64_t N) {
    for (int64_t T = 0; T < X.rows(); ++T) {
      float Sum = dotProduct(X.row(T), M.row(N), M.scales(N), M.K, In.Order);
      Y.row(T)[N] = Rounded ? num::roundBf16(Sum) : Sum;
    }
  });
  return Y;
}

Value OpRunner::groupedLinear(graph::GroupedLinearOp Op) {
  const Value &X = get(Op.getHeads());
  const Weight &M = In.weight(Op.getWeight());
  Value Y = likeShape({X.rows(), M.N});
  int64_t PerGroup = M.N / int64_t(Op.getGroups());
  parallelFor(M.N, [&](int64_t N) {
    for (int64_t T = 0; T < X.rows(); ++T)
      Y.row(T)[N] = num::roundBf16(dotProduct(
          X.row(T) + N / PerGroup * M.K, M.row(N), M.scales(N), M.K, In.Order));
  });
  return Y;
}

Value OpRunner::expertLinear(const Value &X, const Value &Ids, mlir::Value W) {
  auto Shape = llvm::cast<qfmt::WeightType>(W.getType()).getShape();
  int64_t K = Ids.width(), N = Shape[1];
  Value Y = likeShape({X.rows(), K, N});
  for (int64_t E = 0; E < Shape[0]; ++E) // decoded once, outside the threads
    if (llvm::is_contained(Ids.I, int32_t(E)))
      In.weight(W, E);
  parallelFor(X.rows() * K, [&](int64_t Slot) {
    const Weight &M = In.weight(W, Ids.I[Slot]);
    const float *Row =
        X.Shape.size() == 3 ? X.F.data() + Slot * M.K : X.row(Slot / K);
    for (int64_t I = 0; I < N; ++I)
      Y.F[Slot * N + I] =
          num::roundBf16(dotProduct(Row, M.row(I), M.scales(I), M.K, In.Order));
  });
  return Y;
}

} // namespace dsv4::reference
