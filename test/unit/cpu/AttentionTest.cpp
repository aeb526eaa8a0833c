// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Query heads, window rows, attention and the indexer's queries against scalar
// loops, bit for bit (scores and top-k: IndexTest.cpp). Sequence state lies at
// slot 1, so that addressing shows.

#include "test/unit/cpu/PhaseHarness.h"
#include "test/unit/cpu/ScalarOps.h"

#include <cstring>

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

constexpr int64_t D = 128, R = 64, RowBytes = 200; // 64 codes, 128 bytes, 1
// Six groups of heads, the last one not full: a token is a run of four, which
// share decoded rows, and one of two.
constexpr int64_t H = 84, Groups = 6;

class AttentionTest : public LevelTest {
protected:
  /// cos and sin, interleaved, of the rows' positions.
  Buffer table(const StepRows &Rows) {
    Buffer Tab(Rows.step.tokens * R * 4);
    for (int64_t T = 0; T < Rows.step.tokens; ++T)
      for (int64_t I = 0; I < R / 2; ++I) {
        num::CosSin CS = num::cosSin(float(Rows.position[T]) * Freqs[I]);
        Tab.as<float>()[T * R + 2 * I] = CS.cos;
        Tab.as<float>()[T * R + 2 * I + 1] = CS.sin;
      }
    return Tab;
  }
  /// All rows of the step in sequence 1, whose state is `Stride` bytes on.
  static void inSecondSequence(StepRows &Rows, int64_t Stride) {
    std::fill(Rows.sequence.begin(), Rows.sequence.end(), 1);
    Rows.step.state_stride = Stride;
  }
  /// Random stored KV rows and what they mean.
  void fillRows(uint8_t *Row, int64_t Count, std::vector<Floats> &Values) {
    for (int64_t I = 0; I < Count; ++I, Row += RowBytes) {
      Buffer Tail = randomBf16(R, 2);
      Floats V(D);
      uint8_t Scale = uint8_t(120 + Random() % 4);
      for (int64_t J = 0; J < D - R; ++J) {
        Row[J] = uint8_t(Random() & 0xf7); // never NaN
        V[J] = num::e4m3ToFloat(Row[J]) * num::e8m0ToFloat(Scale);
      }
      std::memcpy(Row + D - R, Tail.data(), 2 * R);
      for (int64_t J = 0; J < R; ++J)
        V[D - R + J] = num::bf16ToFloat(Tail.as<uint16_t>()[J]);
      Row[D - R + 2 * R] = Scale;
      Values.push_back(V);
    }
  }

  Floats Freqs = [] {
    Floats F(R / 2);
    for (int64_t I = 0; I < R / 2; ++I)
      F[I] = float(std::pow(10000.0, -2.0 * double(I) / R));
    return F;
  }();
};
DSV4_ALL_LEVELS(AttentionTest);

TEST_P(AttentionTest, QueryHeads) {
  PhaseKernel Kernel(GetParam(), R"(
  %r = kern.buffer "r" : <token, 512, bf16>
  %t = kern.buffer "t" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  kern.query_heads "q" raw(%r : !kern.buffer<token, 512, bf16>) tab(%t : !kern.buffer<token, 64, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 4 : i64, eps = 1.0e-6 : f32})");
  constexpr int64_t Tokens = 3;
  StepRows Rows(Tokens, 1000);
  Buffer Raw = randomBf16(Tokens * 4 * D), Tab = table(Rows), Q(Raw.size());
  Kernel.run(Rows, {Raw.data(), Tab.data(), Q.data()}, Tokens * 4);
  FlushDenormals Flush;
  for (int64_t I = 0; I < Tokens * 4; ++I) {
    Floats Want = headNorm(floatsOf(Raw.as<uint16_t>() + I * D, D), 1e-6f);
    rope(Want, Freqs, Rows.position[I / 4]);
    ASSERT_EQ(floatsOf(Q.as<uint16_t>() + I * D, D), Want) << I;
  }
}

