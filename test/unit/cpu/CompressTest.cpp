// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.compress and kern.carry over a sequence that arrives in steps of varying
// size: the stored entries equal those of a scalar loop over all tokens.

#include "targets/cpu/Packing.h"
#include "test/unit/cpu/PhaseHarness.h"
#include "test/unit/cpu/ScalarOps.h"

#include <cstring>

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

constexpr int64_t D = 128, R = 64, RowBytes = 200;

struct Case {
  int64_t ratio, width, slots;
  bool index;
};

class CompressTest : public LevelTest {
protected:
  /// The pooled, normed and rotated row of entry `C` (R5, R12, R13).
  Floats entry(const Case &P, int64_t C) {
    bool Overlap = P.width == 2 * D;
    Floats Row(D);
    for (int64_t I = 0; I < D; ++I) {
      Floats Gate, Value;
      int64_t Block = Overlap && C > 0 ? C - 1 : C;
      for (int64_t T = Block * P.ratio; T < (C + 1) * P.ratio; ++T) {
        int64_t At = Overlap && T / P.ratio == C ? D + I : I;
        Gate.push_back(G.as<float>()[T * P.width + At] +
                       Ape.as<float>()[T % P.ratio * P.width + At]);
        Value.push_back(U.as<float>()[T * P.width + At]);
      }
      float M = *std::max_element(Gate.begin(), Gate.end()), Sum = 0, Acc = 0;
      for (float &V : Gate)
        Sum += V = num::exp(V - M);
      for (size_t S = 0; S < Gate.size(); ++S)
        Acc = std::fma(Value[S], Gate[S] / Sum, Acc);
      Row[I] = bf(Acc);
    }
    Row = rmsNorm(Row, floatsOf(Norm.as<uint16_t>(), D), 1e-6f);
    rope(Row, Freqs, C * P.ratio);
    return Row;
  }

  void check(const Case &P, uint8_t *State, int64_t C) {
    Floats Want = entry(P, C);
    if (P.index) {
      hadamard(Want);
      std::vector<uint8_t> Codes(16 * D / 2), Scales(16 * D / 32);
      unpackTile(TileFormat::Fp4, D, 16,
                 State + C / 16 * tileBytes(TileFormat::Fp4, D), Codes.data(),
                 Scales.data());
      quantizeE2M1(Want);
      for (int64_t I = 0; I < D; ++I)
        ASSERT_EQ(
            num::e2m1ToFloat(Codes[(C % 16 * D + I) / 2] >> (I % 2 * 4) & 15) *
                num::e8m0ToFloat(Scales[C % 16 * (D / 32) + I / 32]),
            Want[I])
            << C << ' ' << I;
      return;
    }
    const uint8_t *Row = State + C * RowBytes;
    quantizeE4M3(Want.data(), D - R, 64);
    for (int64_t I = 0; I < D; ++I) {
      uint16_t Bits;
      std::memcpy(&Bits, Row + D - R + 2 * (I - (D - R)), 2);
      float Got = I < D - R ? num::e4m3ToFloat(Row[I]) *
                                  num::e8m0ToFloat(Row[D - R + 2 * R])
                            : num::bf16ToFloat(Bits);
      ASSERT_EQ(Got, Want[I]) << C << ' ' << I;
    }
  }

  void run(const Case &P, int64_t Total, std::vector<int64_t> Steps);

  Floats Freqs = [] {
    Floats F(R / 2);
    for (int64_t I = 0; I < R / 2; ++I)
      F[I] = float(std::pow(160000.0, -2.0 * double(I) / R));
    return F;
  }();
  Buffer U{64}, G{64}, Ape{64}, Norm{64};
};
DSV4_ALL_LEVELS(CompressTest);

/// The program text of one compress or carry phase.
std::string phaseText(const Case &P, const Floats &Freqs, bool Carry) {
  std::string W = std::to_string(P.width), Ratio = std::to_string(P.ratio);
  std::string B = "!kern.buffer<token, " + W + ", f32>";
  std::string C =
      "<carry, slots = " + std::to_string(P.slots) + ", width = " + W + ">";
  std::string E =
      P.index
          ? "<index_entries, ratio = " + Ratio + ", #qfmt.rows<128, fp4>>"
          : "<entries, ratio = " + Ratio + ", #qfmt.rows<128, fp8_rope, 64>>";
  std::string Text = "%u = kern.buffer \"u\" : <token, " + W + ", f32>\n" +
                     "%g = kern.buffer \"g\" : <token, " + W + ", f32>\n" +
                     "%c = kern.state \"c\" : " + C + "\n";
  if (Carry)
    return Text + "kern.carry \"k\" u(%u : " + B + ") g(%g : " + B +
           ") carry(%c : !kern.state" + C + ")";
  std::string Values;
  for (float F : Freqs) {
    char Number[32];
    std::snprintf(Number, sizeof Number, "%.9e", double(F));
    Values += (Values.empty() ? "" : ", ") + std::string(Number);
  }
  std::string A = "!qfmt.weight<" + Ratio + "x" + W + ", f32>";
  return Text + "%a = kern.weight \"a\" : " + A + "\n" +
         "%n = kern.weight \"n\" : !qfmt.weight<128, bf16>\n" +
         "%e = kern.state \"e\" : " + E + "\n" +
         "kern.compress \"c\" u(%u : " + B + ") g(%g : " + B +
         ") ape(%a : " + A +
         ") norm(%n : !qfmt.weight<128, bf16>) carry(%c : !kern.state" + C +
         ") entries(%e : !kern.state" + E + ") {freqs = array<f32: " + Values +
         ">, eps = 1.0e-6 : f32}";
}

void CompressTest::run(const Case &P, int64_t Total,
                       std::vector<int64_t> Steps) {
  PhaseKernel Compress(GetParam(), phaseText(P, Freqs, false));
  PhaseKernel Carry(GetParam(), phaseText(P, Freqs, true));
  U = randomF32(Total * P.width, 2);
  G = randomF32(Total * P.width, 3);
  Ape = randomF32(P.ratio * P.width, 1);
  Norm = randomBf16(D, 1);
  int64_t CarryBytes = P.slots * P.width * 8;
  int64_t Stride = CarryBytes + (Total / P.ratio / 16 + 1) * 16 * 256;
  Buffer State(2 * Stride);
  int64_t First = 0;
  for (size_t I = 0; First < Total; ++I) {
    int64_t Tokens = std::min(Steps[I % Steps.size()], Total - First);
    StepRows Rows(Tokens, First);
    std::fill(Rows.sequence.begin(), Rows.sequence.end(), 1);
    Rows.step.state_stride = Stride;
    uint8_t *Us = U.data() + First * P.width * 4;
    uint8_t *Gs = G.data() + First * P.width * 4;
    Compress.run(Rows,
                 {Us, Gs, Ape.data(), Norm.data(), State.data(),
                  State.data() + CarryBytes},
                 Tokens);
    Carry.run(Rows, {Us, Gs, State.data()}, Tokens);
    First += Tokens;
  }
  FlushDenormals Flush;
  for (int64_t C = 0; C < Total / P.ratio; ++C)
    check(P, State.data() + Stride + CarryBytes, C);
}

TEST_P(CompressTest, OverlappingBlocks) {
  run({4, 2 * D, 8, false}, 45, {5, 1, 7, 3, 16});
}

TEST_P(CompressTest, IndexRows) { run({4, 2 * D, 8, true}, 80, {1, 9, 30}); }

TEST_P(CompressTest, LongBlocks) { run({128, D, 128, false}, 256, {100, 3}); }

} // namespace
