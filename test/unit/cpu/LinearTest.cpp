// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.linear, kern.expert_linear and kern.quantize as whole kernels: jobs,
// groups, rows, expert lists, and the split of items over calls.

#include "runtime/numerics/formats.h"
#include "test/unit/cpu/PhaseHarness.h"
#include "test/unit/cpu/RandomMatrix.h"

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

class LinearTest : public LevelTest {
protected:
  num::DotOrder order() const { return targetOf(GetParam()).order; }
  Buffer randomRows(int64_t Count) { return randomBf16(Count, 8); }
  static Buffer packed(const RandomMatrix &M) {
    Buffer B(M.packedBytes());
    M.pack(B.data());
    return B;
  }
};
DSV4_ALL_LEVELS(LinearTest);

/// Two jobs of different formats, the second with 24 rows (a partial tile) and
/// f32 results.
TEST_P(LinearTest, LinearJobs) {
  PhaseKernel Kernel(GetParam(), R"(
  %x = kern.buffer "x" : <token, 256, bf16>
  %wa = kern.weight "a.weight" scale "a.scale" : !qfmt.weight<144x256, fp8>
  %ya = kern.buffer "ya" : <token, 144, bf16>
  %wb = kern.weight "b.weight" : !qfmt.weight<24x256, bf16>
  %yb = kern.buffer "yb" : <token, 24, f32>
  kern.linear "l" tokens {
    %x, %wa, %ya groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<144x256, fp8>, !kern.buffer<token, 144, bf16>
    %x, %wb, %yb groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<24x256, bf16>, !kern.buffer<token, 24, f32>
  })");
  constexpr int64_t Tokens = 11;
  RandomMatrix A(TileFormat::Fp8, 144, 256, Random);
  RandomMatrix B(TileFormat::Bf16, 24, 256, Random);
  Buffer X = randomRows(Tokens * 256), Wa = packed(A), Wb = packed(B);
  Buffer Ya(Tokens * 144 * 2), Yb(Tokens * 24 * 4 + 64);
  StepRows Rows(Tokens);
  Kernel.run(Rows,
             {X.data(), Wa.data(), Ya.data(), X.data(), Wb.data(), Yb.data()},
             9 + 2);
  FlushDenormals Flush;
  for (int64_t T = 0; T < Tokens; ++T) {
    const uint16_t *Row = X.as<uint16_t>() + T * 256;
    for (int64_t N = 0; N < 144; ++N)
      ASSERT_EQ(Ya.as<uint16_t>()[T * 144 + N],
                num::floatToBf16(A.dot(N, Row, order())))
          << T << ' ' << N;
    for (int64_t N = 0; N < 24; ++N)
      ASSERT_EQ(Yb.as<uint32_t>()[T * 24 + N],
                num::bitsOf(B.dot(N, Row, order())))
          << T << ' ' << N;
  }
  EXPECT_EQ(Yb.data()[Tokens * 24 * 4], 0xA5);
}

/// Each group of rows reads its own inputs; rows are those that are wanted.
TEST_P(LinearTest, LinearGroupsOfOutputs) {
  PhaseKernel Kernel(GetParam(), R"(
  %x = kern.buffer "x" : <output, 256, bf16>
  %w = kern.weight "w.weight" scale "w.scale" : !qfmt.weight<64x128, fp4>
  %y = kern.buffer "y" : <output, 64, bf16>
  kern.linear "l" outputs {
    %x, %w, %y groups 2 : !kern.buffer<output, 256, bf16>, !qfmt.weight<64x128, fp4>, !kern.buffer<output, 64, bf16>
  })");
  constexpr int64_t Outputs = 3;
  RandomMatrix M(TileFormat::Fp4, 64, 128, Random);
  Buffer X = randomRows(Outputs * 256), W = packed(M), Y(Outputs * 64 * 2);
  StepRows Rows(7);
  Rows.step.outputs = Outputs;
  Kernel.run(Rows, {X.data(), W.data(), Y.data()}, 4);
  FlushDenormals Flush;
  for (int64_t T = 0; T < Outputs; ++T)
    for (int64_t N = 0; N < 64; ++N)
      ASSERT_EQ(Y.as<uint16_t>()[T * 64 + N],
                num::floatToBf16(M.dot(
                    N, X.as<uint16_t>() + T * 256 + N / 32 * 128, order())))
          << T << ' ' << N;
}

