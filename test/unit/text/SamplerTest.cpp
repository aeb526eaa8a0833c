// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sampler against its definition: order of candidates, each filter, the
// drawn frequencies, the published vectors of the random numbers.

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "runtime/text/random.h"
#include "runtime/text/sampler.h"
#include "gtest/gtest.h"

using namespace dsv4::text;

namespace {

constexpr float Inf = INFINITY;

SampleResult draw(const std::vector<float> &Logits, const SamplerParams &Params,
                  uint64_t Index) {
  std::vector<float> Scratch(2 * Logits.size());
  return sample(Logits, Params, Index,
                std::as_writable_bytes(std::span(Scratch)));
}

/// Frequencies of the tokens over `Count` draws.
std::map<int32_t, double> frequencies(const std::vector<float> &Logits,
                                      const SamplerParams &Params,
                                      int Count = 20000) {
  std::map<int32_t, double> Result;
  for (int I = 0; I < Count; ++I) {
    SampleResult R = draw(Logits, Params, I);
    EXPECT_EQ(R.error, TextError::None);
    Result[R.token] += 1.0 / Count;
  }
  return Result;
}

std::vector<float> logs(std::initializer_list<double> Shares) {
  std::vector<float> Result;
  for (double P : Shares)
    Result.push_back(static_cast<float>(std::log(P)));
  return Result;
}

std::set<int32_t> support(const std::map<int32_t, double> &Frequencies) {
  std::set<int32_t> Result;
  for (auto [Token, Share] : Frequencies)
    Result.insert(Token);
  return Result;
}

} // namespace

