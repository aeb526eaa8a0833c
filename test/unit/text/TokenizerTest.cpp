// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime tokenizer: known ids, control tokens as text and as tokens,
// memory limits, long repeats, and damaged blobs.

#include <chrono>
#include <cstring>
#include <random>

#include "TestTokenizers.h"
#include "runtime/text/bpe.h"

using namespace dsv4;
using namespace dsv4::test;
using text::SpecialTokens;
using text::TextError;
using text::Tokenizer;
using Ids = std::vector<int32_t>;

static const char *const Conversation =
    "<｜begin▁of▁sentence｜>You are a helpful assistant.<｜User｜>What is "
    "2+2?<｜Assistant｜></think>";

TEST(Tokenizer, KnownIds) { // model.md 5.1
  Tokenizer T = open(official());
  EXPECT_EQ(T.numTokens(), 129280u);
  EXPECT_EQ(T.bos(), 0);
  EXPECT_EQ(T.eos(), 1);
  EXPECT_EQ(encode(T, "The capital of France is", SpecialTokens::Parse),
            (Ids{671, 6102, 294, 8760, 344}));
  EXPECT_EQ(encode(T, "Hello, world!", SpecialTokens::Plain),
            (Ids{19923, 14, 2058, 3}));
  EXPECT_EQ(encode(T, Conversation, SpecialTokens::Parse),
            (Ids{0, 3476, 477, 260, 11502, 22896, 16, 128803, 3085, 344, 223,
                 20, 13, 20, 33, 128804, 128822}));
  EXPECT_TRUE(encode(T, "", SpecialTokens::Parse).empty());
}

TEST(Tokenizer, PlainTextHoldsNoControlTokens) {
  for (const ImportedTokenizer *Imported : {&official(), &tiny()}) {
    Tokenizer T = open(*Imported);
    std::string All;
    for (uint32_t Id = 0; Id < T.numTokens(); ++Id)
      if (T.isControl(Id))
        All += T.piece(Id);
    for (int32_t Id : encode(T, All, SpecialTokens::Plain))
      ASSERT_FALSE(T.isControl(Id)) << Id;
    Ids Parsed = encode(T, All, SpecialTokens::Parse);
    EXPECT_EQ(decode(T, Parsed), All);
    EXPECT_EQ(Parsed.size(), Imported == &official() ? 1283u : 50u);
  }
}

TEST(Tokenizer, FlagsAndNames) {
  Tokenizer T = open(official());
  EXPECT_EQ(T.findControl("<｜User｜>"), 128803);
  EXPECT_EQ(T.findControl("</think>"), 128822);
  EXPECT_EQ(T.findControl("<｜User"), -1);
  EXPECT_EQ(T.findControl(""), -1);
  EXPECT_TRUE(T.isControl(128803));
  EXPECT_FALSE(T.isSpecial(128803));
  EXPECT_TRUE(T.isSpecial(0));
  EXPECT_FALSE(T.isControl(671));
  EXPECT_EQ(T.piece(671), "The");
  EXPECT_EQ(T.piece(-1), "");
  EXPECT_EQ(T.piece(129280), "");
  EXPECT_FALSE(T.isControl(129280));
}

TEST(Tokenizer, TextRoundTrip) {
  Tokenizer T = open(official());
  std::string Text = readSource("test/data/encoding/test_output_4.txt");
  EXPECT_EQ(decode(T, encode(T, Text, SpecialTokens::Parse)), Text);
  EXPECT_EQ(decode(T, encode(T, Text, SpecialTokens::Plain)), Text);
}

TEST(Tokenizer, InvalidBytesAreReplaced) {
  Tokenizer T = open(official());
  auto Expect = [&](std::string_view Bytes, std::string_view Repaired) {
    EXPECT_EQ(encode(T, Bytes, SpecialTokens::Parse),
              encode(T, Repaired, SpecialTokens::Parse))
        << Repaired;
  };
  Expect("a\xff"
         "b",
         "a\uFFFDb");
  Expect("\xf0\x9f\x98", "\uFFFD");
  Expect("\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD");
  Expect("\xe2\x82<think>", "\uFFFD<think>");
  Expect("\xf4\x90\x80\x80 x\xc3", "\uFFFD\uFFFD\uFFFD\uFFFD x\uFFFD");
}