TEST_P(AttentionTest, RopeTable) {
  PhaseKernel Kernel(GetParam(), R"(
  %t = kern.buffer "t" : <token, 6, f32>
  kern.rope_table "t" tab(%t : !kern.buffer<token, 6, f32>) {freqs = array<f32: 1.0, 0.1, 0.01>})");
  StepRows Rows(3, 77777);
  Buffer Tab(3 * 6 * 4 + 64);
  Kernel.run(Rows, {Tab.data()}, 3);
  for (int64_t T = 0; T < 3; ++T)
    for (int64_t I = 0; I < 3; ++I) {
      float F[] = {1.0f, 0.1f, 0.01f};
      num::CosSin CS = num::cosSin(float(Rows.position[T]) * F[I]);
      ASSERT_EQ(Tab.as<float>()[T * 6 + 2 * I], CS.cos);
      ASSERT_EQ(Tab.as<float>()[T * 6 + 2 * I + 1], CS.sin);
    }
  EXPECT_EQ(Tab.data()[3 * 6 * 4], 0xA5);
}

TEST_P(AttentionTest, StoreKv) {
  PhaseKernel Kernel(GetParam(), R"(
  %r = kern.buffer "r" : <token, 128, bf16>
  %n = kern.weight "n" : !qfmt.weight<128, bf16>
  %t = kern.buffer "t" : <token, 64, f32>
  %w = kern.state "w" : <window, rows = 16, #qfmt.rows<128, fp8_rope, 64>>
  kern.store_kv "s" raw(%r : !kern.buffer<token, 128, bf16>) norm(%n : !qfmt.weight<128, bf16>)
    tab(%t : !kern.buffer<token, 64, f32>)
    window(%w : !kern.state<window, rows = 16, #qfmt.rows<128, fp8_rope, 64>>) {eps = 1.0e-6 : f32})");
  constexpr int64_t Tokens = 5, Stride = 16 * RowBytes + 64;
  StepRows Rows(Tokens, 14); // wraps around
  inSecondSequence(Rows, Stride);
  Buffer Raw = randomBf16(Tokens * D), Norm = randomBf16(D, 1);
  Buffer Tab = table(Rows), State(2 * Stride);
  Kernel.run(Rows, {Raw.data(), Norm.data(), Tab.data(), State.data()}, Tokens);
  FlushDenormals Flush;
  for (int64_t T = 0; T < Tokens; ++T) {
    Floats V = rmsNorm(floatsOf(Raw.as<uint16_t>() + T * D, D),
                       floatsOf(Norm.as<uint16_t>(), D), 1e-6f);
    rope(V, Freqs, Rows.position[T]);
    const uint8_t *Row = State.data() + Stride + (14 + T) % 16 * RowBytes;
    uint8_t Byte = scaleByte(V.data(), 64, 1e-4f, 1.0f / 448.0f);
    ASSERT_EQ(Row[D - R + 2 * R], Byte);
    for (int64_t I = 0; I < D - R; ++I)
      ASSERT_EQ(Row[I],
                num::e4m3Code(num::roundE4M3(V[I] / num::e8m0ToFloat(Byte))));
    for (int64_t I = 0; I < R; ++I) {
      uint16_t Bits;
      std::memcpy(&Bits, Row + D - R + 2 * I, 2);
      ASSERT_EQ(Bits, num::floatToBf16(V[D - R + I]));
    }
  }
  for (int64_t I = 0; I < Stride; ++I)
    ASSERT_EQ(State.data()[I], 0xA5) << "sequence 0 was written";
}

/// The sum of dim J over rows, in pairs (R4).
float sumOfPairs(const Floats &P, const std::vector<const Floats *> &Kv,
                 int64_t J) {
  float Sum = 0;
  for (size_t I = 0; I < Kv.size(); I += 2) {
    size_t Odd = std::min(I + 1, Kv.size() - 1);
    Sum = std::fma(Odd > I ? bf(P[Odd]) : 0.0f, (*Kv[Odd])[J], Sum);
    Sum = std::fma(bf(P[I]), (*Kv[I])[J], Sum);
  }
  return Sum;
}

/// The same in groups of 32 rows, the even ones and the odd ones apart.
float sumOfGroups(const Floats &P, const std::vector<const Floats *> &Kv,
                  int64_t J) {
  float Sum = 0;
  for (size_t G = 0; G < Kv.size(); G += 32) {
    float Parts[2] = {0, 0};
    for (size_t I = G; I < G + 32; ++I) {
      size_t Row = std::min(I, Kv.size() - 1);
      Parts[I % 2] =
          std::fma(Row == I ? bf(P[I]) : 0.0f, (*Kv[Row])[J], Parts[I % 2]);
    }
    Sum += Parts[0] + Parts[1];
  }
  return Sum;
}

/// R4 of one head over rows in order.
Floats attend(const Floats &Q, const std::vector<const Floats *> &Kv,
              float Sink, num::DotOrder Order) {
  size_t N = Kv.size();
  Floats P(N);
  float M = -INFINITY, Total = 0;
  for (size_t I = 0; I < N; ++I) {
    P[I] = dotR1(Kv[I]->data(), Q.data(), D, Order) * 0.0883883461f;
    M = std::max(M, P[I]);
  }
  for (size_t G = 0; G < N; G += 32) {
    float Chain = 0;
    for (size_t I = G; I < std::min(N, G + 32); ++I) {
      P[I] = num::exp(P[I] - M);
      Chain += P[I];
    }
    Total += Chain;
  }
  Total += num::exp(Sink - M);
  Floats Out(D);
  for (int64_t J = 0; J < D; ++J) {
    float Acc = Order == num::DotOrder::Split ? sumOfGroups(P, Kv, J)
                                              : sumOfPairs(P, Kv, J);
    Out[J] = bf(Acc / Total);
  }
  return Out;
}

class AttendTest : public AttentionTest {
protected:
  void check(num::DotOrder Order);
};
DSV4_ALL_LEVELS(AttendTest);

/// Window alone; all entries; eight selected ones; fewer visible than ids.
void AttendTest::check(num::DotOrder Order) {
  TargetDesc Target = targetOf(GetParam());
  if (Target.order != Order)
    setDotOrder(Target, Order);
  constexpr int64_t Tokens = 3, Ring = 80, WindowSize = 40, NumEntries = 40;
  constexpr int64_t WindowBytes = Ring * RowBytes + 64;
  constexpr int64_t Stride = WindowBytes + NumEntries * RowBytes;
  for (int Kind = 0; Kind < 4; ++Kind) {
    std::string Extra, Operands;
    if (Kind)
      Operands += " entries(%e : !kern.state<entries, ratio = 4, "
                  "#qfmt.rows<128, fp8_rope, 64>>)";
    if (Kind >= 2)
      Operands += " ids(%i : !kern.buffer<token, 8, i32>)";
    PhaseKernel Kernel(Target, R"(
  %q = kern.buffer "q" : <token, 10752, bf16>
  %t = kern.buffer "t" : <token, 64, f32>
  %s = kern.weight "s" : !qfmt.weight<84, f32>
  %i = kern.buffer "i" : <token, 8, i32>
  %o = kern.buffer "o" : <token, 10752, bf16>
  %w = kern.state "w" : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %e = kern.state "e" : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  kern.attend "a" q(%q : !kern.buffer<token, 10752, bf16>) tab(%t : !kern.buffer<token, 64, f32>)
    sink(%s : !qfmt.weight<84, f32>) window(%w : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>))" +
                                   Operands + R"(
    heads_out(%o : !kern.buffer<token, 10752, bf16>) {heads = 84 : i64, window_size = 40 : i64, scale = 0.0883883461 : f32})");
    // The second step begins before the window is full and ends after.
    constexpr int64_t Firsts[] = {120, 37, 120, 18};
    StepRows Rows(Tokens, Firsts[Kind]);
    inSecondSequence(Rows, Stride);
    Buffer State(2 * Stride);
    std::vector<Floats> Window, Entries;
    fillRows(State.data() + Stride, Ring, Window);
    fillRows(State.data() + Stride + WindowBytes, NumEntries, Entries);
    Buffer Q = randomBf16(Tokens * H * D, 2), Tab = table(Rows);
    Buffer Sink = randomF32(96, 2), Ids(Tokens * 8 * 4), O(Q.size());
    for (int64_t T = 0; T < Tokens; ++T)
      for (int32_t I = 0; I < 8; ++I) {
        int32_t Few = I < (Rows.position[T] + 1) / 4 ? I : -1;
        Ids.as<int32_t>()[T * 8 + I] = Kind == 3 ? Few : 3 * I + int32_t(T);
      }
    std::vector<void *> Table{Q.data(), Tab.data(), Sink.data(), State.data()};
    if (Kind)
      Table.push_back(State.data() + WindowBytes);
    if (Kind >= 2)
      Table.push_back(Ids.data());
    Table.push_back(O.data());
    Kernel.run(Rows, Table, Tokens * Groups);
    Buffer InParts(O.size());
    Table.back() = InParts.data();
    Kernel.run(Rows, Table, Tokens * Groups, 5); // runs of 4, 1; 1, 4; ...
    ASSERT_EQ(std::memcmp(O.data(), InParts.data(), O.size()), 0);
    FlushDenormals Flush;
    for (int64_t T = 0; T < Tokens; ++T) {
      int64_t P = Rows.position[T];
      std::vector<const Floats *> Kv;
      for (int64_t At = std::max<int64_t>(0, P - WindowSize + 1); At <= P; ++At)
        Kv.push_back(&Window[At % Ring]);
      if (Kind == 1)
        for (int64_t E = 0; E < (P + 1) / 4; ++E)
          Kv.push_back(&Entries[E]);
      if (Kind >= 2)
        for (int64_t I = 0; I < 8 && Ids.as<int32_t>()[T * 8 + I] >= 0; ++I)
          Kv.push_back(&Entries[Ids.as<int32_t>()[T * 8 + I]]);
      for (int64_t Head = 0; Head < H; ++Head) {
        int64_t At = (T * H + Head) * D;
        Floats Want = attend(floatsOf(Q.as<uint16_t>() + At, D), Kv,
                             Sink.as<float>()[Head], Order);
        rope(Want, Freqs, P, true);
        ASSERT_EQ(floatsOf(O.as<uint16_t>() + At, D), Want)
            << Kind << ' ' << T << ' ' << Head;
      }
    }
  }
}

TEST_P(AttendTest, InChains) { check(num::DotOrder::Chain); }
TEST_P(AttendTest, Split) { check(num::DotOrder::Split); }

TEST_P(AttentionTest, IndexQuery) {
  PhaseKernel Kernel(GetParam(), R"(
  %r = kern.buffer "r" : <token, 256, bf16>
  %t = kern.buffer "t" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 256, bf16>
  kern.index_query "q" raw(%r : !kern.buffer<token, 256, bf16>) tab(%t : !kern.buffer<token, 64, f32>)
    q(%q : !kern.buffer<token, 256, bf16>) {heads = 2 : i64})");
  constexpr int64_t Tokens = 3;
  StepRows Rows(Tokens, 555);
  Buffer Raw = randomBf16(Tokens * 256), Tab = table(Rows), Q(Raw.size());
  Kernel.run(Rows, {Raw.data(), Tab.data(), Q.data()}, Tokens * 2);
  FlushDenormals Flush;
  for (int64_t I = 0; I < Tokens * 2; ++I) {
    Floats Want = floatsOf(Raw.as<uint16_t>() + I * D, D);
    rope(Want, Freqs, Rows.position[I / 2]);
    hadamard(Want);
    quantizeE2M1(Want);
    ASSERT_EQ(floatsOf(Q.as<uint16_t>() + I * D, D), Want) << I;
  }
}

} // namespace
