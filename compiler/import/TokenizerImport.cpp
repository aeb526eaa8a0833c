// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Entry points of the tokenizer import: files to text to model to blob.

#include "compiler/import/TokenizerImport.h"

#include "compiler/import/TokenizerModel.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

namespace dsv4 {

// The official file has 6 MB.
static constexpr size_t MaxFileBytes = size_t{1} << 28;

static llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
readFile(llvm::StringRef Path) {
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  if (!Buffer)
    return llvm::createStringError(Buffer.getError(),
                                   "cannot read " + Path + ": " +
                                       Buffer.getError().message());
  if ((*Buffer)->getBufferSize() > MaxFileBytes)
    return llvm::createStringError(
        "expected at most 256 MiB, found a larger file: " + Path);
  return std::move(*Buffer);
}

llvm::Expected<ImportedTokenizer>
importTokenizerText(llvm::StringRef Json, llvm::StringRef JsonName,
                    llvm::StringRef Config, llvm::StringRef ConfigName) {
  auto Model = readTokenizerModel(Json, JsonName, Config, ConfigName);
  if (!Model)
    return Model.takeError();
  return writeTokenizerBlob(*Model, JsonName);
}

llvm::Expected<ImportedTokenizer> importTokenizer(llvm::StringRef Directory) {
  llvm::SmallString<256> Json(Directory), Config(Directory);
  llvm::sys::path::append(Json, "tokenizer.json");
  llvm::sys::path::append(Config, "tokenizer_config.json");
  auto JsonFile = readFile(Json);
  if (!JsonFile)
    return JsonFile.takeError();
  auto ConfigFile = readFile(Config);
  if (!ConfigFile)
    return ConfigFile.takeError();
  return importTokenizerText((*JsonFile)->getBuffer(), Json,
                             (*ConfigFile)->getBuffer(), Config);
}

} // namespace dsv4
