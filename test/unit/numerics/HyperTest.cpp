// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connections (R6, R11): Sinkhorn normalisation, weighted streams, and
// the direction of the mix.

#include "runtime/numerics/hyper.h"
#include "test/unit/numerics/NumericsTestSupport.h"

using namespace dsv4;
using namespace dsv4::num::test;

namespace {

using Doubles = std::vector<long double>;

/// The text of model.md 3.1 in long double.
Doubles sinkhornExact(const Floats &Logits, int C, int Iterations,
                      long double Eps) {
  Doubles M(C * C);
  auto Normalise = [&](int Step, int Other, long double Add) {
    for (int R = 0; R < C; ++R) {
      long double Sum = Add;
      for (int Q = 0; Q < C; ++Q)
        Sum += M[R * Step + Q * Other];
      for (int Q = 0; Q < C; ++Q)
        M[R * Step + Q * Other] /= Sum;
    }
  };
  for (int I = 0; I < C * C; ++I)
    M[I] = std::exp((long double)Logits[I]);
  Normalise(C, 1, 0);
  for (long double &V : M)
    V += Eps;
  Normalise(1, C, Eps);
  for (int I = 1; I < Iterations; ++I) {
    Normalise(C, 1, Eps);
    Normalise(1, C, Eps);
  }
  return M;
}

TEST(Sinkhorn, NearTheExactMatrix) {
  for (int C : {2, 4})
    for (int Iterations : {1, 2, 20}) {
      Floats M = randomBf16(C * C, 11, 2);
      Doubles Want = sinkhornExact(M, C, Iterations, 1e-2L);
      num::sinkhorn(M.data(), C, Iterations, 1e-2f);
      for (int I = 0; I < C * C; ++I)
        EXPECT_NEAR(M[I], double(Want[I]), 1e-5) << C << " " << Iterations;
    }
}

TEST(Sinkhorn, ColumnsComeLast) {
  Floats M = {3, 0, 1, 2};
  num::sinkhorn(M.data(), 2, 1, 0);
  // Row softmax, then columns: with eps 0 the columns sum to one, rows do not.
  EXPECT_NEAR(M[0] + M[2], 1, 1e-6);
  EXPECT_GT(std::fabs(M[0] + M[1] - 1), 0.05);
}

TEST(WeightedStreams, FusedInOrderOfStreams) {
  Floats X = {0x1p+24f, 1, -0x1p+24f}, Pre = {1, 1, 1};
  float Y;
  num::weightedStreams(X.data(), Pre.data(), &Y, 3, 1);
  EXPECT_EQ(Y, 0.0f); // the 1 is lost in the first
  X = {0x1p+24f, -0x1p+24f, 1 + 0x1p-7f};
  Pre[2] = 1 + 0x1p-7f; // (1 + 2^-7)^2 rounds to 1 + 2^-6 in BF16
  num::weightedStreams(X.data(), Pre.data(), &Y, 3, 1);
  EXPECT_EQ(Y, 1 + 0x1p-6f);
}

TEST(WeightedStreams, ProductsAreNotRounded) {
  Floats X = {-1, 1 + 0x1p-7f}, Pre = {1 + 0x1p-7f + 0x1p-20f, 1 + 0x1p-20f};
  float Y;
  num::weightedStreams(X.data(), Pre.data(), &Y, 2, 1);
  EXPECT_EQ(Y, 0x1p-27f);
}

TEST(CloseSublayer, FirstIndexOfTheMixIsTheSource) {
  // Two streams of two values; only comb[0][1] is set.
  Floats Out = {10, 20}, X = {1, 2, 3, 4}, Post = {0.5f, 2};
  Floats Comb = {0, 1, 0, 0}, To(4);
  num::closeSublayer(Out.data(), X.data(), Post.data(), Comb.data(), To.data(),
                     2, 2);
  EXPECT_EQ(To, (Floats{5, 10, 20 + 1, 40 + 2})); // stream 0 goes to stream 1
}

TEST(CloseSublayer, OutComesFirstAndRounded) {
  // post * out + Big loses the 1, Big - Big + post * out would not.
  Floats Out = {1}, X = {0x1p+24f, -0x1p+24f}, Post = {1, 0};
  Floats Comb = {1, 0, 1, 0}, To(2);
  num::closeSublayer(Out.data(), X.data(), Post.data(), Comb.data(), To.data(),
                     2, 1);
  EXPECT_EQ(To[0], 0.0f);
  // The product alone is rounded: (1 + 2^-12)^2 - (1 + 2^-11) is lost.
  Out = {1 + 0x1p-12f};
  Post = {1 + 0x1p-12f, 0};
  X = {-(1 + 0x1p-11f), 0};
  num::closeSublayer(Out.data(), X.data(), Post.data(), Comb.data(), To.data(),
                     2, 1);
  EXPECT_EQ(To[0], 0.0f);
}

} // namespace
