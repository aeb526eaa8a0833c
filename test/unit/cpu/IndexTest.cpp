// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Index scores and top-k against scalar loops, bit for bit: queries that the
// integer form takes, queries that it has to leave, and those at its limits.

#include "targets/cpu/Packing.h"
#include "test/unit/cpu/PhaseHarness.h"
#include "test/unit/cpu/ScalarOps.h"

#include <numeric>

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

constexpr float Factor = 0.0220970869f;

std::string indexScore(int64_t Heads, int64_t N) {
  std::string Q = "<token, " + std::to_string(Heads * N) + ", bf16>";
  std::string W = "<token, " + std::to_string(Heads) + ", bf16>";
  std::string E =
      "<index_entries, ratio = 4, #qfmt.rows<" + std::to_string(N) + ", fp4>>";
  return "%q = kern.buffer \"q\" : " + Q + "\n%w = kern.buffer \"w\" : " + W +
         "\n%e = kern.state \"e\" : " + E + R"(
  %s = kern.buffer "s" : <token, 0 + 32 per_block, bf16>
  kern.index_score "i" q(%q : !kern.buffer)" +
         Q + ") weights(%w : !kern.buffer" + W + ") entries(%e : !kern.state" +
         E + R"()
    scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>)
    {factor = 0.0220970869 : f32, heads = )" +
         std::to_string(Heads) + " : i64}";
}

/// Rows of index entries, their tiles, and the scores that they should get.
struct Entries {
  static constexpr int64_t Count = 256;
  Entries(int64_t N, llvm::ArrayRef<uint8_t> Bytes, std::mt19937 &Random)
      : N(N), Codes(Count * N / 2), Scales(Count * N / 32),
        Stride(Count / 16 * tileBytes(TileFormat::Fp4, N)), State(2 * Stride) {
    for (size_t I = 0; I < Codes.size(); ++I)
      Codes.data()[I] = uint8_t(Random());
    for (size_t I = 0; I < Scales.size(); ++I)
      Scales.data()[I] = Bytes[Random() % Bytes.size()];
    packTiles(TileFormat::Fp4, N, Count, 0, Count / 16, Codes.data(),
              Scales.data(), State.data() + Stride);
  }

  /// R1 with the scales of entry E.
  float dot(const uint16_t *Q, int64_t E) {
    Floats X = floatsOf(Q, N), Row(N), Scale(N / 32);
    for (int64_t I = 0; I < N; ++I)
      Row[I] =
          num::e2m1ToFloat(Codes.data()[(E * N + I) / 2] >> (I % 2 * 4) & 15);
    for (int64_t G = 0; G < N / 32; ++G)
      Scale[G] = num::e8m0ToFloat(Scales.data()[E * (N / 32) + G]);
    return num::dot(X.data(), Row.data(), Scale.data(), N);
  }

  uint16_t score(const uint16_t *Q, const uint16_t *Weights, int64_t Heads,
                 int64_t E) {
    float Sum = 0;
    for (int64_t H = 0; H < Heads; ++H) {
      float Weight = bf(num::bf16ToFloat(Weights[H]) * Factor);
      float Dot = bf(dot(Q + H * N, E));
      Sum += bf((Dot > 0 ? Dot : 0.0f) * Weight);
    }
    return num::floatToBf16(Sum);
  }

  int64_t N;
  Buffer Codes, Scales;
  int64_t Stride;
  Buffer State; // the tiles lie in sequence 1
};

/// Scale bytes of keys.
constexpr uint8_t Usual[] = {124, 125, 126, 127, 128, 129};
constexpr uint8_t Extreme[] = {0, 1, 2, 127, 200, 230};
constexpr uint8_t Small[] = {0, 1, 2, 20, 30};
constexpr uint8_t Large[] = {0, 1, 127, 240, 254};

class IndexTest : public LevelTest {
protected:
  /// BF16 queries: integers up to `Most`, times powers of two of blocks of 32
  /// whose largest value has the exponent First to Last (biased).
  Buffer scaledIntegers(int64_t Count, int Most, int First, int Last) {
    Buffer Q(Count * 2);
    for (int64_t Block = 0; Block < Count; Block += 32) {
      int Exponent = First + int(Random() % uint32_t(Last - First + 1)) - 127;
      for (int64_t I = Block; I < Block + 32; ++I) {
        int Value = I == Block ? 8 : int(Random() % uint32_t(Most + 1));
        float Float = float(std::ldexp(double(Value), Exponent - 3));
        Q.as<uint16_t>()[I] =
            num::floatToBf16(Random() % 2 ? Float : -Float); // both zeros
      }
    }
    return Q;
  }
  /// What index_query makes of values around 2^Exponent.
  Buffer quantized(int64_t Count, int Exponent) {
    Buffer Q = randomBf16(Count, 6);
    FlushDenormals Flush;
    for (int64_t Block = 0; Block < Count; Block += 32) {
      Floats X = floatsOf(Q.as<uint16_t>() + Block, 32);
      for (float &V : X)
        V = Block % 96 == 64 ? -0.0f : bf(float(std::ldexp(V, Exponent)));
      quantizeE2M1(X);
      for (int64_t I = 0; I < 32; ++I)
        Q.as<uint16_t>()[Block + I] = num::floatToBf16(X[I]);
    }
    return Q;
  }

