// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Checkpoint.h.

#include "compiler/import/Checkpoint.h"

#include "compiler/import/JsonText.h"
#include "nlohmann/json.hpp"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using nlohmann::json;

namespace dsv4 {

namespace {

template <class... Ts>
Error fail(const std::string &Path, const char *Format, Ts &&...Values) {
  std::string Text = llvm::formatv(Format, std::forward<Ts>(Values)...).str();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 Path + ": " + Text);
}

Expected<std::string> readSmallFile(const std::string &Path) {
  auto Buffer = llvm::MemoryBuffer::getFile(Path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!Buffer)
    return fail(Path, "cannot be read: {0}", Buffer.getError().message());
  return (*Buffer)->getBuffer().str();
}

/// A file name without any way out of the directory.
bool isPlainName(const std::string &Name) {
  return !Name.empty() && Name.find('/') == std::string::npos &&
         Name.find('\0') == std::string::npos && Name[0] != '.';
}

bool isDraft(StringRef OfficialName) {
  return OfficialName.starts_with("mtp.");
}

} // namespace

Error Checkpoint::readConfig() {
  std::string Path = Directory + "/config.json";
  if (!llvm::sys::fs::is_directory(Directory))
    return fail(Directory, "expected a checkpoint directory");
  Expected<std::string> Text = readSmallFile(Path);
  if (!Text)
    return Text.takeError();
  Expected<ModelConfig> Parsed = parseConfig(Path, *Text);
  if (!Parsed)
    return Parsed.takeError();
  Config = std::move(*Parsed);
  ConfigHash = sha256Hex(*Text);
  std::string Generation = Directory + "/generation_config.json";
  if (llvm::sys::fs::exists(Generation)) {
    Expected<std::string> More = readSmallFile(Generation);
    if (!More)
      return More.takeError();
    if (Error E = parseGenerationConfig(Generation, *More, Config))
      return E;
  }
  std::string Tokenizer = Directory + "/tokenizer.json";
  if (llvm::sys::fs::exists(Tokenizer)) {
    Expected<std::string> Bytes = readSmallFile(Tokenizer);
    if (!Bytes)
      return Bytes.takeError();
    TokenizerHash = sha256Hex(*Bytes);
  }
  return Error::success();
}

Error Checkpoint::readIndex() {
  std::map<std::string, std::string> ShardOf;
  std::string Path = Directory + "/model.safetensors.index.json";
  if (!llvm::sys::fs::exists(Path)) {
    if (llvm::sys::fs::exists(Directory + "/model.safetensors"))
      ShardOf[""] = "model.safetensors";
    return openShards(ShardOf);
  }
  Expected<std::string> Text = readSmallFile(Path);
  if (!Text)
    return Text.takeError();
  IndexHash = sha256Hex(*Text);
  json Index = json::parse(*Text, nullptr, /*allow_exceptions=*/false);
  if (Index.is_discarded() || !Index.is_object() ||
      !Index.contains("weight_map") || !Index["weight_map"].is_object())
    return fail(Path, "expected a JSON object with a weight_map; the file is "
                      "damaged, fetch it again");
  for (const auto &[Name, Shard] : Index["weight_map"].items()) {
    if (officialName(Name).empty())
      return fail(Path, "weight_map: a tensor has no name");
    if (!Shard.is_string() || !isPlainName(Shard.get<std::string>()))
      return fail(Path, "tensor {0}: expected a file name, found {1}", Name,
                  jsonText(Shard));
    ShardOf[officialName(Name)] = Shard.get<std::string>();
  }
  if (ShardOf.empty())
    return fail(Path, "weight_map is empty");
  return openShards(ShardOf);
}

Error Checkpoint::openShards(
    const std::map<std::string, std::string> &ShardOf) {
  std::map<std::string, std::string> Shards; // shard -> a tensor that needs it
  for (const auto &[Name, Shard] : ShardOf)
    Shards.emplace(Shard, Name);
  for (const auto &[Shard, Name] : Shards) {
    std::string Path = Directory + "/" + Shard;
    if (!llvm::sys::fs::exists(Path))
      return fail(Path,
                  "shard is missing (tensor {0} should be in it); fetch "
                  "the checkpoint again",
                  Name);
    Expected<SafetensorsFile> File = SafetensorsFile::open(Path);
    if (!File)
      return File.takeError();
    Files.push_back(std::make_unique<SafetensorsFile>(std::move(*File)));
    if (Error E = addTensors(*Files.back(), Shard, ShardOf))
      return E;
  }
  for (const auto &[Name, Shard] : ShardOf)
    if (!Name.empty() && !Tensors.contains(Name))
      return fail(Directory + "/" + Shard,
                  "tensor {0} is missing, although the index says it is here",
                  Name);
  return Error::success();
}

