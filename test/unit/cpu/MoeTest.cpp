// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing, expert lists, SwiGLU, the sum of experts, norms and embedding
// against scalar loops, bit for bit.

#include "test/unit/cpu/PhaseHarness.h"
#include "test/unit/cpu/ScalarOps.h"

#include <cstring>

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

class MoeTest : public LevelTest {};
DSV4_ALL_LEVELS(MoeTest);

constexpr int64_t E = 8, K = 2;

float score(float X) { return std::sqrt(X > 20 ? X : num::softplus(X)); }

/// Ids in selection order -> slots in ascending id, with weights (R9).
void checkRoute(const float *Logits, std::vector<int32_t> Selected,
                const int32_t *Ids, const float *Weights) {
  float Sum = 0;
  for (int32_t Id : Selected)
    Sum += score(Logits[Id]);
  std::stable_sort(Selected.begin(), Selected.end());
  for (int64_t S = 0; S < K; ++S) {
    ASSERT_EQ(Ids[S], Selected[S]);
    ASSERT_EQ(Weights[S], score(Logits[Selected[S]]) / Sum * 1.5f);
  }
}

TEST_P(MoeTest, RouteByBias) {
  PhaseKernel Kernel(GetParam(), R"(
  %lg = kern.buffer "lg" : <token, 8, f32>
  %bias = kern.weight "bias" : !qfmt.weight<8, f32>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  kern.route "r" logits(%lg : !kern.buffer<token, 8, f32>) bias(%bias : !qfmt.weight<8, f32>)
    ids(%ids : !kern.buffer<token, 2, i32>) weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32})");
  constexpr int64_t Tokens = 20;
  Buffer Logits = randomF32(Tokens * E, 25), Bias = randomF32(E, 2);
  for (int64_t I = 0; I < E; ++I)
    Logits.as<float>()[I] = 1; // a tie, but for the bias
  Bias.as<float>()[2] = Bias.as<float>()[6] = 3;
  Buffer Ids(Tokens * K * 4), Weights(Tokens * K * 4);
  StepRows Rows(Tokens);
  Kernel.run(Rows, {Logits.data(), Bias.data(), Ids.data(), Weights.data()},
             Tokens);
  FlushDenormals Flush;
  for (int64_t T = 0; T < Tokens; ++T) {
    const float *L = Logits.as<float>() + T * E;
    std::vector<int32_t> Order(E);
    for (int32_t I = 0; I < E; ++I)
      Order[I] = I;
    std::stable_sort(Order.begin(), Order.end(), [&](int32_t A, int32_t B) {
      return score(L[A]) + Bias.as<float>()[A] >
             score(L[B]) + Bias.as<float>()[B];
    });
    Order.resize(K);
    checkRoute(L, Order, Ids.as<int32_t>() + T * K,
               Weights.as<float>() + T * K);
  }
  EXPECT_EQ(Ids.as<int32_t>()[0], 2);
  EXPECT_EQ(Ids.as<int32_t>()[1], 6);
}

TEST_P(MoeTest, RouteByTable) {
  PhaseKernel Kernel(GetParam(), R"(
  %lg = kern.buffer "lg" : <token, 8, f32>
  %tab = kern.weight "tab" : !qfmt.weight<16x2, i64>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  kern.route "r" logits(%lg : !kern.buffer<token, 8, f32>) table(%tab : !qfmt.weight<16x2, i64>)
    ids(%ids : !kern.buffer<token, 2, i32>) weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32})");
  constexpr int64_t Tokens = 9;
  Buffer Logits = randomF32(Tokens * E, 25), Table(16 * K * 4);
  for (int64_t I = 0; I < 16 * K; ++I)
    Table.as<int32_t>()[I] = int32_t(Random() % E);
  Buffer Ids(Tokens * K * 4), Weights(Tokens * K * 4);
  StepRows Rows(Tokens);
  for (int32_t &Token : Rows.token)
    Token = int32_t(Random() % 16);
  Kernel.run(Rows, {Logits.data(), Table.data(), Ids.data(), Weights.data()},
             Tokens);
  FlushDenormals Flush;
  for (int64_t T = 0; T < Tokens; ++T) {
    const int32_t *Row = Table.as<int32_t>() + Rows.token[T] * K;
    checkRoute(Logits.as<float>() + T * E, {Row[0], Row[1]},
               Ids.as<int32_t>() + T * K, Weights.as<float>() + T * K);
  }
}

