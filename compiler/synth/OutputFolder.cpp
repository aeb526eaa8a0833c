// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See OutputFolder.h.

#include "compiler/synth/OutputFolder.h"

#include "nlohmann/json.hpp"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

#include <set>

namespace fs = llvm::sys::fs;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace dsv4 {

OutputFolder::~OutputFolder() {
  for (const std::string &File : Written) {
    if (!Complete)
      fs::remove(File);
    llvm::sys::DontRemoveFileOnSignal(File);
  }
  if (Made && !Complete)
    fs::remove(Path); // refuses where somebody else put something
}

/// The shards that the index of a synthetic checkpoint names; none where the
/// index is another's, or damaged.
static std::set<std::string> syntheticShards(StringRef IndexPath) {
  std::set<std::string> Shards;
  auto Buffer = llvm::MemoryBuffer::getFile(IndexPath);
  if (!Buffer)
    return Shards;
  StringRef Text = (*Buffer)->getBuffer();
  auto Index = nlohmann::json::parse(Text.begin(), Text.end(), nullptr, false);
  if (!Index.is_object() || !Index["metadata"].is_object() ||
      !Index["metadata"].contains(SeedKey) || !Index["weight_map"].is_object())
    return Shards;
  for (const auto &Shard : Index["weight_map"])
    if (Shard.is_string())
      Shards.insert(Shard.get<std::string>());
  return Shards;
}

/// Lists what gives way to the new checkpoint; refuses where there are weights
/// that no synthetic index names.
Error OutputFolder::findEarlier() {
  std::set<std::string> Shards = syntheticShards(Path + "/" + IndexName);
  std::error_code Code;
  for (fs::directory_iterator I(Path, Code), End; I != End && !Code;
       I.increment(Code)) {
    StringRef Name = llvm::sys::path::filename(I->path());
    bool Shard = Shards.count(Name.str());
    if (!Shard && (Name.ends_with(".safetensors") ||
                   (Name == IndexName && Shards.empty())))
      return llvm::createStringError(
          Path + ": found " + Name +
          ", which dsv4-synth has not written; it stays, even with --force: "
          "choose another directory");
    if (!Shard && Name != IndexName && Name != "config.json")
      continue;
    uint64_t Size = 0;
    fs::file_size(I->path(), Size);
    EarlierBytes += Size;
    Earlier.push_back(I->path());
  }
  return Code ? llvm::createStringError("cannot read the directory " + Path +
                                        ": " + Code.message())
              : Error::success();
}

Error OutputFolder::open(bool Force, StringRef ConfigPath) {
  bool There = fs::exists(Path);
  if (There && !fs::is_directory(Path))
    return llvm::createStringError(Path +
                                   ": expected a directory, found a file");
  if (auto Code = fs::create_directories(Path, true, fs::all_all))
    return llvm::createStringError("cannot make the directory " + Path + ": " +
                                   Code.message());
  Made = !There;
  std::error_code Code;
  fs::directory_iterator First(Path, Code), End;
  if (Code)
    return llvm::createStringError("cannot read the directory " + Path + ": " +
                                   Code.message());
  if (First == End)
    return Error::success();
  if (!Force)
    return llvm::createStringError(
        Path + ": expected an empty or a new directory, found " +
        llvm::sys::path::filename(First->path()) +
        " in it; --force writes into it");
  if (fs::equivalent(Path + "/config.json", ConfigPath))
    return llvm::createStringError(
        Path + ": expected another directory than that of the config to be "
               "read, which would be replaced");
  return findEarlier();
}

Error OutputFolder::makeRoom(uint64_t Bytes) {
  auto Space = fs::disk_space(Path);
  uint64_t Free = Space ? Space->available + EarlierBytes : Bytes;
  if (Free < Bytes)
    return llvm::createStringError(
        Path + ": " + Twine(Bytes) + " bytes are to be written, " +
        Twine(Free) + " are free, " + Twine(Bytes - Free) +
        " are missing: free space, choose another disk or fewer --layers");
  for (const std::string &File : Earlier)
    if (auto Code = fs::remove(File))
      return llvm::createStringError("cannot replace " + File + ": " +
                                     Code.message());
  return Error::success();
}

Expected<AtomicFile> OutputFolder::begin(StringRef Name) {
  return AtomicFile::create((Path + "/" + Name).str());
}

Error OutputFolder::finish(AtomicFile &File) {
  std::string Final = File.path().str();
  bool Replaces = fs::exists(Final); // a tokenizer, with --force
  if (!Replaces) { // before the file is there, so that no signal comes between
    Written.push_back(Final);
    llvm::sys::RemoveFileOnSignal(Final);
  }
  return File.commit(0644);
}

Error OutputFolder::write(StringRef Name, StringRef Text) {
  Expected<AtomicFile> File = begin(Name);
  if (!File)
    return File.takeError();
  if (Error E = File->write(Text))
    return E;
  return finish(*File);
}

} // namespace dsv4
