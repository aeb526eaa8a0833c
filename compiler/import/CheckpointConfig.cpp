// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CheckpointConfig.h. One table lists every number with both of its names
// and its range; what is not a number is checked beside it.

#include "compiler/import/CheckpointConfig.h"

#include "compiler/import/JsonText.h"
#include "nlohmann/json.hpp"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/SHA256.h"
#include <cmath>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using nlohmann::json;

namespace dsv4 {

namespace {

template <class... Ts>
Error fail(StringRef Path, const char *Format, Ts &&...Values) {
  std::string Text = llvm::formatv(Format, std::forward<Ts>(Values)...).str();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 Path.str() + ": " + Text);
}

/// An integer of the config: published name, name in the inference form, where
/// it goes, and what is sane. Default < 0: it must be there.
struct IntegerKey {
  const char *Name, *InferenceName;
  int64_t ModelConfig::*Field;
  int64_t Least, Most, Multiple, Default;
};

constexpr int64_t Million = 1000000;

const IntegerKey IntegerKeys[] = {
    {"vocab_size", "vocab_size", &ModelConfig::VocabSize, 2, 16 * Million, 1,
     -1},
    {"hidden_size", "dim", &ModelConfig::HiddenSize, 128, 65536, 128, -1},
    {"num_hidden_layers", "n_layers", &ModelConfig::NumLayers, 1, 1000, 1, -1},
    {"num_attention_heads", "n_heads", &ModelConfig::NumHeads, 1, 1024, 1, -1},
    {"head_dim", "head_dim", &ModelConfig::HeadDim, 96, 4096, 32, -1},
    {"qk_rope_head_dim", "rope_head_dim", &ModelConfig::RopeDims, 32, 1024, 32,
     -1},
    {"q_lora_rank", "q_lora_rank", &ModelConfig::QLoraRank, 128, 65536, 128,
     -1},
    {"o_groups", "o_groups", &ModelConfig::OGroups, 1, 256, 1, -1},
    {"o_lora_rank", "o_lora_rank", &ModelConfig::OLoraRank, 16, 65536, 16, -1},
    {"sliding_window", "window_size", &ModelConfig::Window, 1, 1 << 20, 1, -1},
    {"n_routed_experts", "n_routed_experts", &ModelConfig::NumExperts, 1, 65536,
     1, -1},
    {"num_experts_per_tok", "n_activated_experts",
     &ModelConfig::ExpertsPerToken, 1, 64, 1, -1},
    {"moe_intermediate_size", "moe_inter_dim", &ModelConfig::MoeInter, 128,
     1 << 20, 128, -1},
    {"num_hash_layers", "n_hash_layers", &ModelConfig::NumHashLayers, 0, 1000,
     1, -1},
    {"hc_mult", "hc_mult", &ModelConfig::HcMult, 1, 4, 1, -1},
    {"hc_sinkhorn_iters", "hc_sinkhorn_iters", &ModelConfig::SinkhornIters, 1,
     999, 1, -1},
    {"index_n_heads", "index_n_heads", &ModelConfig::IndexHeads, 1, 1024, 1,
     -1},
    {"index_head_dim", "index_head_dim", &ModelConfig::IndexDim, 32, 1024, 32,
     -1},
    {"index_topk", "index_topk", &ModelConfig::IndexTopK, 1, 65536, 1, -1},
    {"max_position_embeddings", "max_position_embeddings",
     &ModelConfig::MaxPositions, 1, int64_t(1) << 31, 1, 1 << 20},
    {"bos_token_id", "bos_token_id", &ModelConfig::Bos, 0, 16 * Million, 1, 0},
    {"eos_token_id", "eos_token_id", &ModelConfig::Eos, 0, 16 * Million, 1, 1},
    {"rope_theta", "rope_theta", &ModelConfig::RopeTheta, 2, 1000 * Million, 1,
     -1},
    {"compress_rope_theta", "compress_rope_theta",
     &ModelConfig::CompressRopeTheta, 2, 1000 * Million, 1, -1},
};

struct RealKey {
  const char *Name, *InferenceName;
  double ModelConfig::*Field;
  double Least, Most, Default;
};

const RealKey RealKeys[] = {
    {"routed_scaling_factor", "route_scale", &ModelConfig::RouteScale, 1e-6,
     1e6, -1},
    {"swiglu_limit", "swiglu_limit", &ModelConfig::SwigluLimit, 1e-3, 1e6, -1},
    {"rms_norm_eps", "norm_eps", &ModelConfig::NormEps, 1e-12, 1e-2, 1e-6},
    {"hc_eps", "hc_eps", &ModelConfig::HcEps, 1e-12, 1e-2, 1e-6},
};

/// Keys with one value that this compiler builds; another is refused.
struct FixedKey {
  const char *Name, *Value;
};

const FixedKey FixedKeys[] = {
    {"attention_bias", "false"},
    {"num_key_value_heads", "1"},
    {"n_shared_experts", "1"},
    {"hidden_act", "\"silu\""},
    {"scoring_func", "\"sqrtsoftplus\""},
    {"score_func", "\"sqrtsoftplus\""},
    {"topk_method", "\"noaux_tc\""},
    {"norm_topk_prob", "true"},
    {"tie_word_embeddings", "false"},
    {"scale_fmt", "\"ue8m0\""},
    {"dtype", "\"fp8\""},
    {"scale_dtype", "\"fp8\""},
};

/// Keys that say nothing about the arithmetic.
const char *const HarmlessKeys[] = {"architectures",
                                    "model_type",
                                    "attention_dropout",
                                    "initializer_range",
                                    "torch_dtype",
                                    "transformers_version",
                                    "use_cache",
                                    "rope_scaling",
                                    "quantization_config",
                                    "compress_ratios",
                                    "expert_dtype",
                                    "num_nextn_predict_layers",
                                    "n_mtp_layers",
                                    "dspark_block_size",
                                    "dspark_noise_token_id",
                                    "dspark_markov_rank",
                                    "dspark_target_layer_ids",
                                    "original_seq_len",
                                    "rope_factor",
                                    "beta_fast",
                                    "beta_slow",
                                    "max_batch_size",
                                    "max_seq_len",
                                    "pad_token_id",
                                    "head_dtype"};

class Parser {
public:
  Parser(StringRef Path, const json &Root) : Path(Path), Root(Root) {
    Inference = Root.contains("dim") && !Root.contains("hidden_size");
  }

