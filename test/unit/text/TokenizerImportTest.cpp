// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The import of tokenizer.json: deterministic bytes, and a clear refusal, by
// name, of everything that the runtime tokenizer does not do.

#include "TestTokenizers.h"

using namespace dsv4;
using namespace dsv4::test;

namespace {

struct Files {
  std::string Json = readSource("samples/tiny-chat/tokenizer.json");
  std::string Config = readSource("samples/tiny-chat/tokenizer_config.json");

  /// Replaces the first occurrence, which must exist.
  static void replace(std::string &Text, const std::string &From,
                      const std::string &To) {
    size_t At = Text.find(From);
    ASSERT_NE(At, std::string::npos) << From;
    Text.replace(At, From.size(), To);
  }
  std::string error() const {
    auto Result = importTokenizerText(Json, "tokenizer.json", Config,
                                      "tokenizer_config.json");
    return Result ? "" : llvm::toString(Result.takeError());
  }
};

void expectRefusal(const std::string &From, const std::string &To,
                   const std::string &Message) {
  Files F;
  Files::replace(F.Json, From, To);
  std::string Error = F.error();
  EXPECT_NE(Error.find("tokenizer.json: "), std::string::npos) << Error;
  EXPECT_NE(Error.find(Message), std::string::npos)
      << "found: " << Error << "\nexpected: " << Message;
}

} // namespace

TEST(TokenizerImport, SameBytesTwice) {
  auto Again = importTokenizer(DSV4_SOURCE_DIR "/samples/tiny-chat");
  ASSERT_TRUE(static_cast<bool>(Again));
  EXPECT_EQ(Again->Blob, tiny().Blob);
  EXPECT_EQ(tiny().NumTokens, 2048u);
  EXPECT_EQ(tiny().Bos, 0);
  EXPECT_EQ(tiny().Eos, 1);
  EXPECT_EQ(tiny().Pad, 1);
}

TEST(TokenizerImport, RefusesByName) {
  expectRefusal("\"normalizers\": []", "\"normalizers\": [{\"type\":\"NFC\"}]",
                "normalizer: only none");
  expectRefusal("\\\\p{N}{1,3}", "\\\\p{N}{1,2}", "unknown regular expression");
  expectRefusal("\"behavior\": \"Isolated\"", "\"behavior\": \"Removed\"",
                "expected behavior Isolated");
  expectRefusal("\"use_regex\": false", "\"use_regex\": true", "use_regex");
  expectRefusal("\"byte_fallback\": false", "\"byte_fallback\": true",
                "byte_fallback is not supported");
  expectRefusal("\"dropout\": null", "\"dropout\": 0.1",
                "dropout is not supported");
  expectRefusal("\"truncation\": null", "\"truncation\": {}",
                "truncation is not supported");
  expectRefusal("\"lstrip\": false", "\"lstrip\": true",
                "added_tokens[0]: lstrip is not supported");
  expectRefusal("\"type\": \"BPE\"", "\"type\": \"WordPiece\"",
                "model: expected type BPE");
}

TEST(TokenizerImport, RefusesInconsistentVocabulary) {
  expectRefusal("\"id\": 1,", "\"id\": 0,", "id 0 is used twice");
  expectRefusal("\"id\": 1,", "\"id\": -1,", "expected an id below");
  expectRefusal("\"id\": 1,", "\"id\": 99999999999,", "expected an id below");
  expectRefusal("\"m e\"", "\"m qqqq\"", "\"qqqq\" is not in the vocabulary");
  expectRefusal("\"m e\"", "\"me\"", "model.merges[1]: expected");
  expectRefusal("\"m e\"", "7", "model.merges[1]: expected");
  expectRefusal("\"content\": \"<｜User｜>\"", "\"content\": \"\"",
                "content is missing");
}

TEST(TokenizerImport, RefusesBrokenJson) {
  Files F;
  F.Json.resize(F.Json.size() / 2);
  EXPECT_NE(F.error().find("tokenizer.json: "), std::string::npos);
  F.Json = std::string(1000000, '[');
  EXPECT_NE(F.error().find("nested deeper than 64"), std::string::npos);
  for (const char *Text : {"", "[]", "7", "{}", "{\"model\":3}", "\xff",
                           "{\"pre_tokenizer\":{\"type\":[]}}"}) {
    F.Json = Text;
    EXPECT_FALSE(F.error().empty()) << Text;
  }
}

TEST(TokenizerImport, ChecksConfig) {
  Files F;
  Files::replace(F.Config, "\"add_bos_token\": false",
                 "\"add_bos_token\": true");
  EXPECT_EQ(F.error(),
            "tokenizer_config.json: add_bos_token: only false is supported");
  F = Files();
  Files::replace(F.Config, "<｜end▁of▁sentence｜>", "<eos>");
  EXPECT_EQ(F.error(), "tokenizer_config.json: eos_token: <eos> is not an "
                       "added token of tokenizer.json");
  auto Missing = importTokenizer("/nonexistent");
  ASSERT_FALSE(static_cast<bool>(Missing));
  EXPECT_NE(
      llvm::toString(Missing.takeError()).find("/nonexistent/tokenizer.json"),
      std::string::npos);
}

// Any single damaged byte gives a tokenizer or an error, never a crash.
TEST(TokenizerImport, DamagedFilesNeverCrash) {
  Files Good;
  unsigned State = 1;
  for (int Round = 0; Round < 60; ++Round) {
    Files F = Good;
    for (int I = 0; I < 3; ++I) {
      State = State * 1664525u + 1013904223u;
      F.Json[State % F.Json.size()] = static_cast<char>(State >> 24);
    }
    (void)F.error();
  }
}
