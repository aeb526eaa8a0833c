// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two tokenizers of the tests, imported once per process, and small
// helpers to encode with them.

#ifndef DSV4_TEST_UNIT_TEXT_TESTTOKENIZERS_H
#define DSV4_TEST_UNIT_TEXT_TESTTOKENIZERS_H

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/import/TokenizerImport.h"
#include "runtime/text/tokenizer.h"
#include "gtest/gtest.h"

namespace dsv4::test {

inline std::string readSource(const std::string &Path) {
  std::ifstream File(std::string(DSV4_SOURCE_DIR "/") + Path, std::ios::binary);
  EXPECT_TRUE(File.good()) << Path;
  std::ostringstream Text;
  Text << File.rdbuf();
  return Text.str();
}

inline ImportedTokenizer importOrDie(const char *Directory) {
  auto Result = importTokenizer(std::string(DSV4_SOURCE_DIR "/") + Directory);
  if (!Result) {
    ADD_FAILURE() << llvm::toString(Result.takeError());
    std::abort();
  }
  return std::move(*Result);
}

inline const ImportedTokenizer &official() {
  static ImportedTokenizer T = importOrDie("test/data/tokenizer");
  return T;
}
inline const ImportedTokenizer &tiny() {
  static ImportedTokenizer T = importOrDie("samples/tiny-chat");
  return T;
}

inline text::Tokenizer open(const ImportedTokenizer &Imported) {
  text::Tokenizer T;
  EXPECT_EQ(
      text::Tokenizer::open(Imported.Blob.data(), Imported.Blob.size(), T),
      text::TextError::None);
  return T;
}

inline std::vector<int32_t> encode(const text::Tokenizer &T,
                                   std::string_view Text,
                                   text::SpecialTokens Mode) {
  std::vector<int32_t> Ids(text::Tokenizer::maxTokens(Text.size()));
  std::vector<std::byte> Scratch(T.scratchBytes(Text, Mode));
  auto Result = T.encode(Text, Mode, Ids, Scratch);
  EXPECT_EQ(Result.error, text::TextError::None);
  Ids.resize(Result.count);
  return Ids;
}

inline std::string decode(const text::Tokenizer &T,
                          const std::vector<int32_t> &Ids) {
  std::string Text;
  for (int32_t Id : Ids)
    Text += T.piece(Id);
  return Text;
}

} // namespace dsv4::test

#endif // DSV4_TEST_UNIT_TEXT_TESTTOKENIZERS_H
