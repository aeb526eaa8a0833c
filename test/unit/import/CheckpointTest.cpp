// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A small synthetic checkpoint opens; with any one thing wrong it is refused
// with a message that names the thing.

#include "test/unit/import/ImportTestSupport.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FileSystem.h"
#include <gmock/gmock.h>

using namespace dsv4;
using namespace dsv4::test;
using testing::AllOf;
using testing::HasSubstr;

namespace {

const char *const Query = "layers.1.attn.wq_a.weight";

TEST(Checkpoint, Opens) {
  for (ExpertFormat Experts : {ExpertFormat::Fp4, ExpertFormat::Fp8}) {
    TempFolder Folder;
    FakeCheckpoint Fake(Experts);
    Fake.tensor(Query).Bytes[5] = 42;
    Fake.write(Folder);
    auto C = Checkpoint::open(Folder.root() + "//");
    ASSERT_TRUE(bool(C)) << messageOf(C.takeError());
    EXPECT_TRUE(C->hasWeights());
    EXPECT_EQ(C->experts(), Experts);
    EXPECT_EQ(C->numShards(), 3u);
    EXPECT_EQ(C->report().Tensors, Fake.Tensors.size());
    EXPECT_EQ(C->report().DraftTensors, 0u);
    uint64_t Bytes = 0;
    for (const FakeTensor &T : Fake.Tensors)
      Bytes += T.Bytes.size();
    EXPECT_EQ(C->report().Bytes, Bytes);
    EXPECT_EQ(C->report().BytesByDType.at("I64"), 8u * 8);
    EXPECT_EQ(C->bytes(Query)[5], 42);
    EXPECT_EQ(C->find("no.such"), nullptr);
    EXPECT_THAT(C->release(), HasSubstr("unrecognised"));
    EXPECT_EQ(C->indexHash().size(), 64u);
    EXPECT_EQ(messageOf(C->checkNumbers([](auto, auto) { return true; })), "");
  }
}

TEST(Checkpoint, ConfigAlone) {
  FakeCheckpoint Fake;
  Fake.Tensors.clear();
  Fake.WithIndex = false;
  TempFolder Folder;
  Fake.write(Folder);
  auto C = Checkpoint::open(Folder.root());
  ASSERT_TRUE(bool(C)) << messageOf(C.takeError());
  EXPECT_FALSE(C->hasWeights());
  EXPECT_EQ(C->config().NumLayers, 2);
  EXPECT_THAT(messageOf(Checkpoint::open(Folder.path("no"))),
              HasSubstr("expected a checkpoint directory"));
  llvm::sys::fs::remove(Folder.path("config.json"));
  EXPECT_THAT(messageOf(Checkpoint::open(Folder.root())),
              HasSubstr("config.json: cannot be read"));
}

TEST(Checkpoint, SingleFileWithoutIndex) {
  FakeCheckpoint Fake;
  Fake.WithIndex = false;
  for (FakeTensor &T : Fake.Tensors)
    T.Shard = "model.safetensors";
  EXPECT_EQ(Fake.openError(), "");
  Fake.remove("head.weight");
  EXPECT_THAT(Fake.openError(), HasSubstr("tensor head.weight is missing"));
}

/// Every tensor is needed: without it the checkpoint is refused.
TEST(Checkpoint, EveryTensorIsNeeded) {
  FakeCheckpoint Whole;
  for (const FakeTensor &T : Whole.Tensors) {
    FakeCheckpoint Fake;
    Fake.remove(T.Name);
    EXPECT_THAT(Fake.openError(),
                HasSubstr("tensor " + T.Name + " is missing: expected " +
                          dtypeName(T.Type).str() + " " + shapeText(T.Shape)));
  }
}

TEST(Checkpoint, WrongTensors) {
  FakeCheckpoint Fake;
  Fake.tensor(Query).Shape = {64, 256};
  EXPECT_THAT(Fake.openError(),
              AllOf(HasSubstr(Query), HasSubstr("expected shape [128, 128], "
                                                "found [64, 256]")));
  Fake = FakeCheckpoint();
  Fake.tensor(Query).Type = DType::I8;
  EXPECT_THAT(Fake.openError(), HasSubstr("expected dtype F8_E4M3, found I8"));
  Fake = FakeCheckpoint();
  Fake.add("layers.0.attn.wq_a.bias", {1}, DType::F32);
  EXPECT_THAT(Fake.openError(),
              HasSubstr("tensor layers.0.attn.wq_a.bias is unexpected"));
  Fake = FakeCheckpoint();
  Fake.add("layers.0.mlp.experts.gate_up_proj", {1}, DType::F32);
  EXPECT_THAT(Fake.openError(), HasSubstr("fused gate_up_proj"));
}

TEST(Checkpoint, ExpertFormatDisagrees) {
  FakeCheckpoint Fake(ExpertFormat::Fp8);
  Fake.Config = replaced(Fake.Config, "\"hc_mult\"",
                         "\"expert_dtype\": \"fp4\", \"hc_mult\"");
  EXPECT_THAT(Fake.openError(), HasSubstr("expert_dtype says fp4"));
}

TEST(Checkpoint, ConfigAsksForFarMore) {
  FakeCheckpoint Fake;
  Fake.Config = replaced(Fake.Config, "\"n_routed_experts\": 2",
                         "\"n_routed_experts\": 65536");
  EXPECT_THAT(Fake.openError(), HasSubstr("786432 tensors of experts"));
}

TEST(Checkpoint, Shards) {
  FakeCheckpoint Fake;
  TempFolder Folder;
  Fake.write(Folder);
  llvm::sys::fs::remove(Folder.path("model-layer1.safetensors"));
  EXPECT_THAT(messageOf(Checkpoint::open(Folder.root())),
              AllOf(HasSubstr("model-layer1.safetensors: shard is missing"),
                    HasSubstr("tensor layers.1.")));
  // In another shard than the index says.
  Fake.Index["norm.weight"] = "model-layer0.safetensors";
  EXPECT_THAT(Fake.openError(),
              HasSubstr("tensor norm.weight is here, but the index says it is "
                        "in model-layer0.safetensors"));
  // In two shards.
  Fake = FakeCheckpoint();
  Fake.Tensors.push_back(Fake.tensor("norm.weight"));
  Fake.Tensors.back().Shard = "model-layer0.safetensors";
  EXPECT_THAT(Fake.openError(), HasSubstr("tensor norm.weight is here, but"));
  // In one shard under both styles of its name.
  Fake = FakeCheckpoint();
  Fake.Tensors.push_back(Fake.tensor("norm.weight"));
  Fake.Tensors.back().Name = "model.norm.weight";
  EXPECT_THAT(Fake.openError(), HasSubstr("tensor norm.weight appears twice"));
  // Listed, not there.
  Fake = FakeCheckpoint();
  Fake.Index["layers.9.x"] = "model-0.safetensors";
  EXPECT_THAT(Fake.openError(), HasSubstr("tensor layers.9.x is missing"));
}

TEST(Checkpoint, ShardWithTensorThatTheIndexLacks) {
  FakeCheckpoint Fake;
  TempFolder Folder;
  Fake.write(Folder);
  std::string Path = Folder.path("model.safetensors.index.json");
  writeFile(Path,
            replaced(readFile(Path), "\"norm.weight\":\"model-0.safetensors\"",
                     "\"head.weight\":\"model-0.safetensors\""));
  EXPECT_THAT(messageOf(Checkpoint::open(Folder.root())),
              HasSubstr("norm.weight is here, but the index does not list it"));
}

TEST(Checkpoint, CorruptIndex) {
  TempFolder Folder;
  FakeCheckpoint().write(Folder);
  std::string Path = Folder.path("model.safetensors.index.json");
  for (const char *Text : {"", "[]", "{}", "{\"weight_map\":[]}", "\xff"}) {
    writeFile(Path, Text);
    EXPECT_THAT(messageOf(Checkpoint::open(Folder.root())),
                AllOf(HasSubstr(Path), HasSubstr("with a weight_map")))
        << Text;
  }
  writeFile(Path, "{\"weight_map\":{}}");
  EXPECT_THAT(messageOf(Checkpoint::open(Folder.root())),
              HasSubstr("weight_map is empty"));
  std::string Deep = std::string(200000, '[') + std::string(200000, ']');
  for (std::string Shard :
       {std::string("\"../x\""), std::string("\"/etc/passwd\""),
        std::string("\"a/b\""), std::string("\"..\""), std::string("\"\""),
        std::string("7"), std::string("\"a\\u0000b\""), Deep}) {
    writeFile(Path, "{\"weight_map\":{\"norm.weight\":" + Shard + "}}");
    EXPECT_THAT(messageOf(Checkpoint::open(Folder.root())),
                HasSubstr("tensor norm.weight: expected a file name"))
        << Shard.substr(0, 40);
  }
  writeFile(Path, "{\"weight_map\":{\"\":\"model-0.safetensors\"}}");
  EXPECT_THAT(messageOf(Checkpoint::open(Folder.root())),
              HasSubstr("has no name"));
}

std::string numbersError(const FakeCheckpoint &Fake) {
  TempFolder Folder;
  Fake.write(Folder);
  auto C = Checkpoint::open(Folder.root());
  if (!C)
    return messageOf(C.takeError());
  return messageOf(C->checkNumbers([](auto, auto) { return true; }));
}

TEST(Checkpoint, Numbers) {
  for (char Nan : {'\x7f', '\xff'}) {
    FakeCheckpoint Fake;
    Fake.tensor(Query).Bytes[3 * 128 + 7] = Nan;
    EXPECT_THAT(numbersError(Fake),
                HasSubstr("layers.1.attn.wq_a.weight: F8_E4M3 at row 3, column "
                          "7 is NaN"));
  }
  FakeCheckpoint Fake;
  FakeTensor &Scale = Fake.tensor("layers.0.ffn.experts.1.w1.scale");
  Scale.Bytes[Scale.Shape[1] * 2 + 1] = '\xff';
  EXPECT_THAT(numbersError(Fake),
              HasSubstr("w1.scale: F8_E8M0 at row 2, column 1 is NaN"));
  // 0x7f is one in E8M0; FP4 and BF16 have no code that is looked for.
  Fake = FakeCheckpoint();
  Fake.tensor("layers.0.ffn.experts.1.w1.scale").Bytes[0] = '\x7f';
  Fake.tensor("layers.0.ffn.experts.1.w1.weight").Bytes[0] = '\xff';
  Fake.tensor("norm.weight").Bytes[0] = '\xff';
  EXPECT_EQ(numbersError(Fake), "");
  TempFolder Folder;
  Fake.write(Folder);
  auto C = Checkpoint::open(Folder.root());
  ASSERT_TRUE(bool(C));
  EXPECT_THAT(messageOf(C->checkNumbers([](auto, auto) { return false; })),
              HasSubstr("interrupted"));
}

/// The Hugging Face style of an official name (model.md 2.4).
std::string huggingFaceName(const std::string &Official) {
  llvm::StringRef Name = Official;
  bool Indexer = Name.contains(".indexer.");
  bool Compressor = Name.contains(".compressor.");
  std::string Text = Official;
  auto Swap = [&](const char *From, const char *To) {
    size_t At = Text.find(From);
    if (At != std::string::npos)
      Text.replace(At, std::string(From).size(), To);
  };
  if (Compressor) {
    Swap("compressor.ape", "compressor.position_bias");
    Swap("compressor.wgate", "compressor.gate_proj");
    Swap("compressor.norm", "compressor.kv_norm");
  }
  if (Indexer) {
    Swap("indexer.compressor.", "indexer.");
    Swap("indexer.weights_proj", "indexer.scorer.weights_proj");
    Swap("indexer.", "compressor.indexer.");
  }
  for (auto [From, To] : {std::pair{".attn_norm.", ".input_layernorm."},
                          {".ffn_norm.", ".post_attention_layernorm."},
                          {".hc_attn_", ".attn_hc."},
                          {".hc_ffn_", ".ffn_hc."},
                          {"hc_head_", "hc_head.hc_"},
                          {".attn.", ".self_attn."},
                          {".ffn.", ".mlp."},
                          {".attn_sink", ".sinks"},
                          {".q_norm", ".q_a_norm"},
                          {".wq_a", ".q_a_proj"},
                          {".wq_b", ".q_b_proj"},
                          {".wkv", ".kv_proj"},
                          {".wo_a", ".o_a_proj"},
                          {".wo_b", ".o_b_proj"},
                          {".gate.bias", ".gate.e_score_correction_bias"},
                          {".w1.", ".gate_proj."},
                          {".w2.", ".down_proj."},
                          {".w3.", ".up_proj."},
                          {"embed.", "embed_tokens."}})
    Swap(From, To);
  if (!Name.contains("hc_")) // these have a scale of their own
    Swap(".scale", ".weight_scale_inv");
  if (Text == "head.weight")
    return "lm_head.weight";
  return "model." + Text;
}

TEST(Checkpoint, HuggingFaceNames) {
  FakeCheckpoint Fake;
  int Changed = 0;
  for (FakeTensor &T : Fake.Tensors) {
    std::string Name = huggingFaceName(T.Name);
    Changed += Name != "model." + T.Name;
    EXPECT_EQ(officialName(Name), T.Name) << Name;
    EXPECT_EQ(officialName(T.Name), T.Name);
    T.Name = Name;
  }
  EXPECT_GT(Changed, 70);
  TempFolder Folder;
  Fake.write(Folder);
  auto C = Checkpoint::open(Folder.root());
  ASSERT_TRUE(bool(C)) << messageOf(C.takeError());
  EXPECT_EQ(C->report().Tensors, Fake.Tensors.size());
  EXPECT_NE(C->find(Query), nullptr);
}

/// Adds all tensors of the draft stages but the copies.
uint64_t addDraft(FakeCheckpoint &Fake, int64_t Stages) {
  auto Config = parseConfig("config.json", Fake.Config);
  EXPECT_TRUE(bool(Config));
  size_t Before = Fake.Tensors.size();
  for (int64_t Stage = 0; Stage < Stages; ++Stage)
    for (const ExpectedTensor &T :
         draftTensors(*Config, ExpertFormat::Fp4, Stage)) {
      std::string P = "mtp." + std::to_string(Stage) + ".";
      if (T.Name != P + "embed.weight" && T.Name != P + "head.weight")
        Fake.add(T.Name, T.Shape, T.Type, "model-mtp.safetensors");
    }
  return Fake.Tensors.size() - Before;
}

TEST(Checkpoint, MtpIsValidatedAndLeftOut) {
  FakeCheckpoint Fake;
  uint64_t Main = Fake.Tensors.size(), Added = addDraft(Fake, 1);
  Fake.add("mtp.0.embed.weight", {8, 128}, DType::BF16);
  Fake.tensor("mtp.0.e_proj.weight").Bytes[0] = '\x7f'; // no main weight
  TempFolder Folder;
  Fake.write(Folder);
  auto C = Checkpoint::open(Folder.root());
  ASSERT_TRUE(bool(C)) << messageOf(C.takeError());
  EXPECT_EQ(C->report().Tensors, Main);
  EXPECT_EQ(C->report().DraftTensors, Added + 1);
  EXPECT_GT(C->report().DraftBytes, 100000u);
  EXPECT_EQ(messageOf(C->checkNumbers([](auto, auto) { return true; })), "");
  // Parts may be absent.
  Fake.remove("mtp.0.e_proj.weight");
  EXPECT_EQ(Fake.openError(), "");
}

TEST(Checkpoint, MtpErrors) {
  FakeCheckpoint Fake;
  addDraft(Fake, 1);
  Fake.tensor("mtp.0.h_proj.weight").Shape = {64, 256};
  EXPECT_THAT(Fake.openError(),
              HasSubstr("mtp.0.h_proj.weight: expected shape [128, 128], found "
                        "[64, 256]"));
  Fake.tensor("mtp.0.h_proj.weight").Shape = {128, 128};
  Fake.tensor("mtp.0.ffn.gate.bias").Type = DType::I32;
  EXPECT_THAT(Fake.openError(), HasSubstr("expected dtype F32, found I32"));
  for (const char *Name :
       {"mtp.0.ffn.gate.tid2eid", "mtp.0.main_norm.weight", "mtp.0.x"}) {
    Fake = FakeCheckpoint();
    Fake.add(Name, {1}, DType::F32);
    EXPECT_THAT(Fake.openError(),
                AllOf(HasSubstr(Name), HasSubstr("no MTP draft stage 0 of 1")));
  }
  for (const char *Name : {"mtp.1.norm.weight", "mtp.x.norm.weight",
                           "mtp.-1.norm.weight", "mtp.norm.weight"}) {
    Fake = FakeCheckpoint();
    Fake.add(Name, {128}, DType::BF16);
    EXPECT_THAT(Fake.openError(),
                AllOf(HasSubstr(Name), HasSubstr("has 1 draft stages")));
  }
}

TEST(Checkpoint, DSpark) {
  FakeCheckpoint Fake;
  Fake.Config = replaced(Fake.Config, "[0, 4, 0]",
                         "[0, 4, 0, 0, 0], \"dspark_block_size\": 5, "
                         "\"dspark_markov_rank\": 16, "
                         "\"dspark_target_layer_ids\": [0, 1]");
  uint64_t Added = addDraft(Fake, 3);
  TempFolder Folder;
  Fake.write(Folder);
  auto C = Checkpoint::open(Folder.root());
  ASSERT_TRUE(bool(C)) << messageOf(C.takeError());
  EXPECT_EQ(C->report().DraftTensors, Added);
  EXPECT_EQ(shapeText(C->find("mtp.0.main_proj.weight")->Shape), "[128, 256]");
  EXPECT_EQ(shapeText(C->find("mtp.2.confidence_head.proj.weight")->Shape),
            "[1, 144]");
  EXPECT_EQ(C->find("mtp.1.norm.weight"), nullptr);
  Fake.add("mtp.1.norm.weight", {128}, DType::BF16);
  EXPECT_THAT(Fake.openError(), HasSubstr("no DSpark draft stage 1 of 3"));
}

} // namespace