TEST(Tokenizer, MemoryLimits) {
  Tokenizer T = open(official());
  std::string Long(1000, 'a');
  Ids Out(1000);
  EXPECT_EQ(T.encode(Long, SpecialTokens::Plain, Out, {}).error,
            TextError::ScratchTooSmall);
  size_t Need = T.scratchBytes(Long, SpecialTokens::Plain);
  EXPECT_EQ(Need, 1000 * text::scratchPerByte);
  EXPECT_LE(Need, Tokenizer::maxScratchBytes(Long.size()));
  std::vector<std::byte> Scratch(Need);
  auto Result = T.encode(Long, SpecialTokens::Plain, Out, Scratch);
  ASSERT_TRUE(Result);
  auto Tight = std::span(Out).first(Result.count);
  EXPECT_TRUE(T.encode(Long, SpecialTokens::Plain, Tight, Scratch));
  EXPECT_EQ(T.encode(Long, SpecialTokens::Plain, Tight.first(Result.count - 1),
                     Scratch)
                .error,
            TextError::OutputTooSmall);
  EXPECT_EQ(T.encode("<think>", SpecialTokens::Parse, {}, {}).error,
            TextError::OutputTooSmall);
}

// The two merge loops agree, whatever the length.
TEST(Tokenizer, ShortAndLongMergesAgree) {
  text::BlobView View;
  ASSERT_EQ(
      text::openBlob(official().Blob.data(), official().Blob.size(), View),
      TextError::None);
  std::mt19937 Random(7);
  for (int Round = 0; Round < 2000; ++Round) {
    size_t N = 1 + Random() % text::shortPieceBytes;
    std::vector<uint32_t> Short(N), Long(6 * N);
    for (size_t I = 0; I < N; ++I)
      Short[I] = Long[I] =
          View.byteIds["etaoin  hrdlu\xe4\xbd\xa0"[Random() % 16] & 0xFF];
    Short.resize(text::mergeShort(View, Short.data(), N));
    Long.resize(text::mergeLong(View, Long.data(), N));
    ASSERT_EQ(Short, Long);
  }
}

// A megabyte of one letter must not take quadratic time: the bound is a
// thousandth of what that would take.
TEST(Tokenizer, LongRepeats) {
  Tokenizer T = open(official());
  for (const char *Unit : {"a", " ", "\n", "0", "=", "\xff", "\x01"}) {
    std::string Text;
    for (int I = 0; I < 1 << 20; ++I)
      Text += Unit;
    auto Start = std::chrono::steady_clock::now();
    Ids Result = encode(T, Text, SpecialTokens::Parse);
    std::chrono::duration<double> Time =
        std::chrono::steady_clock::now() - Start;
    EXPECT_LT(Time.count(), 60.0) << Unit;
    if (static_cast<unsigned char>(*Unit) < 0x80) {
      EXPECT_EQ(decode(T, Result), Text);
    }
  }
}

static void exercise(const void *Data, size_t Size) {
  Tokenizer T;
  if (Tokenizer::open(Data, Size, T) != TextError::None)
    return;
  std::string Text =
      "Hello <｜User｜> world 123 \xff 你好 aaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
  Ids Out(Tokenizer::maxTokens(Text.size()));
  std::vector<std::byte> Scratch(Tokenizer::maxScratchBytes(Text.size()));
  for (SpecialTokens Mode : {SpecialTokens::Parse, SpecialTokens::Plain})
    (void)T.encode(Text, Mode, Out, Scratch);
  size_t Sum = 0;
  for (int32_t Id = -1; Id < 3000; ++Id)
    for (char C : T.piece(Id))
      Sum += static_cast<size_t>(C);
  (void)T.findControl("<｜User｜>");
  volatile size_t Keep = Sum + T.piece(T.bos()).size();
  (void)Keep;
}

TEST(Tokenizer, DamagedBlobsNeverCrash) {
  const auto &Blob = tiny().Blob;
  std::mt19937 Random(11);
  for (int Round = 0; Round < 4000; ++Round) {
    std::vector<uint64_t> Copy((Blob.size() + 7) / 8);
    char *Bytes = reinterpret_cast<char *>(Copy.data());
    std::memcpy(Bytes, Blob.data(), Blob.size());
    bool InHeader = Round % 2 == 0;
    for (unsigned I = 0; I <= Random() % 4; ++I) {
      size_t At = 8 + Random() % ((InHeader ? 128 : Blob.size()) - 8);
      Bytes[At] = static_cast<char>(Random());
    }
    exercise(Bytes, Blob.size());
  }
}

