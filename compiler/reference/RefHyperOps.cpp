// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connections (model.md 3.1).

#include "compiler/reference/OpRunner.h"
#include "runtime/numerics/hyper.h"

namespace dsv4::reference {

/// m = (fn . x) / sqrt(mean(x^2) + eps) of every row of fn.
Value OpRunner::mixRows(const Value &X, mlir::Value Fn, double Eps) {
  const Weight &M = In.weight(Fn);
  int64_t C = X.Shape[1], D = X.Shape[2];
  Value Y = likeShape({X.rows(), M.N});
  parallelFor(X.rows(), [&](int64_t T) {
    float Mean = num::mixSquares(X.row(T), C, D) / float(C * D);
    float R = 1.0f / num::sqrt(Mean + float(Eps));
    for (int64_t I = 0; I < M.N; ++I)
      Y.row(T)[I] = num::mixDot(X.row(T), M.row(I), C, D) * R;
  });
  return Y;
}

OpRunner::Mix OpRunner::mix(const Value &X, mlir::Value Fn, mlir::Value Scale,
                            mlir::Value Base, int64_t Iterations, double HcEps,
                            double NormEps) {
  Value M = mixRows(X, Fn, NormEps);
  const float *S = In.weight(Scale).row(0), *B = In.weight(Base).row(0);
  int64_t C = X.Shape[1];
  Mix Out{likeShape({X.rows(), C}), likeShape({X.rows(), C}),
          likeShape({X.rows(), C, C})};
  for (int64_t T = 0; T < X.rows(); ++T) {
    const float *Row = M.row(T);
    for (int64_t J = 0; J < C; ++J) {
      Out.Pre.row(T)[J] = num::sigmoid(Row[J] * S[0] + B[J]) + float(HcEps);
      Out.Post.row(T)[J] = num::sigmoid(Row[C + J] * S[1] + B[C + J]) * 2.0f;
    }
    for (int64_t I = 0; I < C * C; ++I)
      Out.Comb.row(T)[I] = Row[2 * C + I] * S[2] + B[2 * C + I];
    num::sinkhorn(Out.Comb.row(T), C, Iterations, float(HcEps));
  }
  return Out;
}

Value OpRunner::headMix(const Value &X, mlir::Value Fn, mlir::Value Scale,
                        mlir::Value Base, double HcEps, double NormEps) {
  Value M = mixRows(X, Fn, NormEps);
  const float *S = In.weight(Scale).row(0), *B = In.weight(Base).row(0);
  for (int64_t T = 0; T < X.rows(); ++T)
    for (int64_t J = 0; J < M.width(); ++J)
      M.row(T)[J] = num::sigmoid(M.row(T)[J] * S[0] + B[J]) + float(HcEps);
  return M;
}

Value OpRunner::reduce(const Value &X, const Value &Pre) {
  Value Y = likeShape({X.rows(), X.Shape[2]});
  for (int64_t T = 0; T < X.rows(); ++T)
    num::weightedStreams(X.row(T), Pre.row(T), Y.row(T), X.Shape[1],
                         X.Shape[2]);
  return Y;
}

Value OpRunner::close(const Value &Out, const Value &X, const Value &Post,
                      const Value &Comb) {
  Value Y = likeShape(X.Shape);
  for (int64_t T = 0; T < X.rows(); ++T)
    num::closeSublayer(Out.row(T), X.row(T), Post.row(T), Comb.row(T), Y.row(T),
                       X.Shape[1], X.Shape[2]);
  return Y;
}

} // namespace dsv4::reference