TEST_P(MoeTest, Dispatch) {
  PhaseKernel Kernel(GetParam(), R"(
  %ids = kern.buffer "ids" : <token, 2, i32>
  %lists = kern.buffer "lists" : <program, 274, i32>
  kern.dispatch "d" ids(%ids : !kern.buffer<token, 2, i32>) lists(%lists : !kern.buffer<program, 274, i32>) {experts = 8 : i64})");
  constexpr int64_t Tokens = 13;
  Buffer Ids(Tokens * K * 4), Lists(274 * 4);
  for (int64_t I = 0; I < Tokens * K; ++I)
    Ids.as<int32_t>()[I] = int32_t(Random() % 5) + 2; // 0, 1, 7 unused
  StepRows Rows(Tokens);
  Kernel.run(Rows, {Ids.data(), Lists.data()}, 1);
  std::vector<std::vector<int32_t>> Of(E);
  for (int32_t I = 0; I < Tokens * K; ++I)
    Of[Ids.as<int32_t>()[I]].push_back(I);
  const int32_t *L = Lists.as<int32_t>();
  int32_t Active = 0, Row = 0;
  for (int32_t Expert = 0; Expert < E; ++Expert) {
    if (Of[Expert].empty())
      continue;
    ASSERT_EQ(L[1 + Active], Expert);
    ASSERT_EQ(L[1 + E + Active], Row);
    for (int32_t Slot : Of[Expert])
      ASSERT_EQ(L[2 + 2 * E + Row++], Slot);
    ++Active;
  }
  EXPECT_EQ(L[0], Active);
  EXPECT_EQ(L[1 + E + Active], Row);
}

TEST_P(MoeTest, SwigluOfSlots) {
  PhaseKernel Kernel(GetParam(), R"(
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %h = kern.buffer "h" : <slot, 128, bf16>
  kern.swiglu "s" gate(%g : !kern.buffer<slot, 128, bf16>) up(%u : !kern.buffer<slot, 128, bf16>)
    weights(%wt : !kern.buffer<token, 2, f32>) h(%h : !kern.buffer<slot, 128, bf16>) {limit = 1.0e1 : f32})");
  constexpr int64_t Slots = 6, I = 128;
  Buffer G = randomBf16(Slots * I, 6), U = randomBf16(Slots * I, 6);
  Buffer W = randomF32(Slots), H(Slots * I * 2);
  StepRows Rows(Slots / K);
  Kernel.run(Rows, {G.data(), U.data(), W.data(), H.data()}, Slots);
  FlushDenormals Flush;
  for (int64_t S = 0; S < Slots; ++S) {
    Floats Gate = floatsOf(G.as<uint16_t>() + S * I, I);
    Floats Up = floatsOf(U.as<uint16_t>() + S * I, I), Want(I);
    for (int64_t J = 0; J < I; ++J) {
      float A = std::min(Gate[J], 10.0f), B = std::clamp(Up[J], -10.0f, 10.0f);
      Want[J] = bf(W.as<float>()[S] * ((A * num::sigmoid(A)) * B));
    }
    quantizeE4M3(Want.data(), I, 128);
    ASSERT_EQ(floatsOf(H.as<uint16_t>() + S * I, I), Want);
  }
}