// One value out of its range, wherever the tokenizer would follow it.
TEST(Tokenizer, EveryIndexIsChecked) {
  const auto &Blob = tiny().Blob;
  auto Expect = [&](const char *What, size_t At, uint32_t Value) {
    std::vector<uint64_t> Copy((Blob.size() + 7) / 8);
    char *Bytes = reinterpret_cast<char *>(Copy.data());
    std::memcpy(Bytes, Blob.data(), Blob.size());
    std::memcpy(Bytes + At, &Value, 4);
    Tokenizer T;
    EXPECT_EQ(Tokenizer::open(Bytes, Blob.size(), T), TextError::BadBlob)
        << What;
  };
  text::BlobHeader H;
  std::memcpy(&H, Blob.data(), sizeof(H));
  size_t Used = 0; // a slot of the merge table in use
  for (text::BlobMerge Merge; Used < H.mergeSlots; ++Used) {
    std::memcpy(&Merge, Blob.data() + H.mergeTable + Used * sizeof(Merge),
                sizeof(Merge));
    if (Merge.rank != text::noRank)
      break;
  }
  Expect("rank", H.mergeTable + Used * 12 + 8, H.numMerges);
  Expect("merge result", H.mergeResults + 4 * 5, H.numTokens);
  Expect("byte id", H.byteIds + 4 * 255, H.numTokens);
  Expect("piece", H.pieceTable + 4 * 7, H.numTokens + 1);
  Expect("token offset", H.tokenOffsets + 4 * 9, H.numBytes + 1);
  Expect("last token offset", H.tokenOffsets + 4 * H.numTokens, H.numBytes - 1);
  Expect("first edge", H.nodes, H.numEdges + 1);
  Expect("number of edges", H.nodes + 4, 257);
  Expect("added token", H.nodes + 12 * 5 + 8, H.numTokens + 1);
  Expect("token at the root", H.nodes + 8, 1);
  Expect("edge to itself", H.edges, uint32_t{'<'} << 24);
  Expect("edge beyond", H.edges, H.numNodes);
  Expect("bos", offsetof(text::BlobHeader, bos), H.numTokens);
  Expect("slots", offsetof(text::BlobHeader, mergeSlots), H.mergeSlots - 1);
  Expect("root", offsetof(text::BlobHeader, root), H.numNodes);
  Expect("section", offsetof(text::BlobHeader, edges), H.size - 8);
  Expect("section begin", offsetof(text::BlobHeader, texts), 4);
}

TEST(Tokenizer, FullTablesAreRefused) {
  const auto &Blob = tiny().Blob;
  text::BlobHeader H;
  std::memcpy(&H, Blob.data(), sizeof(H));
  auto Expect = [&](size_t At, size_t Count, size_t Stride) {
    std::vector<uint64_t> Copy((Blob.size() + 7) / 8);
    char *Bytes = reinterpret_cast<char *>(Copy.data());
    std::memcpy(Bytes, Blob.data(), Blob.size());
    uint32_t Value = 1;
    for (size_t I = 0; I < Count; ++I)
      std::memcpy(Bytes + At + I * Stride, &Value, 4);
    Tokenizer T;
    EXPECT_EQ(Tokenizer::open(Bytes, Blob.size(), T), TextError::BadBlob);
  };
  Expect(H.mergeTable + 8, H.mergeSlots, sizeof(text::BlobMerge));
  Expect(H.pieceTable, H.pieceSlots, 4);
}

TEST(Tokenizer, TruncatedOrForeignBlobsAreRefused) {
  const auto &Blob = tiny().Blob;
  Tokenizer T;
  for (size_t Size : {size_t{0}, size_t{8}, size_t{127}, size_t{128},
                      Blob.size() / 2, Blob.size() - 1})
    EXPECT_EQ(Tokenizer::open(Blob.data(), Size, T), TextError::BadBlob);
  EXPECT_EQ(Tokenizer::open(nullptr, 1000, T), TextError::BadBlob);
  EXPECT_EQ(Tokenizer::open(Blob.data() + 4, Blob.size() - 4, T),
            TextError::MisalignedBlob);
  std::vector<uint64_t> Zeros(1000);
  EXPECT_EQ(Tokenizer::open(Zeros.data(), 8000, T), TextError::BadBlob);
}
