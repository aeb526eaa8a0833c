// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one decoded token costs at long context: index scores, top-k and
// attention at the official sizes, one thread. The measurements are disabled
// tests, which print; docs/kernels.md has the command.

#include "targets/cpu/Packing.h"
#include "test/unit/cpu/PhaseHarness.h"
#include "test/unit/cpu/ScalarOps.h"

#include <cstdio>

using namespace dsv4;
using namespace dsv4::cpu;
using namespace dsv4::cpu::test;

namespace {

constexpr char IndexScore[] = R"(
  %q = kern.buffer "q" : <token, 8192, bf16>
  %w = kern.buffer "w" : <token, 64, bf16>
  %e = kern.state "e" : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %s = kern.buffer "s" : <token, 0 + 32 per_block, bf16>
  kern.index_score "i" q(%q : !kern.buffer<token, 8192, bf16>)
    weights(%w : !kern.buffer<token, 64, bf16>)
    entries(%e : !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>)
    scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>) {heads = 64 : i64, factor = 0.011 : f32})";

constexpr char TopK[] = R"(
  %s = kern.buffer "s" : <token, 0 + 32 per_block, bf16>
  %i = kern.buffer "i" : <token, 512, i32>
  kern.top_k "k" scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%i : !kern.buffer<token, 512, i32>) {k = 512 : i64, ratio = 4 : i64})";

/// Attention over 128 rows of the window and `Rows`: a state with its ratio,
/// and ids of the selected ones or nothing.
std::string attend(const char *Ratio, bool Selected) {
  std::string State = std::string("<entries, ratio = ") + Ratio +
                      ", #qfmt.rows<512, fp8_rope, 64>>";
  return R"(
  %q = kern.buffer "q" : <token, 32768, bf16>
  %o = kern.buffer "o" : <token, 32768, bf16>
  %t = kern.buffer "t" : <token, 64, f32>
  %i = kern.buffer "i" : <token, 512, i32>
  %n = kern.weight "n" : !qfmt.weight<64, f32>
  %w = kern.state "w" : <window, rows = 128, #qfmt.rows<512, fp8_rope, 64>>
  %e = kern.state "e" : )" +
         State + R"(
  kern.attend "a" q(%q : !kern.buffer<token, 32768, bf16>) tab(%t : !kern.buffer<token, 64, f32>)
    sink(%n : !qfmt.weight<64, f32>)
    window(%w : !kern.state<window, rows = 128, #qfmt.rows<512, fp8_rope, 64>>)
    entries(%e : !kern.state)" +
         State + ")" +
         (Selected ? " ids(%i : !kern.buffer<token, 512, i32>)" : "") + R"(
    heads_out(%o : !kern.buffer<token, 32768, bf16>)
    {heads = 64 : i64, window_size = 128 : i64, scale = 0.04 : f32})";
}

class LongContextTest : public LevelTest {
protected:
  /// One token, the last one of a context of `Tokens`.
  static StepRows lastOf(int64_t Tokens) {
    StepRows Rows(1, Tokens - 1);
    Rows.step.context = Tokens;
    return Rows;
  }
  /// What index_query makes: E2M1 in blocks of 32.
  Buffer randomQuery(int64_t Count) {
    Buffer B = randomBf16(Count, 2);
    for (int64_t I = 0; I < Count; I += 32) {
      Floats Block = floatsOf(B.as<uint16_t>() + I, 32);
      quantizeE2M1(Block);
      for (int64_t J = 0; J < 32; ++J)
        B.as<uint16_t>()[I + J] = num::floatToBf16(Block[J]);
    }
    return B;
  }
  Buffer randomTiles(int64_t Entries) {
    Buffer Tiles(Entries / 16 * tileBytes(TileFormat::Fp4, 128));
    for (size_t I = 0; I < Tiles.size(); ++I)
      Tiles.data()[I] = I % 1088 < 1024 ? uint8_t(Random())
                                        : uint8_t(124 + Random() % 6);
    return Tiles;
  }
  /// Scores with the spread of a normal distribution.
  Buffer randomScores(int64_t Entries) {
    Buffer S(Entries * 2 + 64);
    std::normal_distribution<float> Normal;
    for (int64_t I = 0; I < Entries; ++I)
      S.as<uint16_t>()[I] = num::floatToBf16(Normal(Random));
    return S;
  }
  void print(const char *What, int64_t Count, double Seconds, double Work) {
    std::printf("%-12s %-10s %8lld: %9.1f us, %7.2f G/s\n",
                levelName(GetParam()).str().c_str(), What,
                static_cast<long long>(Count), Seconds * 1e6,
                Work / Seconds * 1e-9);
  }
};
DSV4_ALL_LEVELS(LongContextTest);

TEST_P(LongContextTest, DISABLED_IndexScoreSpeed) {
  PhaseKernel Kernel(GetParam(), IndexScore);
  for (int64_t Entries : {16384, 65536}) {
    StepRows Rows = lastOf(4 * Entries);
    Buffer Q = randomQuery(64 * 128), W = randomBf16(64, 2);
    Buffer State = randomTiles(Entries), Scores(Entries * 2);
    double Best = Kernel.fastest(
        Rows, {Q.data(), W.data(), State.data(), Scores.data()}, Entries / 256);
    print("index_score", Entries, Best, double(Entries) * 64 * 128);
  }
}

TEST_P(LongContextTest, DISABLED_TopKSpeed) {
  PhaseKernel Kernel(GetParam(), TopK);
  for (int64_t Entries : {1024, 4096, 16384, 65536, 262144}) {
    StepRows Rows = lastOf(4 * Entries);
    Buffer Scores = randomScores(Entries), Ids(512 * 4);
    double Best = Kernel.fastest(Rows, {Scores.data(), Ids.data()}, 1);
    print("top_k", Entries, Best, double(Entries));
  }
}

TEST_P(LongContextTest, DISABLED_AttendSpeed) {
  constexpr int64_t RowBytes = 584;
  for (int64_t Entries : {512, 2048, 8192}) {
    PhaseKernel Kernel(GetParam(), attend(Entries == 512 ? "4" : "128",
                                          Entries == 512));
    StepRows Rows = lastOf(Entries == 512 ? 262144 : 128 * Entries);
    Buffer Q = randomBf16(64 * 512, 1), O(Q.size()), Tab = randomF32(64);
    Buffer Sink = randomF32(64), Ids(512 * 4);
    for (int32_t I = 0; I < 512; ++I)
      Ids.as<int32_t>()[I] = 16 * I;
    Buffer Window(128 * RowBytes), State(8192 * RowBytes);
    for (Buffer *B : {&Window, &State})
      for (size_t I = 0; I < B->size(); ++I)
        B->data()[I] = uint8_t(0x30 | (Random() & 0x87));
    std::vector<void *> Operands{Q.data(),    Tab.data(),   Sink.data(),
                                 Window.data(), State.data()};
    if (Entries == 512)
      Operands.push_back(Ids.data());
    Operands.push_back(O.data());
    double Best = Kernel.fastest(Rows, Operands, 4);
    print("attend", Entries, Best, double(Entries + 128) * 64 * 1024);
  }
}

} // namespace
