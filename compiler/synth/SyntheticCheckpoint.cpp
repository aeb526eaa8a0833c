// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the files of a planned synthetic checkpoint, one after the other,
// through one buffer of a few MiB.

#include "compiler/synth/SyntheticCheckpoint.h"

#include "compiler/import/TokenizerImport.h"
#include "compiler/synth/OutputFolder.h"
#include "compiler/synth/SyntheticValues.h"
#include "targets/common/AtomicFile.h"

#include "nlohmann/json.hpp"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace dsv4 {

namespace {

using TextFile = std::pair<std::string, std::string>; // name, text

class Writer {
public:
  Writer(const SyntheticPlan &Plan, const SyntheticOutput &Output,
         OutputFolder &Folder, llvm::function_ref<void(uint64_t)> Step)
      : Plan(Plan), Output(Output), Folder(Folder), Step(Step),
        Buffer(4 << 20) {}

  Error run(llvm::ArrayRef<TextFile> Tokenizer) {
    for (size_t I = 0; I < Plan.Shards.size(); ++I)
      if (Error E = shard(I))
        return E;
    for (const auto &[Name, Text] : Tokenizer)
      if (Error E = Folder.write(Name, Text))
        return E;
    if (Error E = Folder.write(IndexName, index()))
      return E;
    return Folder.write("config.json", Plan.ConfigText);
  }

private:
  std::string shardName(size_t I) const {
    std::string Name;
    llvm::raw_string_ostream(Name) << llvm::format(
        "model-%05d-of-%05d.safetensors", int(I + 1), int(Plan.Shards.size()));
    return Name;
  }

  /// Tells where each tensor is, and that the checkpoint is synthetic.
  std::string index() const {
    nlohmann::json Index;
    Index["metadata"] = {{"total_size", Plan.Bytes}, {SeedKey, Output.Seed}};
    for (size_t I = 0; I < Plan.Shards.size(); ++I)
      for (const ExpectedTensor &T : Plan.Shards[I])
        Index["weight_map"][T.Name] = shardName(I);
    return Index.dump(1) + "\n";
  }

  /// The header: eight bytes of length, then JSON padded to eight bytes. Names
  /// need no escapes.
  static std::string header(llvm::ArrayRef<ExpectedTensor> Tensors) {
    std::string Text(8, '\0');
    llvm::raw_string_ostream Out(Text);
    uint64_t At = 0;
    for (const ExpectedTensor &T : Tensors) {
      Out << (At ? ',' : '{') << '"' << T.Name << "\":{\"dtype\":\""
          << dtypeName(T.Type) << "\",\"shape\":[";
      llvm::interleave(T.Shape, Out, ",");
      Out << "],\"data_offsets\":[" << At << ',' << At + tensorBytes(T) << "]}";
      At += tensorBytes(T);
    }
    Out << '}';
    Text.append((8 - Text.size() % 8) % 8, ' ');
    llvm::support::endian::write64le(Text.data(), Text.size() - 8);
    return Text;
  }

  Error shard(size_t I) {
    Expected<AtomicFile> File = Folder.begin(shardName(I));
    if (!File)
      return File.takeError();
    if (Error E = File->write(header(Plan.Shards[I])))
      return E;
    for (const ExpectedTensor &T : Plan.Shards[I])
      if (Error E = tensor(*File, T))
        return E;
    return Folder.finish(*File);
  }

  Error tensor(AtomicFile &File, const ExpectedTensor &T) {
    SyntheticValues Values(T, Output.Seed, Plan.Config.NumExperts,
                           Plan.Experts);
    uint64_t Row = uint64_t(T.Shape.back() * dtypeBytes(T.Type));
    uint64_t Unit = T.Type == DType::I64 ? Row : 64;
    uint64_t Most = Buffer.size() / Unit * Unit;
    for (uint64_t Left = tensorBytes(T); Left > 0;) {
      uint64_t Size = std::min(Left, Most);
      llvm::MutableArrayRef<uint8_t> Part(Buffer.data(), Size);
      Values.fill(Part);
      if (Error E = File.write(llvm::toStringRef(Part)))
        return E;
      Left -= Size;
      Step(Done += Size);
    }
    return Error::success();
  }

  const SyntheticPlan &Plan;
  const SyntheticOutput &Output;
  OutputFolder &Folder;
  llvm::function_ref<void(uint64_t)> Step;
  std::vector<uint8_t> Buffer;
  uint64_t Done = 0;
};

} // namespace

/// The files of a tokenizer that the model can have.
static Expected<std::vector<TextFile>> readTokenizer(StringRef Directory,
                                                     int64_t VocabSize) {
  std::vector<TextFile> Files;
  if (Directory.empty())
    return Files;
  Expected<ImportedTokenizer> Imported = importTokenizer(Directory);
  if (!Imported)
    return Imported.takeError();
  if (int64_t(Imported->NumTokens) > VocabSize)
    return llvm::createStringError(
        Directory + ": expected a tokenizer of at most the config's " +
        Twine(VocabSize) + " tokens, found " + Twine(Imported->NumTokens) +
        "; --set vocab_size=" + Twine(Imported->NumTokens) + " makes room");
  for (const char *Name : {"tokenizer.json", "tokenizer_config.json"}) {
    auto Buffer = llvm::MemoryBuffer::getFile(Directory + "/" + Name);
    if (!Buffer)
      return llvm::createStringError("cannot read " + Directory + "/" + Name +
                                     ": " + Buffer.getError().message());
    Files.push_back({Name, (*Buffer)->getBuffer().str()});
  }
  return Files;
}

/// Tensors, and of each its entries in header and index (below 256 bytes).
static uint64_t diskBytes(const SyntheticPlan &Plan,
                          llvm::ArrayRef<TextFile> Tokenizer) {
  uint64_t Bytes = Plan.Bytes + Plan.Tensors * 256 + Plan.ConfigText.size();
  for (const auto &[Name, Text] : Tokenizer)
    Bytes += Text.size();
  return Bytes;
}

Error writeSynthetic(const SyntheticPlan &Plan, const SyntheticOutput &Output,
                     llvm::function_ref<void(uint64_t)> Step) {
  auto Tokenizer = readTokenizer(Output.Tokenizer, Plan.Config.VocabSize);
  if (!Tokenizer)
    return Tokenizer.takeError();
  OutputFolder Folder(Output.Directory);
  if (Error E = Folder.open(Output.Force, Plan.ConfigPath))
    return E;
  if (Error E = Folder.makeRoom(diskBytes(Plan, *Tokenizer)))
    return E;
  if (Error E = Writer(Plan, Output, Folder, Step).run(*Tokenizer))
    return E;
  Folder.keep();
  return Error::success();
}

} // namespace dsv4
