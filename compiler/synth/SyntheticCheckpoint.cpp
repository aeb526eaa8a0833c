// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See SyntheticCheckpoint.h.

#include "compiler/synth/SyntheticCheckpoint.h"

#include "compiler/link/AtomicFile.h"
#include "compiler/synth/SyntheticValues.h"

#include "nlohmann/json.hpp"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using llvm::Error;
using llvm::StringRef;
using llvm::Twine;

namespace dsv4 {

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

static uint64_t bytesOf(const ExpectedTensor &T) {
  uint64_t Bytes = uint64_t(dtypeBytes(T.Type));
  for (int64_t Size : T.Shape)
    Bytes *= uint64_t(Size);
  return Bytes;
}

/// Puts "key=value" into the config.
static Error setKey(nlohmann::ordered_json &Config, StringRef Setting) {
  auto [Key, Value] = Setting.split('=');
  auto Parsed = nlohmann::ordered_json::parse(Value.str(), nullptr,
                                              /*allow_exceptions=*/false);
  if (Key.empty() || Parsed.is_discarded())
    return llvm::createStringError(
        "expected KEY=VALUE with a JSON value, got '" + Setting + "'");
  Config[Key.str()] = Parsed;
  return Error::success();
}

/// Keeps the first `Layers` of the ratios (and drops those of draft stages).
static void keepLayers(nlohmann::ordered_json &Config, int64_t Layers) {
  Config["num_hidden_layers"] = Layers;
  Config["num_nextn_predict_layers"] = 0;
  auto &Ratios = Config["compress_ratios"];
  if (Ratios.is_array() && Ratios.size() > size_t(Layers))
    Ratios.erase(Ratios.begin() + Layers, Ratios.end());
}

llvm::Expected<SyntheticPlan>
planSynthetic(StringRef Path, int64_t Layers,
              llvm::ArrayRef<std::string> Settings, uint64_t ShardBytes) {
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  if (!Buffer)
    return llvm::createStringError("cannot read " + Path + ": " +
                                   Buffer.getError().message());
  SyntheticPlan Plan;
  Plan.ConfigText = (*Buffer)->getBuffer().str();
  if (Layers || !Settings.empty()) {
    // Proves the text before a second parser sees it: size, depth, keys.
    auto Checked = parseConfig(Path, Plan.ConfigText);
    if (!Checked)
      return Checked.takeError();
    auto Json = nlohmann::ordered_json::parse(Plan.ConfigText);
    for (const std::string &Setting : Settings)
      if (Error E = setKey(Json, Setting))
        return std::move(E);
    if (Layers)
      keepLayers(Json, Layers);
    Plan.ConfigText = Json.dump(2) + "\n";
  }
  auto Config = parseConfig(Path, Plan.ConfigText);
  if (!Config)
    return Config.takeError();
  Plan.Config = *Config;
  Plan.Experts = Config->Experts == ExpertFormat::Infer ? ExpertFormat::Fp4
                                                        : Config->Experts;
  uint64_t InShard = 0;
  for (ExpectedTensor &T : expectedTensors(*Config, Plan.Experts)) {
    uint64_t Bytes = bytesOf(T);
    if (Plan.Shards.empty() || InShard + Bytes > ShardBytes) {
      Plan.Shards.emplace_back();
      InShard = 0;
    }
    InShard += Bytes;
    Plan.Bytes += Bytes;
    Plan.BytesByDType[dtypeName(T.Type).str()] += Bytes;
    Plan.Shards.back().push_back(std::move(T));
  }
  return Plan;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {
class Writer {
public:
  Writer(const SyntheticPlan &Plan, StringRef Directory, uint64_t Seed,
         llvm::function_ref<void(uint64_t)> Step)
      : Plan(Plan), Directory(Directory.str()), Seed(Seed), Step(Step),
        Buffer(4 << 20) {}

  /// Removes what is there unless everything was written.
  ~Writer() {
    for (const std::string &Path : Written)
      if (!Complete)
        llvm::sys::fs::remove(Path);
      else
        llvm::sys::DontRemoveFileOnSignal(Path);
  }

  Error run() {
    for (size_t I = 0; I < Plan.Shards.size(); ++I)
      if (Error E = shard(I))
        return E;
    nlohmann::json Index;
    Index["metadata"]["total_size"] = Plan.Bytes;
    for (size_t I = 0; I < Plan.Shards.size(); ++I)
      for (const ExpectedTensor &T : Plan.Shards[I])
        Index["weight_map"][T.Name] = shardName(I);
    if (Error E = text("model.safetensors.index.json", Index.dump(1) + "\n"))
      return E;
    if (Error E = text("config.json", Plan.ConfigText))
      return E;
    Complete = true;
    return Error::success();
  }

private:
  std::string shardName(size_t I) const {
    std::string Name;
    llvm::raw_string_ostream(Name) << llvm::format(
        "model-%05d-of-%05d.safetensors", int(I + 1), int(Plan.Shards.size()));
    return Name;
  }

  llvm::Expected<AtomicFile> begin(const std::string &Name) {
    return AtomicFile::create(Directory + "/" + Name);
  }

  Error finish(AtomicFile &File) {
    std::string Path = File.path().str();
    if (Error E = File.commit(0644))
      return E;
    Written.push_back(Path);
    llvm::sys::RemoveFileOnSignal(Path);
    return Error::success();
  }

  Error text(const std::string &Name, const std::string &Text) {
    auto File = begin(Name);
    if (!File)
      return File.takeError();
    if (Error E = File->write(Text))
      return E;
    return finish(*File);
  }

  /// The header: eight bytes of length, then JSON padded to eight bytes.
  static std::string header(llvm::ArrayRef<ExpectedTensor> Tensors) {
    nlohmann::ordered_json Json;
    uint64_t At = 0;
    for (const ExpectedTensor &T : Tensors) {
      uint64_t End = At + bytesOf(T);
      Json[T.Name] = {{"dtype", dtypeName(T.Type).str()},
                      {"shape", T.Shape},
                      {"data_offsets", {At, End}}};
      At = End;
    }
    std::string Text = Json.dump();
    Text.append((8 - Text.size() % 8) % 8, ' ');
    char Length[8];
    llvm::support::endian::write64le(Length, Text.size());
    return std::string(Length, 8) + Text;
  }

  Error shard(size_t I) {
    auto File = begin(shardName(I));
    if (!File)
      return File.takeError();
    if (Error E = File->write(header(Plan.Shards[I])))
      return E;
    for (const ExpectedTensor &T : Plan.Shards[I])
      if (Error E = tensor(*File, T))
        return E;
    return finish(*File);
  }

  Error tensor(AtomicFile &File, const ExpectedTensor &T) {
    SyntheticValues Values(T, Seed, Plan.Config.NumExperts, Plan.Experts);
    uint64_t Row = uint64_t(T.Shape.back() * dtypeBytes(T.Type));
    uint64_t Unit = T.Type == DType::I64 ? Row : 64;
    uint64_t Most = std::max<uint64_t>(Buffer.size() / Unit, 1) * Unit;
    Buffer.resize(std::max<uint64_t>(Buffer.size(), Most));
    for (uint64_t Left = bytesOf(T); Left > 0;) {
      uint64_t Size = std::min(Left, Most);
      llvm::MutableArrayRef<uint8_t> Part(Buffer.data(), Size);
      Values.fill(Part);
      if (Error E = File.write(StringRef(
              reinterpret_cast<const char *>(Part.data()), Part.size())))
        return E;
      Left -= Size;
      Step(Done += Size);
    }
    return Error::success();
  }

  const SyntheticPlan &Plan;
  std::string Directory;
  uint64_t Seed;
  llvm::function_ref<void(uint64_t)> Step;
  std::vector<uint8_t> Buffer;
  std::vector<std::string> Written;
  uint64_t Done = 0;
  bool Complete = false;
};
} // namespace

static Error checkDirectory(const SyntheticPlan &Plan, StringRef Directory,
                            bool Force) {
  if (auto Code = llvm::sys::fs::create_directories(Directory))
    return llvm::createStringError("cannot make the directory " + Directory +
                                   ": " + Code.message());
  std::error_code Code;
  llvm::sys::fs::directory_iterator First(Directory, Code), End;
  if (Code)
    return llvm::createStringError("cannot read the directory " + Directory +
                                   ": " + Code.message());
  if (First != End && !Force)
    return llvm::createStringError(Directory +
                                   ": expected an empty directory, found " +
                                   First->path() + "; --force writes into it");
  auto Space = llvm::sys::fs::disk_space(Directory);
  if (Space && Space->available < Plan.Bytes && !Force)
    return llvm::createStringError(
        Directory + ": " + Twine(Plan.Bytes) + " bytes are to be written, " +
        Twine(Space->available) + " are free; choose another disk");
  return Error::success();
}

Error writeSynthetic(const SyntheticPlan &Plan, StringRef Directory,
                     uint64_t Seed, bool Force,
                     llvm::function_ref<void(uint64_t)> Step) {
  if (Error E = checkDirectory(Plan, Directory, Force))
    return E;
  return Writer(Plan, Directory, Seed, Step).run();
}

} // namespace dsv4