Error Checkpoint::addTensors(
    const SafetensorsFile &File, StringRef Shard,
    const std::map<std::string, std::string> &ShardOf) {
  bool Indexed = !ShardOf.contains("");
  for (const TensorInfo &T : File.tensors()) {
    std::string Name = officialName(T.Name);
    if (Name.find("gate_up_proj") != std::string::npos)
      return fail(File.path().str(),
                  "tensor {0}: fused gate_up_proj experts are unsupported; use "
                  "a checkpoint with one tensor per expert",
                  T.Name);
    auto Entry = ShardOf.find(Name);
    if (Indexed && (Entry == ShardOf.end() || Entry->second != Shard))
      return fail(File.path().str(), "tensor {0} is here, but the index {1}",
                  T.Name,
                  Entry == ShardOf.end() ? std::string("does not list it")
                                         : "says it is in " + Entry->second);
    if (!Tensors.try_emplace(Name, Location{&File, &T}).second)
      return fail(File.path().str(), "tensor {0} appears twice", Name);
  }
  return Error::success();
}

Error Checkpoint::inferExperts() {
  Experts = Config.Experts;
  const TensorInfo *First = find("layers.0.ffn.experts.0.w1.weight");
  ExpertFormat Stored = First && First->Type == DType::F8_E4M3
                            ? ExpertFormat::Fp8
                            : ExpertFormat::Fp4;
  if (Experts == ExpertFormat::Infer)
    Experts = Stored;
  if (First && Experts != Stored)
    return fail(Directory + "/config.json",
                "expert_dtype says {0}, but the experts are stored as {1}",
                Experts == ExpertFormat::Fp8 ? "fp8" : "fp4",
                dtypeName(First->Type));
  return Error::success();
}

Error Checkpoint::checkTensor(const ExpectedTensor &Want) {
  auto Found = Tensors.find(Want.Name);
  if (Found == Tensors.end())
    return fail(Directory, "tensor {0} is missing: expected {1} {2}", Want.Name,
                dtypeName(Want.Type), shapeText(Want.Shape));
  const TensorInfo &T = *Found->second.Tensor;
  if (Error E = checkShape(*Found->second.File, T, Want))
    return E;
  ++Report.Tensors;
  Report.Bytes += T.bytes();
  Report.BytesByDType[dtypeName(T.Type).str()] += T.bytes();
  return Error::success();
}

Error Checkpoint::checkShape(const SafetensorsFile &File, const TensorInfo &T,
                             const ExpectedTensor &Want) const {
  if (T.Type != Want.Type)
    return fail(File.path().str(), "tensor {0}: expected dtype {1}, found {2}",
                T.Name, dtypeName(Want.Type), dtypeName(T.Type));
  if (T.Shape != Want.Shape)
    return fail(File.path().str(), "tensor {0}: expected shape {1}, found {2}",
                T.Name, shapeText(Want.Shape), shapeText(T.Shape));
  return Error::success();
}

Error Checkpoint::checkDraft(const SafetensorsFile &File, const TensorInfo &T,
                             StringRef Name) {
  int64_t Stage = -1;
  Name.drop_front(4).split('.').first.getAsInteger(10, Stage);
  int64_t Stages = Config.Draft == DraftKind::None ? 1 : Config.DraftStages;
  if (Stage < 0 || Stage >= Stages)
    return fail(File.path().str(),
                "tensor {0} is unexpected: the config has {1} draft stages",
                T.Name, Stages);
  if (DraftTables.size() <= size_t(Stage))
    DraftTables.resize(Stage + 1);
  llvm::StringMap<ExpectedTensor> &Table = DraftTables[Stage];
  if (Table.empty())
    for (ExpectedTensor &Want : draftTensors(Config, Experts, Stage))
      Table.try_emplace(Want.Name, Want);
  auto Want = Table.find(Name);
  if (Want == Table.end())
    return fail(File.path().str(),
                "tensor {0} is unexpected: no {1} draft stage {2} of {3} has "
                "it",
                T.Name, Config.Draft == DraftKind::DSpark ? "DSpark" : "MTP",
                Stage, Stages);
  ++Report.DraftTensors;
  Report.DraftBytes += T.bytes();
  return checkShape(File, T, Want->second);
}

