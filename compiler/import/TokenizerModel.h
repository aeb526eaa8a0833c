// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What TokenizerJson.cpp reads out of the files and TokenizerBlob.cpp writes
// into the blob: the tokenizer without any JSON.

#ifndef DSV4_COMPILER_IMPORT_TOKENIZERMODEL_H
#define DSV4_COMPILER_IMPORT_TOKENIZERMODEL_H

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/import/TokenizerImport.h"

namespace dsv4 {

struct TokenizerModel {
  struct Token {
    std::string Text; // bytes, not the printable form of the file
    uint8_t Flags = 0;
  };
  struct Merge {
    uint32_t Left, Right, Result; // rank = position in the list
  };
  struct Added {
    std::string Text;
    uint32_t Id;
    bool Normalized;
  };
  std::vector<Token> Tokens; // by id
  std::vector<Merge> Merges;
  std::vector<Added> AddedTokens;
  std::array<uint32_t, 256> ByteIds;
  int32_t Bos = -1, Eos = -1, Pad = -1;
};

/// Reads and checks both files.
llvm::Expected<TokenizerModel> readTokenizerModel(llvm::StringRef Json,
                                                  llvm::StringRef JsonName,
                                                  llvm::StringRef Config,
                                                  llvm::StringRef ConfigName);

/// Lays the blob out. Fails only if the model is too large for it.
llvm::Expected<ImportedTokenizer>
writeTokenizerBlob(const TokenizerModel &Model, llvm::StringRef JsonName);

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_TOKENIZERMODEL_H
