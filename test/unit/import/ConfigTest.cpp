// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The official configs give the values of model.md 1.1 in either form, and
// whatever this compiler does not build is refused by name.

#include "compiler/import/BuildGraph.h"
#include "dialects/dsv4/IR/Dsv4.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "test/unit/import/ImportTestSupport.h"

#include <gmock/gmock.h>

using namespace dsv4;
using namespace dsv4::test;
using testing::HasSubstr;

namespace {

const char *const Files[] = {"cfg_flash_apr24.json", "cfg_flash_exp.json",
                             "cfg_0731.json", "infcfg_flash.json"};

ModelConfig parsed(const std::string &Text) {
  llvm::Expected<ModelConfig> Config = parseConfig("config.json", Text);
  if (Config)
    return *Config;
  ADD_FAILURE() << messageOf(Config.takeError());
  return ModelConfig();
}

std::string refusal(const std::string &Text) {
  return messageOf(parseConfig("config.json", Text));
}

/// The refusal after one replacement in the official config.
std::string refusal(const std::string &From, const std::string &To) {
  return refusal(replaced(officialConfig("cfg_flash_exp.json"), From, To));
}

TEST(Config, OfficialValues) {
  for (const char *File : Files) {
    SCOPED_TRACE(File);
    ModelConfig C = parsed(officialConfig(File));
    EXPECT_EQ(C.VocabSize, 129280);
    EXPECT_EQ(C.HiddenSize, 4096);
    EXPECT_EQ(C.NumLayers, 43);
    EXPECT_EQ(C.NumHeads, 64);
    EXPECT_EQ(C.HeadDim, 512);
    EXPECT_EQ(C.RopeDims, 64);
    EXPECT_EQ(C.QLoraRank, 1024);
    EXPECT_EQ(C.OGroups, 8);
    EXPECT_EQ(C.OLoraRank, 1024);
    EXPECT_EQ(C.Window, 128);
    EXPECT_EQ(C.NumExperts, 256);
    EXPECT_EQ(C.ExpertsPerToken, 6);
    EXPECT_EQ(C.MoeInter, 2048);
    EXPECT_EQ(C.NumHashLayers, 3);
    EXPECT_EQ(C.HcMult, 4);
    EXPECT_EQ(C.SinkhornIters, 20);
    EXPECT_EQ(C.IndexHeads, 64);
    EXPECT_EQ(C.IndexDim, 128);
    EXPECT_EQ(C.IndexTopK, 512);
    EXPECT_EQ(C.MaxPositions, 1048576);
    EXPECT_EQ(C.Bos, 0);
    EXPECT_EQ(C.Eos, 1);
    EXPECT_EQ(C.RopeTheta, 10000);
    EXPECT_EQ(C.CompressRopeTheta, 160000);
    EXPECT_EQ(C.YarnFactor, 16);
    EXPECT_EQ(C.YarnOriginal, 65536);
    EXPECT_EQ(C.YarnBetaFast, 32);
    EXPECT_EQ(C.YarnBetaSlow, 1);
    EXPECT_EQ(C.RouteScale, 1.5);
    EXPECT_EQ(C.SwigluLimit, 10.0);
    EXPECT_EQ(C.NormEps, 1e-6);
    EXPECT_EQ(C.HcEps, 1e-6);
    ASSERT_EQ(C.CompressRatios.size(), 43u);
    for (int64_t I = 0; I < 43; ++I)
      EXPECT_EQ(C.CompressRatios[I], I < 2 ? 0 : I % 2 ? 128 : 4) << I;
    EXPECT_THAT(C.UnknownKeys, testing::IsEmpty());
  }
}

TEST(Config, ReleasesDiffer) {
  const char *const Names[] = {"DeepSeek-V4-Flash (release day)",
                               "DeepSeek-V4-Flash", "DeepSeek-V4-Flash-0731",
                               ""};
  const ExpertFormat Experts[] = {ExpertFormat::Infer, ExpertFormat::Fp4,
                                  ExpertFormat::Fp4, ExpertFormat::Fp4};
  for (int I = 0; I < 4; ++I) {
    std::string Text = officialConfig(Files[I]);
    EXPECT_EQ(releaseOfConfig(sha256Hex(Text)), Names[I]) << Files[I];
    ModelConfig C = parsed(Text);
    EXPECT_EQ(C.Experts, Experts[I]) << Files[I];
    EXPECT_EQ(C.Draft, I == 2 ? DraftKind::DSpark : DraftKind::Mtp);
    EXPECT_EQ(C.DraftStages, I == 2 ? 3 : 1);
    EXPECT_EQ(C.DraftRank, I == 2 ? 256 : 0);
    EXPECT_EQ(C.DraftTargets, I == 2 ? 3 : 0);
  }
  EXPECT_EQ(releaseOfConfig(sha256Hex("")), "");
}

TEST(Config, CountsOfTheFlashCheckpoint) {
  ModelConfig C = parsed(officialConfig("cfg_flash_exp.json"));
  std::vector<ExpectedTensor> Main = expectedTensors(C, ExpertFormat::Fp4);
  auto Bytes = [](const std::vector<ExpectedTensor> &List) {
    uint64_t Sum = 0;
    for (const ExpectedTensor &T : List) {
      uint64_t Size = dtypeBytes(T.Type);
      for (int64_t Dim : T.Shape)
        Size *= Dim;
      Sum += Size;
    }
    return Sum;
  };
  // model.md 2.1: all tensors less mtp.*.
  EXPECT_EQ(Main.size(), 69187u - 1575u);
  EXPECT_EQ(Bytes(Main), 159609485896u - 3593787756u);
  // The table of a stage also lists the copies of embedding and head that no
  // official checkpoint has.
  uint64_t Copies = 2 * uint64_t(129280) * 4096 * 2;
  std::vector<ExpectedTensor> Mtp = draftTensors(C, ExpertFormat::Fp4, 0);
  EXPECT_EQ(Mtp.size(), 1575u + 2);
  EXPECT_EQ(Bytes(Mtp), 3593787756u + Copies);
  C = parsed(officialConfig("cfg_0731.json"));
  uint64_t Count = 0, Sum = 0;
  for (int64_t Stage = 0; Stage < 3; ++Stage) {
    Mtp = draftTensors(C, ExpertFormat::Fp4, Stage);
    Count += Mtp.size() - 2;
    Sum += Bytes(Mtp) - Copies;
  }
  EXPECT_EQ(Count, 4705u);
  EXPECT_EQ(Sum, 10862838300u);
}

TEST(Config, RefusesByName) {
  const struct {
    const char *From, *To, *Message;
  } Cases[] = {
      {"\"deepseek_v4\"", "\"deepseek_v3\"", "model_type: expected"},
      {"\"deepseek_v4\"", "7", "model_type: expected"},
      {"\"DeepseekV4ForCausalLM\"", "\"LlamaForCausalLM\"", "architectures:"},
      {"\"attention_bias\": false", "\"attention_bias\": true",
       "attention_bias: expected false, found true"},
      {"\"sqrtsoftplus\"", "\"softmax\"", "scoring_func:"},
      {"\"noaux_tc\"", "\"greedy\"", "topk_method:"},
      {"\"norm_topk_prob\": true", "\"norm_topk_prob\": false",
       "norm_topk_prob:"},
      {"\"yarn\"", "\"linear\"", "rope_scaling: expected type yarn"},
      {"\"beta_fast\": 32", "\"mscale\": 1, \"beta_fast\": 32",
       "rope_scaling.mscale"},
      {"\"beta_fast\": 32", "\"beta_fast\": 0", "beta_fast"},
      {"\"factor\": 16,", "", "factor"},
      {"\"use_cache\"", "\"n_group\": 8, \"use_cache\"", "n_group: unsup"},
      {"\"use_cache\"", "\"kv_lora_rank\": 8, \"use_cache\"", "kv_lora_rank"},
      {"\"silu\"", "\"gelu\"", "hidden_act: expected \"silu\""},
      {"\"num_key_value_heads\": 1", "\"num_key_value_heads\": 8",
       "num_key_value_heads: expected 1, found 8"},
      {"\"n_shared_experts\": 1", "\"n_shared_experts\": 2",
       "n_shared_experts:"},
      {"\"e4m3\"", "\"e5m2\"", "quantization_config.fmt"},
      {"\"quant_method\": \"fp8\"", "\"quant_method\": \"awq\"",
       "quantization_config.quant_method"},
      {"      128,\n      128\n", "64, 128", "weight_block_size"},
      {"\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true",
       "tie_word_embeddings:"},
      {"[0, 0, 4", "[0, 8, 4", "compress_ratios[1]: expected 0, 4 or 128"},
      {"[0, 0, 4", "[0, \"4\", 4", "compress_ratios[1]"},
      {"\"num_hidden_layers\": 43", "\"num_hidden_layers\": 45",
       "compress_ratios: expected at least 45"},
      {"\"expert_dtype\": \"fp4\"", "\"expert_dtype\": \"int4\"",
       "expert_dtype: expected fp4 or fp8"},
      {"\"n_routed_experts\": 256", "\"n_routed_experts\": 5",
       "num_experts_per_tok: expected at most 5"},
      {"\"o_groups\": 8", "\"o_groups\": 7", "o_groups: expected a divisor"},
      {"\"qk_rope_head_dim\": 64", "\"qk_rope_head_dim\": 512", "head_dim"},
      {"\"index_head_dim\": 128", "\"index_head_dim\": 96", "power of two"},
      {"\"num_hash_layers\": 3", "\"num_hash_layers\": 44", "num_hash_layers"},
      {"\"eos_token_id\": 1", "\"eos_token_id\": 129280", "eos_token_id"},
  };
  for (const auto &Case : Cases)
    EXPECT_THAT(refusal(Case.From, Case.To), HasSubstr(Case.Message))
        << Case.To;
}

TEST(Config, RefusesNumbers) {
  const char *const Keys[] = {"\"vocab_size\": 129280",
                              "\"hidden_size\": 4096",
                              "\"num_hidden_layers\": 43",
                              "\"num_attention_heads\": 64",
                              "\"head_dim\": 512",
                              "\"qk_rope_head_dim\": 64",
                              "\"q_lora_rank\": 1024",
                              "\"o_groups\": 8",
                              "\"o_lora_rank\": 1024",
                              "\"sliding_window\": 128",
                              "\"n_routed_experts\": 256",
                              "\"num_experts_per_tok\": 6",
                              "\"moe_intermediate_size\": 2048",
                              "\"hc_mult\": 4",
                              "\"hc_sinkhorn_iters\": 20",
                              "\"index_n_heads\": 64",
                              "\"index_head_dim\": 128",
                              "\"index_topk\": 512",
                              "\"rope_theta\": 10000",
                              "\"compress_rope_theta\": 160000",
                              "\"routed_scaling_factor\": 1.5",
                              "\"swiglu_limit\": 10.0",
                              "\"max_position_embeddings\": 1048576"};
  for (std::string Key : Keys) {
    std::string Name = Key.substr(1, Key.find('"', 1) - 1);
    for (const char *Bad : {"0", "-8", "1e300", "18446744073709551615",
                            "\"128\"", "null", "[128]", "true"})
      EXPECT_THAT(refusal("\n  " + Key, "\n  \"" + Name + "\": " + Bad),
                  HasSubstr(Name + ": expected"))
          << Bad;
    if (Name != "routed_scaling_factor" && Name != "swiglu_limit")
      EXPECT_THAT(refusal("\n  " + Key, "\n  \"" + Name + "\": 100.5"),
                  HasSubstr(Name + ": expected"));
    if (Name != "max_position_embeddings")
      EXPECT_THAT(refusal("\n  " + Key, "\n  \"x\": 0"),
                  HasSubstr("the key is missing"));
  }
  EXPECT_THAT(refusal("\"hidden_size\": 4096", "\"hidden_size\": 4100"),
              HasSubstr("hidden_size: expected a multiple of 128"));
  EXPECT_THAT(refusal("\"moe_intermediate_size\": 2048",
                      "\"moe_intermediate_size\": 2000"),
              HasSubstr("moe_intermediate_size: expected a multiple of 128"));
  EXPECT_EQ(refusal("\"hidden_size\": 4096", "\"hidden_size\": 4096.0"), "");
}

TEST(Config, RefusesInferenceForm) {
  std::string Text = officialConfig("infcfg_flash.json");
  EXPECT_THAT(refusal(replaced(Text, "\"n_heads\": 64,", "")),
              HasSubstr("n_heads: expected an integer, the key is missing"));
  EXPECT_THAT(refusal(replaced(Text, "sqrtsoftplus", "sigmoid")),
              HasSubstr("score_func:"));
  EXPECT_THAT(refusal(replaced(Text, "ue8m0", "fp32")),
              HasSubstr("scale_fmt:"));
  EXPECT_THAT(refusal(replaced(Text, "\"rope_factor\": 16",
                               "\"rope_factor\": "
                               "1.5")),
              HasSubstr("rope_factor"));
}

TEST(Config, RefusesDSparkKeys) {
  std::string Text = officialConfig("cfg_0731.json");
  EXPECT_THAT(refusal(replaced(Text, "rank\": 256", "rank\": -1")),
              HasSubstr("dspark_markov_rank"));
  EXPECT_THAT(refusal(replaced(Text, "[40, 41, 42]", "[]")),
              HasSubstr("dspark_target_layer_ids"));
}

TEST(Config, RefusesDamagedFiles) {
  for (const char *Text : {"", "{", "[]", "7", "{\"a\":1}x", "\xff"})
    EXPECT_THAT(refusal(Text), HasSubstr("expected a JSON object"));
  EXPECT_THAT(refusal(std::string((1 << 24) + 1, ' ')), HasSubstr("16 MiB"));
  std::string Deep = std::string(200000, '[') + std::string(200000, ']');
  EXPECT_THAT(
      refusal("\"attention_bias\": false", "\"attention_bias\": " + Deep),
      HasSubstr("attention_bias"));
}

TEST(Config, NotesUnknownKeys) {
  ModelConfig C =
      parsed(replaced(officialConfig("cfg_flash_exp.json"), "\"use_cache\"",
                      "\"novel\": 1, "
                      "\"use_cache\""));
  EXPECT_THAT(C.UnknownKeys, testing::ElementsAre("novel"));
}

TEST(Config, GenerationConfig) {
  ModelConfig C;
  EXPECT_EQ(messageOf(parseGenerationConfig(
                "g", "{\"temperature\":0.5,\"top_p\":0.25}", C)),
            "");
  EXPECT_EQ(C.Temperature, 0.5);
  EXPECT_EQ(C.TopP, 0.25);
  EXPECT_THAT(messageOf(parseGenerationConfig("g", "{\"top_p\":2}", C)),
              HasSubstr("top_p: expected 0 to 1"));
  EXPECT_THAT(
      messageOf(parseGenerationConfig("g", "{\"temperature\":\"a\"}", C)),
      HasSubstr("temperature: expected"));
  EXPECT_THAT(messageOf(parseGenerationConfig("g", "[]", C)),
              HasSubstr("JSON object"));
}

/// The larger model of the family: same keys, other values.
std::string largerConfig() {
  std::string Text = officialConfig("cfg_flash_exp.json");
  const char *const Changes[][2] = {
      {"\"num_hidden_layers\": 43", "\"num_hidden_layers\": 61"},
      {"\"hidden_size\": 4096", "\"hidden_size\": 7168"},
      {"\"num_attention_heads\": 64", "\"num_attention_heads\": 128"},
      {"\"q_lora_rank\": 1024", "\"q_lora_rank\": 1536"},
      {"\"o_groups\": 8", "\"o_groups\": 16"},
      {"\"n_routed_experts\": 256", "\"n_routed_experts\": 384"},
      {"\"moe_intermediate_size\": 2048", "\"moe_intermediate_size\": 3072"},
      {"\"index_topk\": 512", "\"index_topk\": 1024"},
      {"\"routed_scaling_factor\": 1.5", "\"routed_scaling_factor\": 2.5"}};
  for (auto [From, To] : Changes)
    Text = replaced(Text, From, To);
  std::string Ratios = "[128, 128";
  for (int I = 2; I < 61; ++I)
    Ratios += I % 2 ? ", 128" : ", 4";
  size_t At = Text.find("[0, 0, 4");
  return Text.replace(At, Text.find(']', At) - At, Ratios + ", 0");
}

TEST(Config, LargerModelBuildsAGraph) {
  ModelConfig C = parsed(largerConfig());
  ASSERT_EQ(C.CompressRatios.size(), 61u);
  EXPECT_EQ(C.CompressRatios[0], 128);
  mlir::MLIRContext Context;
  Context.loadDialect<graph::Dsv4Dialect>();
  mlir::OwningOpRef<mlir::ModuleOp> Module =
      buildGraph(Context, C, ExpertFormat::Fp4, "test");
  ASSERT_TRUE(bool(Module));
  EXPECT_TRUE(mlir::succeeded(mlir::verify(*Module)));
  int64_t Ops = 0;
  Module->walk([&](mlir::Operation *) { ++Ops; });
  EXPECT_GT(Ops, 61 * 20);
}

} // namespace
