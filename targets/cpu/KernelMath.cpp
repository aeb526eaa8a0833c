// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The elementary functions of the kernel language: what
// runtime/numerics/math.h computes for one float, step for step in the same
// order and from the same constants, for scalars and vectors.

#include "runtime/numerics/math.h"
#include "targets/cpu/KernelBuilder.h"

using namespace mlir;

namespace dsv4::cpu {

/// Horner's scheme from the highest degree down, one fma per step.
template <size_t N, class T> static Val horner(const T (&C)[N], Val X) {
  Val P = X.like(double(C[0]));
  for (size_t I = 1; I < N; ++I)
    P = fma(P, X, X.like(double(C[I])));
  return P;
}

Val KernelBuilder::exp(Val X) {
  using C = num::ExpConstants;
  auto Like = [&](float F) { return X.like(double(F)); };
  Val Y = max(min(X, Like(C::Highest)), Like(C::Lowest));
  Val T = fma(Y, Like(C::Log2E), Like(C::Magic));
  Val N = T - Like(C::Magic);
  Val R = fma(N, Like(-C::Ln2High), Y);
  R = fma(N, Like(-C::Ln2Low), R);
  Val P = horner(C::Polynomial, R);
  Val E = asFloat(asInt(P) + (asInt(T) << 23));
  return select(X < Like(C::Lowest), Like(0), E);
}

Val KernelBuilder::sigmoid(Val X) { return 1.0 / (1.0 + exp(-X)); }

Val KernelBuilder::log1p(Val Z) {
  Val S = Z / (2.0 + Z), Q = S * S;
  return (2.0 * S) * horner(num::Log1pConstants::Series, Q);
}

Val KernelBuilder::softplus(Val X) {
  Val Positive = max(X, X.like(0.0));
  return Positive + log1p(exp(-abs(X)));
}

std::pair<Val, Val> KernelBuilder::cosSin(Val Angle) {
  using C = num::SinCosConstants;
  Val A = toDouble(Angle);
  auto Like = [&](double D) { return A.like(D); };
  Val T = fma(A, Like(C::TwoOverPi), Like(C::Magic));
  Val N = T - Like(C::Magic);
  Val R = fma(N, Like(-C::HalfPiHigh), A);
  R = fma(N, Like(-C::HalfPiLow), R);
  Val Q = R * R;
  Val S = horner(C::Sin, Q) * R, Co = horner(C::Cos, Q);
  // Quadrant from the last bits of t's mantissa.
  Val Quadrant = asInt(T) & 3;
  Val IsOdd = (Quadrant & 1) != 0;
  Val Sine = select(IsOdd, Co, S), Cosine = select(IsOdd, S, Co);
  Sine = select((Quadrant & 2) != 0, -Sine, Sine);
  Cosine = select(((Quadrant + 1) & 2) != 0, -Cosine, Cosine);
  return {toSingle(Cosine), toSingle(Sine)};
}

} // namespace dsv4::cpu