Error Checkpoint::checkUnexpected() {
  if (Report.Tensors == Tensors.size())
    return Error::success();
  llvm::StringSet<> Known;
  for (const ExpectedTensor &Want : expectedTensors(Config, Experts))
    Known.insert(Want.Name);
  for (const auto &File : Files) // in file order: the same one every time
    for (const TensorInfo &T : File->tensors()) {
      std::string Name = officialName(T.Name);
      if (isDraft(Name)) {
        if (Error E = checkDraft(*File, T, Name))
          return E;
      } else if (!Known.contains(Name)) {
        return fail(File->path().str(),
                    "tensor {0} is unexpected: the config asks for none of "
                    "that name",
                    T.Name);
      }
    }
  return Error::success();
}

Error Checkpoint::checkTensors() {
  // A damaged config must not make the table larger than memory.
  uint64_t ExpertTensors = Config.NumLayers * Config.NumExperts * 6;
  if (ExpertTensors > 2 * Tensors.size() + 100000)
    return fail(Directory,
                "config.json asks for {0} tensors of experts, but the shards "
                "have {1} tensors",
                ExpertTensors, Tensors.size());
  for (const ExpectedTensor &Want : expectedTensors(Config, Experts))
    if (Error E = checkTensor(Want))
      return E;
  return checkUnexpected();
}

Expected<Checkpoint> Checkpoint::open(StringRef Directory) {
  Checkpoint C;
  C.Directory = Directory.str();
  while (C.Directory.size() > 1 && C.Directory.back() == '/')
    C.Directory.pop_back();
  if (Error E = C.readConfig())
    return E;
  if (Error E = C.readIndex())
    return E;
  if (Error E = C.inferExperts())
    return E;
  if (C.hasWeights())
    if (Error E = C.checkTensors())
      return E;
  return C;
}

const TensorInfo *Checkpoint::find(StringRef OfficialName) const {
  auto Found = Tensors.find(OfficialName);
  return Found == Tensors.end() ? nullptr : Found->second.Tensor;
}

llvm::ArrayRef<uint8_t> Checkpoint::bytes(StringRef OfficialName) const {
  auto Found = Tensors.find(OfficialName);
  assert(Found != Tensors.end() && "tensor was checked at open");
  return Found->second.File->bytes(*Found->second.Tensor);
}

std::string Checkpoint::release() const {
  StringRef Known = releaseOfConfig(ConfigHash);
  return Known.empty() ? "DeepSeek V4 family, unrecognised release"
                       : Known.str();
}

/// Index of the first NaN code, or -1.
static int64_t findNan(DType Type, llvm::ArrayRef<uint8_t> Bytes) {
  if (Type == DType::F8_E8M0) {
    const void *At = memchr(Bytes.data(), 0xff, Bytes.size());
    return At ? static_cast<const uint8_t *>(At) - Bytes.data() : -1;
  }
  constexpr size_t Block = 4096; // one vectorised test per block
  for (size_t I = 0; I < Bytes.size(); I += Block) {
    size_t End = std::min(Bytes.size(), I + Block);
    uint8_t Any = 0;
    for (size_t J = I; J < End; ++J)
      Any |= (Bytes[J] & 0x7f) == 0x7f;
    for (size_t J = I; Any && J < End; ++J)
      if ((Bytes[J] & 0x7f) == 0x7f)
        return J;
  }
  return -1;
}

Error Checkpoint::checkNumbers(
    llvm::function_ref<bool(uint64_t, uint64_t)> Step) const {
  uint64_t Total = 0, Done = 0;
  auto isChecked = [](const TensorInfo &T) {
    return (T.Type == DType::F8_E8M0 || T.Type == DType::F8_E4M3) &&
           !isDraft(officialName(T.Name));
  };
  for (const auto &File : Files)
    for (const TensorInfo &T : File->tensors())
      Total += isChecked(T) ? T.bytes() : 0;
  for (const auto &File : Files)
    for (const TensorInfo &T : File->tensors()) {
      if (!isChecked(T))
        continue;
      int64_t At = findNan(T.Type, File->bytes(T));
      if (At >= 0) {
        int64_t Columns = T.Shape.empty() ? 1 : T.Shape.back();
        return fail(File->path().str(),
                    "tensor {0}: {1} at row {2}, column {3} is NaN; the "
                    "checkpoint is damaged",
                    T.Name, dtypeName(T.Type), At / Columns, At % Columns);
      }
      Done += T.bytes();
      if (!Step(Done, Total))
        return fail(Directory, "interrupted");
    }
  return Error::success();
}

} // namespace dsv4