  Expected<ModelConfig> run() {
    for (auto Step :
         {&Parser::checkIdentity, &Parser::checkFixed, &Parser::readNumbers,
          &Parser::readYarn, &Parser::checkQuantization, &Parser::readRatios,
          &Parser::readExperts, &Parser::checkDimensions})
      if (Error E = (this->*Step)())
        return E;
    noteUnknown();
    return std::move(Config);
  }

private:
  Error checkIdentity() {
    if (Inference)
      return Error::success();
    auto Type = Root.find("model_type");
    std::string Found = Type != Root.end() && Type->is_string()
                            ? Type->get<std::string>()
                            : "nothing";
    if (Found != "deepseek_v4")
      return fail(Path,
                  "model_type: expected deepseek_v4, found {0}; this compiler "
                  "builds the DeepSeek V4 family alone",
                  Found);
    auto Classes = Root.find("architectures");
    if (Classes != Root.end() &&
        *Classes != json::array({"DeepseekV4ForCausalLM"}))
      return fail(Path,
                  "architectures: expected DeepseekV4ForCausalLM, found {0}",
                  jsonText(*Classes));
    return Error::success();
  }

  Error checkFixed() {
    for (const FixedKey &Key : FixedKeys) {
      auto Found = Root.find(Key.Name);
      if (Found != Root.end() && *Found != json::parse(Key.Value))
        return fail(Path, "{0}: expected {1}, found {2}, which is unsupported",
                    Key.Name, Key.Value, jsonText(*Found));
    }
    for (const char *Key :
         {"n_group", "topk_group", "kv_lora_rank", "first_k_dense_replace"})
      if (Root.contains(Key))
        return fail(Path, "{0}: unsupported, no DeepSeek V4 config has it",
                    Key);
    return Error::success();
  }