  /// Tokens 1021 and on of sequence 1, the first of which sees 255 entries.
  void check(PhaseKernel &Kernel, int64_t Heads, int64_t N, Buffer &Q,
             llvm::ArrayRef<uint8_t> ScaleBytes, const char *What) {
    constexpr int64_t Tokens = 2;
    Entries E(N, ScaleBytes, Random);
    StepRows Rows(Tokens, 1021);
    std::fill(Rows.sequence.begin(), Rows.sequence.end(), 1);
    Rows.step.state_stride = E.Stride;
    Buffer W = randomBf16(Tokens * Heads, 2), Scores(Tokens * 256 * 2);
    Kernel.run(Rows, {Q.data(), W.data(), E.State.data(), Scores.data()},
               Tokens);
    FlushDenormals Flush;
    for (int64_t T = 0; T < Tokens; ++T)
      for (int64_t I = 0; I < (Rows.position[T] + 1) / 4; ++I)
        ASSERT_EQ(Scores.as<uint16_t>()[T * 256 + I],
                  E.score(Q.as<uint16_t>() + T * Heads * N,
                          W.as<uint16_t>() + T * Heads, Heads, I))
            << What << ": width " << N << ", token " << T << ", entry " << I;
  }
};
DSV4_ALL_LEVELS(IndexTest);

/// Scores of the visible entries (R8), for index rows of several widths, with
/// heads that meet tiles four at a time and one by one, or by 16 and by 32 on a
/// matrix unit.
TEST_P(IndexTest, Score) {
  for (auto [Heads, N] : {std::pair<int64_t, int64_t>(4, 128),
                          {8, 64},
                          {3, 32},
                          {4, 160},
                          {64, 128},
                          {16, 64},
                          {48, 32},
                          {32, 160}}) {
    PhaseKernel Kernel(GetParam(), indexScore(Heads, N));
    int64_t Count = 2 * Heads * N;
    Buffer Any = randomBf16(Count, 2), Usually = quantized(Count, 0);
    check(Kernel, Heads, N, Any, Usual, "any bf16");
    check(Kernel, Heads, N, Usually, Usual, "quantised");
    check(Kernel, Heads, N, Usually, Extreme, "quantised, extreme scales");
  }
}

/// Powers of two at which values are flushed, or where the integer form ends:
/// the largest value of a block from 2^-126 to 2^109.
TEST_P(IndexTest, ScoreAtTheLimits) {
  constexpr int64_t Heads = 16, N = 128, Count = 2 * Heads * N;
  PhaseKernel Kernel(GetParam(), indexScore(Heads, N));
  Buffer Floor = quantized(Count, -125);
  Buffer Fifteen = scaledIntegers(Count, 15, 120, 130);
  for (llvm::ArrayRef<uint8_t> Bytes :
       {llvm::ArrayRef(Usual), llvm::ArrayRef(Large)}) {
    check(Kernel, Heads, N, Floor, Bytes, "floor");
    for (int E = 1; E <= 8; ++E) { // from 5 on all sums are normal
      Buffer Low = scaledIntegers(Count, 15, E, E);
      check(Kernel, Heads, N, Low, Bytes, "low");
    }
  }
  check(Kernel, Heads, N, Fifteen, Extreme, "up to fifteen");
  for (int E = 233; E <= 237; ++E) {
    Buffer High = scaledIntegers(Count, 12, E, E);
    check(Kernel, Heads, N, High, Small, "high");
  }
}

/// Powers of two at which a matrix unit stops: of queries, of keys, of both,
/// and the same in one entry alone.
TEST_P(IndexTest, ScoreFarFromOne) {
  constexpr int64_t Heads = 32, N = 128, Count = 2 * Heads * N;
  PhaseKernel Kernel(GetParam(), indexScore(Heads, N));
  for (uint8_t E : {76, 77, 78, 127, 176, 177, 178})
    for (uint8_t Key : {1, 26, 76, 77, 127, 177, 178, 228}) {
      uint8_t Ends[] = {uint8_t(Key + 1), Key};
      Buffer Q = scaledIntegers(Count, 15, E, E);
      check(Kernel, Heads, N, Q, {&Ends[1], 1}, "far");
      check(Kernel, Heads, N, Q, Ends, "far, or nearly so");
    }
  std::vector<uint8_t> Rare(2000, 127);
  Rare[1000] = 1;
  for (int I = 0; I < 8; ++I) {
    Buffer Q = scaledIntegers(Count, 15, 127, 177);
    check(Kernel, Heads, N, Q, Rare, "some scale");
  }
}