/// Four experts of which 0, 1 and 3 are used, two matrices, token rows; then
/// the same lists over slot rows with one matrix.
TEST_P(LinearTest, ExpertLinear) {
  constexpr int64_t E = 4, Tokens = 3, Slots = Tokens * 2, N = 32, K = 128;
  PhaseKernel Kernel(GetParam(), R"(
  %x = kern.buffer "x" : <token, 128, bf16>
  %lists = kern.buffer "lists" : <program, 266, i32>
  %w1 = kern.weight "e.{e}.w1.weight" scale "e.{e}.w1.scale" : !qfmt.weight<4x32x128, fp4>
  %w3 = kern.weight "e.{e}.w3.weight" scale "e.{e}.w3.scale" : !qfmt.weight<4x32x128, fp4>
  %y1 = kern.buffer "y1" : <slot, 32, bf16>
  %y3 = kern.buffer "y3" : <slot, 32, bf16>
  kern.expert_linear "e" x(%x : !kern.buffer<token, 128, bf16>) lists(%lists : !kern.buffer<program, 266, i32>)
    w(%w1 : !qfmt.weight<4x32x128, fp4>) w_other(%w3 : !qfmt.weight<4x32x128, fp4>)
    y(%y1 : !kern.buffer<slot, 32, bf16>) y_other(%y3 : !kern.buffer<slot, 32, bf16>))");
  // Slots: token 0 -> experts 0, 3; token 1 -> 1, 3; token 2 -> 0, 1.
  const int32_t Words[] = {3, 0, 1, 3, -1, 0, 2, 4, 6, -1, 0, 4, 2, 5, 1, 3};
  const int ExpertOfSlot[] = {0, 3, 1, 3, 0, 1};
  Buffer Lists(sizeof Words);
  std::memcpy(Lists.data(), Words, sizeof Words);
  std::vector<RandomMatrix> M1, M3;
  Buffer W1(E * N * K), W3(E * N * K); // more than enough
  for (int64_t I = 0; I < E; ++I) {
    M1.emplace_back(TileFormat::Fp4, N, K, Random);
    M3.emplace_back(TileFormat::Fp4, N, K, Random);
    M1[I].pack(W1.data() + I * M1[I].packedBytes());
    M3[I].pack(W3.data() + I * M3[I].packedBytes());
  }
  Buffer X = randomRows(Tokens * K), Y1(Slots * N * 2), Y3(Slots * N * 2);
  StepRows Rows(Tokens);
  Kernel.run(
      Rows,
      {X.data(), Lists.data(), W1.data(), W3.data(), Y1.data(), Y3.data()},
      3 * 4);
  FlushDenormals Flush;
  for (int64_t S = 0; S < Slots; ++S)
    for (int64_t R = 0; R < N; ++R) {
      const uint16_t *Row = X.as<uint16_t>() + S / 2 * K;
      ASSERT_EQ(Y1.as<uint16_t>()[S * N + R],
                num::floatToBf16(M1[ExpertOfSlot[S]].dot(R, Row, order())))
          << S << ' ' << R;
      ASSERT_EQ(Y3.as<uint16_t>()[S * N + R],
                num::floatToBf16(M3[ExpertOfSlot[S]].dot(R, Row, order())))
          << S << ' ' << R;
    }
}

/// Scale and grid per block of 128, with zero blocks and large values.
TEST_P(LinearTest, Quantize) {
  PhaseKernel Kernel(GetParam(), R"(
  %x = kern.buffer "x" : <token, 256, bf16>
  %y = kern.buffer "y" : <token, 256, bf16>
  kern.quantize "q" x(%x : !kern.buffer<token, 256, bf16>) xq(%y : !kern.buffer<token, 256, bf16>))");
  constexpr int64_t Tokens = 40;
  Buffer X = randomRows(Tokens * 256), Y(Tokens * 256 * 2);
  std::memset(X.data(), 0, 256);
  StepRows Rows(Tokens);
  Kernel.run(Rows, {X.data(), Y.data()}, Tokens * 2);
  FlushDenormals Flush;
  for (int64_t B = 0; B < Tokens * 2; ++B) {
    const uint16_t *Block = X.as<uint16_t>() + B * 128;
    float Amax = 1e-4f;
    for (int64_t I = 0; I < 128; ++I)
      Amax = std::fmax(Amax, std::fabs(num::bf16ToFloat(Block[I])));
    float Scale = std::exp2(std::ceil(std::log2(Amax / 448)));
    for (int64_t I = 0; I < 128; ++I) {
      float Want = num::roundE4M3(num::bf16ToFloat(Block[I]) / Scale) * Scale;
      ASSERT_EQ(Y.as<uint16_t>()[B * 128 + I], num::floatToBf16(Want)) << B;
    }
  }
}

} // namespace