  /// The integer at a key, converted where it is a whole float.
  Error readInteger(const IntegerKey &Key) {
    const char *Name = Inference ? Key.InferenceName : Key.Name;
    auto Found = Root.find(Name);
    if (Found == Root.end()) {
      if (Key.Default < 0)
        return fail(Path, "{0}: expected an integer, the key is missing", Name);
      Config.*Key.Field = Key.Default;
      return Error::success();
    }
    if (!Found->is_number() ||
        (Found->is_number_float() &&
         Found->get<double>() != std::floor(Found->get<double>())))
      return fail(Path, "{0}: expected an integer, found {1}", Name,
                  jsonText(*Found));
    double Size = Found->get<double>();
    if (!(Size >= double(Key.Least)) || !(Size <= double(Key.Most)))
      return fail(Path, "{0}: expected {1} to {2}, found {3}", Name, Key.Least,
                  Key.Most, jsonText(*Found));
    Config.*Key.Field = int64_t(Size);
    if (Config.*Key.Field % Key.Multiple)
      return fail(Path, "{0}: expected a multiple of {1}, found {2}", Name,
                  Key.Multiple, jsonText(*Found));
    return Error::success();
  }

  Error readReal(const RealKey &Key) {
    const char *Name = Inference ? Key.InferenceName : Key.Name;
    auto Found = Root.find(Name);
    if (Found == Root.end()) {
      if (Key.Default < 0)
        return fail(Path, "{0}: expected a number, the key is missing", Name);
      Config.*Key.Field = Key.Default;
      return Error::success();
    }
    double Value = Found->is_number() ? Found->get<double>() : -1;
    if (!(Value >= Key.Least) || !(Value <= Key.Most))
      return fail(Path, "{0}: expected {1} to {2}, found {3}", Name, Key.Least,
                  Key.Most, jsonText(*Found));
    Config.*Key.Field = Value;
    return Error::success();
  }

  Error readNumbers() {
    for (const IntegerKey &Key : IntegerKeys)
      if (Error E = readInteger(Key))
        return E;
    for (const RealKey &Key : RealKeys)
      if (Error E = readReal(Key))
        return E;
    return Error::success();
  }

  /// One YaRN number, an integer from 1 to 2^31.
  Error readYarnNumber(const json &From, const char *Key, int64_t &To) {
    auto Found = From.find(Key);
    double Value =
        Found != From.end() && Found->is_number() ? Found->get<double>() : 0;
    if (!(Value >= 1) || !(Value <= 2147483648.0) || Value != std::floor(Value))
      return fail(Path,
                  "rope scaling {0}: expected an integer from 1, found {1}",
                  Key, Found == From.end() ? "nothing" : jsonText(*Found));
    To = int64_t(Value);
    return Error::success();
  }

  Error readYarn() {
    const json *From = &Root;
    const char *Factor = "rope_factor", *Original = "original_seq_len";
    if (!Inference) {
      auto Scaling = Root.find("rope_scaling");
      if (Scaling == Root.end() || Scaling->is_null())
        return Error::success();
      auto Type = Scaling->find("type");
      if (Type == Scaling->end())
        Type = Scaling->find("rope_type");
      if (!Scaling->is_object() || Type == Scaling->end() || *Type != "yarn")
        return fail(Path, "rope_scaling: expected type yarn, found {0}",
                    jsonText(*Scaling));
      for (const char *Key : {"mscale", "mscale_all_dim"})
        if (Scaling->contains(Key))
          return fail(Path, "rope_scaling.{0}: unsupported", Key);
      From = &*Scaling;
      Factor = "factor";
      Original = "original_max_position_embeddings";
    } else if (!Root.contains("rope_factor")) {
      return Error::success();
    }
    for (auto [Key, To] : {std::pair{Factor, &Config.YarnFactor},
                           {Original, &Config.YarnOriginal},
                           {"beta_fast", &Config.YarnBetaFast},
                           {"beta_slow", &Config.YarnBetaSlow}})
      if (Error E = readYarnNumber(*From, Key, *To))
        return E;
    return Error::success();
  }