/// One value of one block that is no small integer: the token takes the other
/// way, the one beside it does not.
TEST_P(IndexTest, ScoreOfOneMisfit) {
  constexpr int64_t Heads = 16, N = 128, Count = 2 * Heads * N;
  PhaseKernel Kernel(GetParam(), indexScore(Heads, N));
  for (uint16_t Bits : {0x3f81, 0x3f10, 0x3d80, 0x0080, 0x0001, 0x4110, 0x7f00})
    for (int64_t At : {0, 37, 511, 512, 1023}) {
      // Blocks whose largest value is 1, so that 1.125 and 1/16 misfit.
      Buffer Q = scaledIntegers(Count, 8, 127, 127);
      Q.as<uint16_t>()[At] = Bits;
      check(Kernel, Heads, N, Q,
            Bits == 0x7f00 ? llvm::ArrayRef(Small) : llvm::ArrayRef(Usual),
            "one misfit");
    }
}

//===----------------------------------------------------------------------===//
// Top-k
//===----------------------------------------------------------------------===//

std::string topK(int64_t Count, int64_t Ratio) {
  std::string S = "<token, 0 + " + std::to_string(128 / Ratio) +
                  " per_block, bf16>",
              I = "<token, " + std::to_string(Count) + ", i32>";
  return "%s = kern.buffer \"s\" : " + S + "\n%i = kern.buffer \"i\" : " + I +
         "\nkern.top_k \"k\" scores(%s : !kern.buffer" + S +
         ") ids(%i : !kern.buffer" + I + ") {k = " + std::to_string(Count) +
         " : i64, ratio = " + std::to_string(Ratio) + " : i64}";
}

/// Ids of the `Count` best of the first `Visible` scores.
std::vector<int32_t> best(const uint16_t *Scores, int64_t Visible,
                          int64_t Count) {
  Floats S = floatsOf(Scores, Visible);
  std::vector<int32_t> Ids(Visible);
  std::iota(Ids.begin(), Ids.end(), 0);
  std::stable_sort(Ids.begin(), Ids.end(),
                   [&](int32_t A, int32_t B) { return S[A] > S[B]; });
  Ids.resize(std::min(Visible, Count));
  std::sort(Ids.begin(), Ids.end());
  Ids.resize(Count, -1);
  return Ids;
}

void checkTopK(PhaseKernel &Kernel, StepRows &Rows, int64_t Count,
               int64_t Ratio, Buffer &Scores) {
  int64_t Tokens = Rows.step.tokens, Width = Rows.step.context / Ratio;
  Buffer Ids(Tokens * Count * 4 + 64);
  Kernel.run(Rows, {Scores.data(), Ids.data()}, Tokens);
  for (int64_t T = 0; T < Tokens; ++T) {
    int64_t Visible = (Rows.position[T] + 1) / Ratio;
    std::vector<int32_t> Want =
        best(Scores.as<uint16_t>() + T * Width, Visible, Count);
    for (int64_t I = 0; I < Count; ++I)
      ASSERT_EQ(Ids.as<int32_t>()[T * Count + I], Want[I])
          << Visible << " visible, token " << T << ", " << I;
  }
  EXPECT_EQ(Ids.data()[Tokens * Count * 4], 0xA5);
}

TEST_P(IndexTest, TopK) {
  PhaseKernel Kernel(GetParam(), topK(16, 4));
  for (int64_t First : {10, 62, 300, 900, 1020}) {
    StepRows Rows(4, First);
    Buffer Scores = randomBf16(4 * 256, 1);
    for (int64_t I = 0; I < 4 * 256; I += 2) // many ties, both zeros
      Scores.as<uint16_t>()[I] = I % 4 ? 0x8000 : 0;
    checkTopK(Kernel, Rows, 16, 4, Scores);
  }
}

/// Enough entries for groups, and lengths around a vector and a chunk.
TEST_P(IndexTest, TopKOfMany) {
  constexpr int64_t Context = 65536, Width = Context / 4;
  PhaseKernel Kernel(GetParam(), topK(24, 4));
  for (int64_t Visible : {25, 31, 32, 33, 511, 512, 513, 767, 768, 769, 9999}) {
    StepRows Rows(1, 4 * Visible - 1);
    Rows.step.context = Context;
    Buffer Scores = randomBf16(Width, 8);
    checkTopK(Kernel, Rows, 24, 4, Scores);
    for (uint16_t Bits : {0x0000, 0x8000, 0xbf80, 0x3f80, 0xff7f, 0x7f7f}) {
      // Every score one number, but for some.
      for (int64_t I = 0; I < Width; ++I)
        if (I % 97)
          Scores.as<uint16_t>()[I] = Bits;
      checkTopK(Kernel, Rows, 24, 4, Scores);
    }
    for (int64_t I = 0; I < Width; ++I) // few numbers, infinities too
      Scores.as<uint16_t>()[I] = uint16_t((Random() % 9 - 4) << 13 | 0x1f80);
    checkTopK(Kernel, Rows, 24, 4, Scores);
  }
}

/// Rows of scores that do not fill vectors: 1 entry per 128 tokens.
TEST_P(IndexTest, TopKOfCoarseEntries) {
  PhaseKernel Kernel(GetParam(), topK(3, 128));
  StepRows Rows(3, 1021);
  Buffer Scores = randomBf16(3 * 8, 3);
  checkTopK(Kernel, Rows, 3, 128, Scores);
}

} // namespace
