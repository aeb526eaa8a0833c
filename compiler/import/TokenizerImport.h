// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tokenizer.json + tokenizer_config.json -> the blob that the executable maps
// (runtime/text/tokenizer_blob.h). The files are not trusted. Only the exact
// kind of tokenizer of the DeepSeek V4 family is accepted (model.md 5.1);
// anything else is refused by the name of what is unsupported, because a
// tokenizer that is nearly right gives wrong ids silently.

#ifndef DSV4_COMPILER_IMPORT_TOKENIZERIMPORT_H
#define DSV4_COMPILER_IMPORT_TOKENIZERIMPORT_H

#include <cstdint>
#include <string>

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace dsv4 {

/// The blob and what the rest of the compiler wants to know of it.
struct ImportedTokenizer {
  llvm::SmallVector<char, 0> Blob; // deterministic bytes
  uint32_t NumTokens = 0;          // highest id + 1
  int32_t Bos = -1, Eos = -1, Pad = -1;
};

/// Reads both files of `Directory`. Errors name the file and the key.
llvm::Expected<ImportedTokenizer> importTokenizer(llvm::StringRef Directory);

/// The same from text in memory; the names are for messages.
llvm::Expected<ImportedTokenizer>
importTokenizerText(llvm::StringRef Json, llvm::StringRef JsonName,
                    llvm::StringRef Config, llvm::StringRef ConfigName);

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_TOKENIZERIMPORT_H