  Error checkQuantization() {
    auto Found = Root.find("quantization_config");
    if (Found == Root.end())
      return Error::success();
    for (auto [Key, Value] : {std::pair{"quant_method", "\"fp8\""},
                              {"fmt", "\"e4m3\""},
                              {"activation_scheme", "\"dynamic\""},
                              {"scale_fmt", "\"ue8m0\""},
                              {"weight_block_size", "[128,128]"}})
      if (!Found->is_object() ||
          (Found->contains(Key) && (*Found)[Key] != json::parse(Value)))
        return fail(Path, "quantization_config.{0}: expected {1}, found {2}",
                    Key, Value, jsonText(*Found));
    return Error::success();
  }

  Error readRatios() {
    auto Found = Root.find("compress_ratios");
    if (Found == Root.end() || !Found->is_array() ||
        Found->size() < size_t(Config.NumLayers) || Found->size() > 2000)
      return fail(Path, "compress_ratios: expected at least {0} entries",
                  Config.NumLayers);
    for (int64_t I = 0; I < Config.NumLayers; ++I) {
      const json &Ratio = (*Found)[I];
      if (Ratio != 0 && Ratio != 4 && Ratio != 128)
        return fail(Path,
                    "compress_ratios[{0}]: expected 0, 4 or 128, found "
                    "{1}",
                    I, jsonText(Ratio));
      Config.CompressRatios.push_back(Ratio.get<int64_t>());
    }
    Config.DraftStages = Found->size() - Config.NumLayers;
    if (Root.contains("dspark_block_size"))
      return readDSpark();
    if (Config.DraftStages > 0)
      Config.Draft = DraftKind::Mtp;
    return Error::success();
  }

  /// What the shapes of DSpark's tensors need.
  Error readDSpark() {
    Config.Draft = DraftKind::DSpark;
    auto Rank = Root.find("dspark_markov_rank");
    double Size = Rank != Root.end() && Rank->is_number_integer()
                      ? Rank->get<double>()
                      : 0;
    if (!(Size >= 1) || !(Size <= 65536))
      return fail(Path, "dspark_markov_rank: expected 1 to 65536");
    Config.DraftRank = int64_t(Size);
    auto Targets = Root.find("dspark_target_layer_ids");
    if (Targets == Root.end() || !Targets->is_array() || Targets->empty() ||
        Targets->size() > size_t(Config.NumLayers))
      return fail(Path, "dspark_target_layer_ids: expected 1 to {0} layers",
                  Config.NumLayers);
    Config.DraftTargets = Targets->size();
    return Error::success();
  }

  Error readExperts() {
    auto Found = Root.find("expert_dtype");
    if (Found == Root.end() || Found->is_null())
      return Error::success();
    if (*Found == "fp4")
      Config.Experts = ExpertFormat::Fp4;
    else if (*Found == "fp8")
      Config.Experts = ExpertFormat::Fp8;
    else
      return fail(Path, "expert_dtype: expected fp4 or fp8, found {0}",
                  jsonText(*Found));
    return Error::success();
  }

  /// What the numbers must obey together.
  Error checkDimensions() {
    const ModelConfig &C = Config;
    if (C.RopeDims >= C.HeadDim || (C.HeadDim - C.RopeDims) % 64)
      return fail(Path,
                  "head_dim {0} less qk_rope_head_dim {1}: expected a positive "
                  "multiple of 64",
                  C.HeadDim, C.RopeDims);
    if (C.IndexDim & (C.IndexDim - 1))
      return fail(Path, "index_head_dim: expected a power of two, found {0}",
                  C.IndexDim);
    if (C.RopeDims > C.IndexDim)
      return fail(Path,
                  "index_head_dim: expected at least the {0} rotary "
                  "dims, found {1}",
                  C.RopeDims, C.IndexDim);
    if (C.NumHeads % C.OGroups)
      return fail(Path, "o_groups: expected a divisor of {0} heads, found {1}",
                  C.NumHeads, C.OGroups);
    if (C.OGroups * C.OLoraRank % 128)
      return fail(Path,
                  "o_groups * o_lora_rank: expected a multiple of 128, "
                  "found {0}",
                  C.OGroups * C.OLoraRank);
    if (C.ExpertsPerToken > C.NumExperts)
      return fail(Path, "num_experts_per_tok: expected at most {0}, found {1}",
                  C.NumExperts, C.ExpertsPerToken);
    if (C.NumHashLayers > C.NumLayers || C.Bos >= C.VocabSize ||
        C.Eos >= C.VocabSize)
      return fail(Path, "num_hash_layers, bos_token_id or eos_token_id is "
                        "beyond the model's layers or vocabulary");
    return Error::success();
  }

