// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention with a sink (R4), pooling of the compressor (R5), indexer scores
// and the choice of entries (R8).

#include "runtime/numerics/attention.h"
#include "test/unit/numerics/NumericsTestSupport.h"

#include <memory>

using namespace dsv4;
using namespace dsv4::num::test;

namespace {

struct Rows {
  std::vector<Floats> Data;
  std::vector<const float *> Pointers;

  void add(Floats Row) {
    Data.push_back(std::move(Row));
    Pointers.clear();
    for (const Floats &R : Data)
      Pointers.push_back(R.data());
  }
};

Floats attend(const Floats &Q, const Rows &R, float Scale, float Sink) {
  Floats Scores(R.Data.size()), Out(Q.size());
  num::attendHead(Q.data(), R.Pointers.data(), R.Data.size(), Q.size(), Scale,
                  Sink, Scores.data(), Out.data());
  return Out;
}

TEST(Attend, NearTheExactSoftmax) {
  Rows R;
  for (unsigned I = 0; I < 75; ++I)
    R.add(randomBf16(64, 20 + I));
  Floats Q = randomBf16(64, 12);
  Floats Got = attend(Q, R, 0.125f, 0.5f);
  std::vector<double> Want(64);
  double Total = std::exp(0.5);
  for (const Floats &Row : R.Data) {
    double Score = 0;
    for (int I = 0; I < 64; ++I)
      Score += double(Q[I]) * Row[I];
    double P = std::exp(Score * 0.125);
    Total += P;
    for (int I = 0; I < 64; ++I)
      Want[I] += P * Row[I];
  }
  double Error = 0, Power = 0;
  for (int I = 0; I < 64; ++I) {
    EXPECT_EQ(Got[I], num::roundBf16(Got[I]));
    Error += std::pow(Got[I] - Want[I] / Total, 2);
    Power += std::pow(Want[I] / Total, 2);
  }
  EXPECT_LT(Error / Power, 2e-5); // BF16 probabilities and result
}

TEST(Attend, SinkTakesItsShareAndNothingElse) {
  Rows R;
  R.add(Floats(32, 3.0f));
  Floats Zero(32);
  EXPECT_EQ(attend(Zero, R, 1, -1e30f)[0], 3.0f);
  // Score 0 and sink 0 share evenly; the sink is not scaled.
  EXPECT_EQ(attend(Zero, R, 1, 0)[0], 1.5f);
  EXPECT_EQ(attend(Zero, R, 100, 0)[0], 1.5f);
  // A large sink does not enter the maximum: exp(88 - 0) stays finite.
  EXPECT_GE(attend(Zero, R, 1, 85)[0], 0.0f);
  EXPECT_LT(attend(Zero, R, 1, 85)[0], 1e-30f);
}

TEST(Attend, ValuesInPairsTheOddRowFirst) {
  Floats Zero(32);
  Rows R;
  for (float V : {1.0f, 0.0f, -1.0f, 0x1p-30f})
    R.add(Floats(32, V));
  // 1 + 2^-30 is 1; one after the other the rows would leave 2^-30.
  EXPECT_EQ(attend(Zero, R, 1, -1e30f)[0], 0.0f);
  Rows Turned;
  for (float V : {1.0f, 0.0f, 0x1p-30f, -1.0f})
    Turned.add(Floats(32, V));
  EXPECT_EQ(attend(Zero, Turned, 1, -1e30f)[0], 0x1p-32f);
  Turned.add(Floats(32, 3.0f)); // its odd row is missing
  EXPECT_EQ(attend(Zero, Turned, 1, -1e30f)[0], num::roundBf16(0.6f));
}

TEST(Attend, NumeratorIsBf16DenominatorIsNot) {
  bool NumeratorMatters = false, DenominatorMatters = false;
  for (int I = 1; I < 400; ++I) {
    // Two rows with scores 0 and s.
    Floats Q(32), V(32);
    Q[0] = 1;
    Rows R;
    R.add(V);
    V[0] = num::roundBf16(float(I) * -0.0123f), V[1] = 1;
    R.add(V);
    float P = num::exp(V[0]), B = num::roundBf16(P);
    float Got = attend(Q, R, 1, -1e30f)[1];
    ASSERT_EQ(Got, num::roundBf16(B / (1.0f + P)));
    NumeratorMatters |= Got != num::roundBf16(P / (1.0f + P));
    DenominatorMatters |= Got != num::roundBf16(B / (1.0f + B));
  }
  EXPECT_TRUE(NumeratorMatters && DenominatorMatters);
}

TEST(Attend, DenominatorInGroupsOf32Rows) {
  // Probabilities: 1, then many below 2^-24, which one by one would be lost in
  // the total; in chains of 32 they are not.
  Floats First(32), Other(32), Q(32);
  Q[0] = 1, First[1] = 1, Other[0] = -16.75f;
  float P = num::exp(Other[0]);
  ASSERT_EQ(1.0f + P, 1.0f);
  int64_t Count = 1 << 16;
  std::vector<const float *> Rows(Count, Other.data());
  Rows[0] = First.data();
  Floats Scores(Count), Out(32);
  num::attendHead(Q.data(), Rows.data(), Count, 32, 1, -1e30f, Scores.data(),
                  Out.data());
  EXPECT_EQ(Out[1], num::roundBf16(1 / (1 + float(Count) * P)));
  EXPECT_LT(Out[1], 1.0f);
}

float pool(int64_t From, const Floats &G, const Floats &U) {
  return num::poolChannel(
      From, G.size(), [&](int64_t S) { return G[S]; },
      [&](int64_t S) { return U[S]; });
}

TEST(Pool, EqualGatesGiveTheMean) {
  EXPECT_EQ(pool(0, Floats(4, 7.5f), {1, 2, 3, 6}), 3.0f);
  // Slots before `from` do not exist, not even for the maximum.
  EXPECT_EQ(pool(2, {1e30f, 1e30f, 0, 0}, {9, 9, 3, 6}), 4.5f);
}

TEST(Pool, NearTheExactSoftmax) {
  Floats G = randomBf16(128, 13, 2), U = randomBf16(128, 14);
  double Total = 0, Sum = 0;
  for (int I = 0; I < 128; ++I)
    Total += std::exp(double(G[I])), Sum += U[I] * std::exp(double(G[I]));
  EXPECT_NEAR(pool(0, G, U), Sum / Total, 1e-5);
}

/// R8 of heads of 32 with all roundings but `Without` (0 to 2; 3 leaves all).
float indexScoreWithout(const Floats &Q, const Floats &W, const Floats &Key,
                        int Without) {
  auto Bf = [&](int Step, float V) {
    return Step == Without ? V : num::roundBf16(V);
  };
  float Sum = 0;
  for (size_t H = 0; H < W.size(); ++H) {
    float D = Bf(0, num::dot(&Q[H * 32], Key.data(), nullptr, 32));
    Sum += Bf(1, std::max(D, 0.0f) * W[H]);
  }
  return Bf(2, Sum);
}

TEST(IndexScore, EveryStepIsBf16) {
  bool Matters[3] = {};
  for (unsigned Seed = 0; Seed < 100; ++Seed) {
    Floats Q = randomBf16(256, 300 + Seed), Key = randomBf16(32, 400 + Seed);
    Floats W = randomBf16(8, 500 + Seed);
    float Got = num::indexScore(Q.data(), W.data(), Key.data(), 8, 32);
    ASSERT_EQ(Got, indexScoreWithout(Q, W, Key, 3));
    for (int Step = 0; Step < 3; ++Step)
      Matters[Step] |= Got != indexScoreWithout(Q, W, Key, Step);
  }
  for (int Step = 0; Step < 3; ++Step)
    EXPECT_TRUE(Matters[Step]) << "rounding " << Step;
}

TEST(IndexScore, ReluComesBeforeTheHeadWeight) {
  Floats Q(64), Key(32), W = {-2, 5};
  Key[0] = 1, Q[0] = 3, Q[32] = -3;
  EXPECT_EQ(num::indexScore(Q.data(), W.data(), Key.data(), 2, 32), -6.0f);
}

TEST(IndexScore, HeadsComeAscending) {
  Floats Q(96), Key(32), W = {0x1p+24f, 1, -0x1p+24f};
  Key[0] = Q[0] = Q[32] = Q[64] = 1;
  EXPECT_EQ(num::indexScore(Q.data(), W.data(), Key.data(), 3, 32), 0.0f);
}

std::vector<int> largest(const Floats &Scores, int64_t K) {
  auto Mark = std::make_unique<bool[]>(Scores.size());
  num::markLargest(Scores.data(), Scores.size(), K, Mark.get());
  std::vector<int> Ids;
  for (size_t I = 0; I < Scores.size(); ++I)
    if (Mark[I])
      Ids.push_back(int(I));
  return Ids;
}

TEST(MarkLargest, LowerIndexFirstAmongEquals) {
  EXPECT_EQ(largest({1, 5, 5, 5, 2}, 2), (std::vector<int>{1, 2}));
  EXPECT_EQ(largest({-1, -3, -2}, 2), (std::vector<int>{0, 2}));
  EXPECT_EQ(largest({0.0f, -0.0f, 1}, 2), (std::vector<int>{0, 2}));
  EXPECT_EQ(largest({4, 4}, 5), (std::vector<int>{0, 1})); // fewer than k
  EXPECT_EQ(largest({}, 3), (std::vector<int>{}));
}

} // namespace