TEST_P(MoeTest, CombineInSlotOrder) {
  PhaseKernel Kernel(GetParam(), R"(
  %y = kern.buffer "y" : <slot, 256, bf16>
  %s = kern.buffer "s" : <token, 256, bf16>
  %o = kern.buffer "o" : <token, 256, bf16>
  kern.combine "c" y(%y : !kern.buffer<slot, 256, bf16>) shared(%s : !kern.buffer<token, 256, bf16>)
    out(%o : !kern.buffer<token, 256, bf16>))");
  constexpr int64_t Tokens = 3, D = 256;
  Buffer Y = randomBf16(Tokens * K * D), S = randomBf16(Tokens * D);
  Buffer O(Tokens * D * 2);
  StepRows Rows(Tokens);
  Kernel.run(Rows, {Y.data(), S.data(), O.data()}, Tokens * 2);
  Floats Ys = floatsOf(Y.as<uint16_t>(), Tokens * K * D);
  Floats Ss = floatsOf(S.as<uint16_t>(), Tokens * D);
  for (int64_t T = 0; T < Tokens; ++T)
    for (int64_t I = 0; I < D; ++I) {
      float Sum = (Ys[T * K * D + I] + Ys[(T * K + 1) * D + I]) + Ss[T * D + I];
      ASSERT_EQ(O.as<uint16_t>()[T * D + I], num::floatToBf16(Sum));
    }
}

TEST_P(MoeTest, NormQuantBothAndQuantisedOnly) {
  for (bool Both : {true, false}) {
    std::string Y = Both ? " y(%y : !kern.buffer<token, 256, bf16>)" : "";
    PhaseKernel Kernel(GetParam(), R"(
  %r = kern.buffer "r" : <token, 256, bf16>
  %w = kern.weight "w" : !qfmt.weight<256, bf16>
  %y = kern.buffer "y" : <token, 256, bf16>
  %q = kern.buffer "q" : <token, 256, bf16>
  kern.norm_quant "n" raw(%r : !kern.buffer<token, 256, bf16>) weight(%w : !qfmt.weight<256, bf16>))" +
                                       Y + R"(
    yq(%q : !kern.buffer<token, 256, bf16>) {eps = 1.0e-6 : f32})");
    constexpr int64_t Tokens = 3, N = 256;
    Buffer R = randomBf16(Tokens * N), W = randomBf16(N, 1);
    Buffer Normed(Tokens * N * 2), Quantised(Tokens * N * 2);
    StepRows Rows(Tokens);
    std::vector<void *> Operands{R.data(), W.data()};
    if (Both)
      Operands.push_back(Normed.data());
    Operands.push_back(Quantised.data());
    Kernel.run(Rows, Operands, Tokens);
    FlushDenormals Flush;
    for (int64_t T = 0; T < Tokens; ++T) {
      Floats Want = rmsNorm(floatsOf(R.as<uint16_t>() + T * N, N),
                            floatsOf(W.as<uint16_t>(), N), 1e-6f);
      if (Both)
        ASSERT_EQ(floatsOf(Normed.as<uint16_t>() + T * N, N), Want);
      quantizeE4M3(Want.data(), N, 128);
      ASSERT_EQ(floatsOf(Quantised.as<uint16_t>() + T * N, N), Want);
    }
  }
}

TEST_P(MoeTest, EmbedCopiesRows) {
  PhaseKernel Kernel(GetParam(), R"(
  %w = kern.weight "w" : !qfmt.weight<16x128, bf16>
  %s = kern.buffer "s" : <token, 512, bf16>
  kern.embed "e" table(%w : !qfmt.weight<16x128, bf16>) streams(%s : !kern.buffer<token, 512, bf16>))");
  constexpr int64_t Tokens = 5;
  Buffer W = randomBf16(16 * 128), S(Tokens * 512 * 2);
  StepRows Rows(Tokens);
  Rows.token = {3, 15, 0, 3, 7};
  Rows.step.token = Rows.token.data();
  Kernel.run(Rows, {W.data(), S.data()}, Tokens);
  for (int64_t T = 0; T < Tokens; ++T)
    for (int64_t Copy = 0; Copy < 4; ++Copy)
      ASSERT_EQ(std::memcmp(S.data() + (T * 4 + Copy) * 256,
                            W.data() + Rows.token[T] * 256, 256),
                0);
}

} // namespace