  void noteUnknown() {
    llvm::StringSet<> Known;
    for (const IntegerKey &Key : IntegerKeys)
      Known.insert(Inference ? Key.InferenceName : Key.Name);
    for (const RealKey &Key : RealKeys)
      Known.insert(Inference ? Key.InferenceName : Key.Name);
    for (const FixedKey &Key : FixedKeys)
      Known.insert(Key.Name);
    for (const char *Key : HarmlessKeys)
      Known.insert(Key);
    for (const auto &[Key, Value] : Root.items())
      if (!Known.contains(Key))
        Config.UnknownKeys.push_back(Key);
  }

  StringRef Path;
  const json &Root;
  bool Inference = false;
  ModelConfig Config;
};

Expected<json> parseObject(StringRef Path, StringRef Text) {
  if (Text.size() > (1 << 24))
    return fail(Path, "expected a config of at most 16 MiB, found {0} bytes",
                Text.size());
  json Root = json::parse(Text.begin(), Text.end(), nullptr, false);
  if (Root.is_discarded() || !Root.is_object())
    return fail(Path, "expected a JSON object; the file is damaged");
  return Root;
}

} // namespace

Expected<ModelConfig> parseConfig(StringRef Path, StringRef Text) {
  Expected<json> Root = parseObject(Path, Text);
  if (!Root)
    return Root.takeError();
  return Parser(Path, *Root).run();
}

Error parseGenerationConfig(StringRef Path, StringRef Text,
                            ModelConfig &Config) {
  Expected<json> Root = parseObject(Path, Text);
  if (!Root)
    return Root.takeError();
  auto Read = [&](const char *Key, double Most, double &To) -> Error {
    auto Found = Root->find(Key);
    if (Found == Root->end())
      return Error::success();
    double Value = Found->is_number() ? Found->get<double>() : -1;
    if (!(Value >= 0) || !(Value <= Most))
      return fail(Path, "{0}: expected 0 to {1}, found {2}", Key, Most,
                  jsonText(*Found));
    To = Value;
    return Error::success();
  };
  if (Error E = Read("temperature", 100, Config.Temperature))
    return E;
  return Read("top_p", 1, Config.TopP);
}

StringRef releaseOfConfig(StringRef Sha256) {
  static constexpr std::pair<const char *, const char *> Known[] = {
      {"52b5a1aa87606cb5be4f3158d706594edb1c4ce97ce6b1cd6079f15df075d7f5",
       "DeepSeek-V4-Flash (release day)"},
      {"b628e63398a645abc711d92207f8737dd8140f7a4ef1e0a5b3616019e0ddd818",
       "DeepSeek-V4-Flash"},
      {"6c8f3d2d3b48707541b88f32f22ef3f0f8a6b57d8523281e2b8d3cdb0ae9a023",
       "DeepSeek-V4-Flash-0731"},
      {"c90861f3d10a9e4ef5954f8f1a34c529d480da1c5799f84660028f4e38e14e71",
       "DeepSeek-V4-Flash-0731 (inference form)"},
  };
  for (auto [Hash, Name] : Known)
    if (Sha256 == Hash)
      return Name;
  return "";
}

std::string sha256Hex(StringRef Bytes) {
  llvm::SHA256 Hash;
  Hash.update(Bytes);
  return llvm::toHex(Hash.final(), /*LowerCase=*/true);
}

} // namespace dsv4
