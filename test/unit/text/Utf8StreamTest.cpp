// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Incremental output: the same text however the bytes are cut, nothing
// unfinished is written, and U+FFFD for what is invalid.

#include <string>
#include <vector>

#include "runtime/text/utf8_stream.h"
#include "gtest/gtest.h"

using dsv4::text::Utf8Stream;

static std::string push(Utf8Stream &Stream, std::string_view Bytes) {
  std::vector<char> Out(Utf8Stream::maxOutput(Bytes.size()));
  return std::string(Out.data(), Stream.push(Bytes, Out));
}

static std::string finish(Utf8Stream &Stream) {
  std::vector<char> Out(Utf8Stream::maxOutput(0));
  return std::string(Out.data(), Stream.finish(Out));
}

static std::string all(std::string_view Bytes, size_t Step) {
  Utf8Stream Stream;
  std::string Text;
  for (size_t I = 0; I < Bytes.size(); I += Step)
    Text += push(Stream, Bytes.substr(I, Step));
  return Text + finish(Stream);
}

TEST(Utf8Stream, HoldsBackUnfinishedCharacters) {
  Utf8Stream Stream;
  EXPECT_EQ(push(Stream, "a\xF0\x9F"), "a");
  EXPECT_EQ(Stream.held(), 2u);
  EXPECT_EQ(push(Stream, "\x98"), "");
  EXPECT_EQ(push(Stream, "\x80"
                         "b"),
            "😀b");
  EXPECT_EQ(Stream.held(), 0u);
  EXPECT_EQ(finish(Stream), "");
}

TEST(Utf8Stream, SameTextHoweverCut) {
  std::string Text = "aé你😀\n<｜User｜>\u0301";
  for (size_t Step = 1; Step <= Text.size(); ++Step)
    EXPECT_EQ(all(Text, Step), Text);
}

TEST(Utf8Stream, ReplacesInvalidBytes) {
  for (size_t Step = 1; Step < 6; ++Step) {
    EXPECT_EQ(all("a\xFF"
                  "b",
                  Step),
              "a\uFFFDb");
    EXPECT_EQ(all("\xE2\x82x", Step), "\uFFFDx");
    EXPECT_EQ(all("\xED\xA0\x80", Step), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(all("\xF0\x9F\x98", Step), "\uFFFD");
    EXPECT_EQ(all("\xF0\x9F\xF0\x9F\x98\x80", Step), "\uFFFD😀");
    EXPECT_EQ(all("\xC3\xC3\xA9", Step), "\uFFFDé");
  }
}

TEST(Utf8Stream, AfterFinishTheStreamIsNew) {
  Utf8Stream Stream;
  push(Stream, "\xE2\x82");
  EXPECT_EQ(finish(Stream), "\uFFFD");
  EXPECT_EQ(push(Stream, "ok"), "ok");
}