TEST(Random, PublishedVectors) { // Random123, kat_vectors, philox4x32 10
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  uint32_t F = 0xffffffff;
  EXPECT_EQ(philox({F, F, F, F}, {F, F}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                   {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, UniformRange) {
  double Sum = 0;
  for (uint64_t I = 0; I < 10000; ++I) {
    double U = uniform(42, I);
    ASSERT_GE(U, 0);
    ASSERT_LT(U, 1);
    Sum += U;
  }
  EXPECT_NEAR(Sum / 10000, 0.5, 0.01);
  EXPECT_NE(uniform(1, 0), uniform(2, 0));
  EXPECT_NE(uniform(1, 0), uniform(uint64_t{1} << 32 | 1, 0));
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  EXPECT_EQ(sampleGreedy(std::vector<float>{1, 3, 2, 3}).token, 1);
  EXPECT_EQ(sampleGreedy(std::vector<float>{NAN, -Inf, -5, NAN}).token, 2);
  EXPECT_EQ(sampleGreedy(std::vector<float>{0, Inf}).token, 1);
  EXPECT_EQ(sampleGreedy(std::vector<float>{NAN, -Inf}).error,
            TextError::BadLogits);
  EXPECT_EQ(sampleGreedy({}).error, TextError::BadLogits);
  SamplerParams Params;
  Params.temperature = 0;
  EXPECT_EQ(draw({1, 3, 2, 3}, Params, 9).token, 1);
}

TEST(Sampler, FrequenciesFollowSoftmax) {
  auto Logits = logs({0.1, 0.4, 0.2, 0.3});
  auto F = frequencies(Logits, {});
  EXPECT_NEAR(F[0], 0.1, 0.01);
  EXPECT_NEAR(F[1], 0.4, 0.012);
  EXPECT_NEAR(F[2], 0.2, 0.012);
  EXPECT_NEAR(F[3], 0.3, 0.012);
  SamplerParams Hot;
  Hot.temperature = 0.5f; // squares the shares: 1 : 16 : 4 : 9
  F = frequencies(Logits, Hot);
  EXPECT_NEAR(F[1], 16.0 / 30, 0.012);
  EXPECT_NEAR(F[3], 9.0 / 30, 0.012);
}

TEST(Sampler, TopKKeepsTheFirstK) {
  SamplerParams Params;
  Params.topK = 2;
  auto F = frequencies(logs({0.1, 0.4, 0.2, 0.3}), Params);
  EXPECT_EQ(support(F), (std::set<int32_t>{1, 3}));
  EXPECT_NEAR(F[1], 4.0 / 7, 0.012);
  // Equal logits: the lower ids stay.
  EXPECT_EQ(support(frequencies({0, 0, 0, 0}, Params, 500)),
            (std::set<int32_t>{0, 1}));
}

TEST(Sampler, TopPKeepsTheShortestBeginning) {
  SamplerParams Params;
  auto Logits = logs({0.1, 0.4, 0.2, 0.3});
  for (auto [P, Kept] :
       std::map<float, std::set<int32_t>>{{0.35f, {1}},
                                          {0.45f, {1, 3}},
                                          {0.65f, {1, 3}},
                                          {0.75f, {1, 2, 3}},
                                          {0.95f, {0, 1, 2, 3}}}) {
    Params.topP = P;
    EXPECT_EQ(support(frequencies(Logits, Params, 2000)), Kept) << P;
  }
  // The share counts within what top-k keeps: 0.4 of 0.7.
  Params.topP = 0.55f;
  Params.topK = 2;
  EXPECT_EQ(support(frequencies(Logits, Params, 2000)), (std::set<int32_t>{1}));
}

TEST(Sampler, MinPIsRelativeToTheLargest) {
  SamplerParams Params;
  Params.minP = 0.6f; // of 0.4: 0.24
  auto F = frequencies(logs({0.1, 0.4, 0.2, 0.3}), Params);
  EXPECT_EQ(support(F), (std::set<int32_t>{1, 3}));
  EXPECT_NEAR(F[1], 4.0 / 7, 0.012);
}

TEST(Sampler, ExcludedTokensAreNeverDrawn) {
  SamplerParams Params;
  std::vector<float> Logits = {-Inf, 1, NAN, 1, -1000};
  EXPECT_EQ(support(frequencies(Logits, Params, 2000)),
            (std::set<int32_t>{1, 3}));
  Params.topP = 0.9999f;
  Params.topK = 5;
  EXPECT_EQ(support(frequencies(Logits, Params, 2000)),
            (std::set<int32_t>{1, 3}));
  EXPECT_EQ(draw({1, Inf, 2}, Params, 0).token, 1);
}

TEST(Sampler, DependsOnSeedAndIndexAlone) {
  std::vector<float> Logits(1000);
  for (size_t I = 0; I < Logits.size(); ++I)
    Logits[I] = static_cast<float>(I % 17) * 0.25f;
  SamplerParams Params;
  Params.seed = 1234;
  std::vector<int32_t> First, Second, Other;
  for (uint64_t I = 0; I < 50; ++I)
    First.push_back(draw(Logits, Params, I).token);
  for (uint64_t I = 50; I-- > 0;)
    Second.insert(Second.begin(), draw(Logits, Params, I).token);
  Params.seed = 1235;
  for (uint64_t I = 0; I < 50; ++I)
    Other.push_back(draw(Logits, Params, I).token);
  EXPECT_EQ(First, Second);
  EXPECT_NE(First, Other);
}

TEST(Sampler, RefusesBadParameters) {
  auto Check = [](auto Change) {
    SamplerParams Params;
    Change(Params);
    return checkParams(Params);
  };
  EXPECT_EQ(checkParams({}), TextError::None);
  for (float Bad : {-1.0f, NAN, Inf}) {
    EXPECT_EQ(Check([&](auto &P) { P.temperature = Bad; }),
              TextError::BadParameter);
    EXPECT_EQ(Check([&](auto &P) { P.topP = Bad; }), TextError::BadParameter);
    EXPECT_EQ(Check([&](auto &P) { P.minP = Bad; }), TextError::BadParameter);
  }
  EXPECT_EQ(Check([](auto &P) { P.topP = 0; }), TextError::BadParameter);
  EXPECT_EQ(Check([](auto &P) { P.topK = -1; }), TextError::BadParameter);
  std::vector<std::byte> Scratch(15);
  EXPECT_EQ(sample(std::vector<float>{1, 2}, {}, 0, Scratch).error,
            TextError::ScratchTooSmall);
}
