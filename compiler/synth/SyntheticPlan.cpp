// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which config and which tensors a synthetic checkpoint has. The config's text
// is only parsed and written anew where something in it changes.

#include "compiler/synth/SyntheticCheckpoint.h"

#include "nlohmann/json.hpp"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using Json = nlohmann::ordered_json;

namespace dsv4 {

/// Beyond any release (140,544 for the largest); the table stays below 300 MB.
static constexpr int64_t MostTensors = 1000000;
/// Of one shard: its header stays below 20 MB.
static constexpr size_t MostInShard = 100000;
/// Of a config; writing JSON recurses.
static constexpr int DeepestNesting = 16;

uint64_t tensorBytes(const ExpectedTensor &T) {
  uint64_t Bytes = uint64_t(dtypeBytes(T.Type));
  for (int64_t Size : T.Shape)
    Bytes *= uint64_t(Size);
  return Bytes;
}

/// Null where it is no JSON, or too deep to be written again.
static std::optional<Json> parseJson(StringRef Text) {
  bool Deep = false;
  auto Watch = [&](int Depth, Json::parse_event_t, Json &) {
    Deep |= Depth > DeepestNesting;
    return true;
  };
  Json Value = Json::parse(Text.begin(), Text.end(), Watch, false);
  if (Deep || Value.is_discarded())
    return std::nullopt;
  return Value;
}

/// Puts "key=value" into the config: a value in JSON, or a word.
static Error setKey(Json &Config, StringRef Setting) {
  auto [Key, Value] = Setting.split('=');
  if (Key.empty() || Value.empty())
    return llvm::createStringError("--set: expected KEY=VALUE, got '" +
                                   Setting + "'");
  std::optional<Json> Parsed = parseJson(Value);
  Config[Key.str()] = Parsed ? *Parsed : Json(Value.str());
  return Error::success();
}

/// Keeps the first `Layers` layers and no draft stage, in either form of the
/// config.
static Error keepLayers(Json &Config, StringRef Path, int64_t Layers) {
  for (const char *Key : {"num_hidden_layers", "n_layers"}) {
    if (!Config.contains(Key) || !Config[Key].is_number_integer())
      continue;
    if (Config[Key] < Layers)
      return llvm::createStringError("--layers: expected at most the " +
                                     Config[Key].dump() + " layers of " + Path +
                                     ", got " + Twine(Layers));
    Config[Key] = Layers;
  }
  for (const char *Key : {"num_hash_layers", "n_hash_layers"})
    if (Config.contains(Key) && Config[Key] > Layers)
      Config[Key] = Layers;
  for (const char *Key : {"num_nextn_predict_layers", "n_mtp_layers"})
    if (Config.contains(Key))
      Config[Key] = 0;
  for (const char *Key : {"dspark_block_size", "dspark_noise_token_id",
                          "dspark_markov_rank", "dspark_target_layer_ids"})
    Config.erase(Key);
  Json &Ratios = Config["compress_ratios"];
  if (Ratios.is_array() && Ratios.size() > size_t(Layers))
    Ratios.erase(Ratios.begin() + Layers, Ratios.end());
  return Error::success();
}

static Error editConfig(SyntheticPlan &Plan, const SyntheticOptions &Options) {
  StringRef Path = Options.ConfigPath;
  std::optional<Json> Config = parseJson(Plan.ConfigText);
  if (!Config || !Config->is_object())
    return llvm::createStringError(Path +
                                   ": expected a JSON object of at most " +
                                   Twine(DeepestNesting) + " levels");
  for (const std::string &Setting : Options.Settings)
    if (Error E = setKey(*Config, Setting))
      return E;
  if (Options.Layers)
    if (Error E = keepLayers(*Config, Path, Options.Layers))
      return E;
  Plan.ConfigText = Config->dump(2) + "\n";
  return Error::success();
}

/// What parses, but cannot be written.
static Error checkConfig(const SyntheticPlan &Plan,
                         const SyntheticOptions &Options) {
  const ModelConfig &C = Plan.Config;
  for (StringRef Setting : Options.Settings)
    if (llvm::is_contained(C.UnknownKeys, Setting.split('=').first))
      return llvm::createStringError(
          "--set: expected a key of a DeepSeek V4 config, got '" +
          Setting.split('=').first + "'");
  int64_t Layers = C.NumLayers + (Options.DraftHeads ? C.DraftStages : 0);
  if (Layers * C.NumExperts * 6 > MostTensors)
    return llvm::createStringError(
        StringRef(Options.ConfigPath) + ": asks for " +
        Twine(Layers * C.NumExperts * 6) +
        " tensors of experts, this tool writes at most " + Twine(MostTensors) +
        "; choose fewer --layers");
  if (Options.DraftHeads && C.DraftStages == 0)
    return llvm::createStringError(
        StringRef(Options.ConfigPath) +
        ": expected draft stages for --draft-heads, compress_ratios has " +
        Twine(C.CompressRatios.size()) + " entries for as many layers");
  return Error::success();
}

static void addTensors(SyntheticPlan &Plan, std::vector<ExpectedTensor> Tensors,
                       uint64_t ShardBytes, uint64_t &InShard) {
  for (ExpectedTensor &T : Tensors) {
    uint64_t Bytes = tensorBytes(T);
    if (Plan.Shards.empty() || InShard + Bytes > ShardBytes ||
        Plan.Shards.back().size() == MostInShard) {
      Plan.Shards.emplace_back();
      InShard = 0;
    }
    InShard += Bytes;
    Plan.Bytes += Bytes;
    ++Plan.Tensors;
    Plan.BytesByDType[dtypeName(T.Type).str()] += Bytes;
    Plan.BytesByClass[tensorClass(T.Name).str()] += Bytes;
    Plan.Shards.back().push_back(std::move(T));
  }
}

Expected<SyntheticPlan> planSynthetic(const SyntheticOptions &Options) {
  StringRef Path = Options.ConfigPath;
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  if (!Buffer)
    return llvm::createStringError("cannot read " + Path + ": " +
                                   Buffer.getError().message());
  SyntheticPlan Plan;
  Plan.ConfigPath = Path.str();
  Plan.ConfigText = (*Buffer)->getBuffer().str();
  Expected<ModelConfig> Config = parseConfig(Path, Plan.ConfigText);
  if (Config && (Options.Layers || !Options.Settings.empty())) {
    if (Error E = editConfig(Plan, Options))
      return std::move(E);
    Config = parseConfig(Path, Plan.ConfigText);
  }
  if (!Config)
    return Config.takeError();
  Plan.Config = std::move(*Config);
  if (Error E = checkConfig(Plan, Options))
    return std::move(E);
  const ModelConfig &C = Plan.Config;
  Plan.Experts =
      C.Experts == ExpertFormat::Infer ? ExpertFormat::Fp4 : C.Experts;
  uint64_t InShard = 0;
  addTensors(Plan, expectedTensors(C, Plan.Experts), Options.ShardBytes,
             InShard);
  for (int64_t I = 0; Options.DraftHeads && I < C.DraftStages; ++I)
    addTensors(Plan, draftTensors(C, Plan.Experts, I), Options.ShardBytes,
               InShard);
  return Plan;
}

} // namespace dsv4
