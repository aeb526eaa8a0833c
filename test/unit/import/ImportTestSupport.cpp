// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ImportTestSupport.h. Dimensions are the least that the config check
// takes, so that a whole checkpoint is below a megabyte.

#include "test/unit/import/ImportTestSupport.h"

#include "llvm/Support/FileSystem.h"
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace dsv4::test {

static const char *const SmallConfig = R"({
  "architectures": ["DeepseekV4ForCausalLM"],
  "model_type": "deepseek_v4",
  "vocab_size": 8, "hidden_size": 128, "num_hidden_layers": 2,
  "num_attention_heads": 2, "head_dim": 96, "qk_rope_head_dim": 32,
  "q_lora_rank": 128, "o_groups": 1, "o_lora_rank": 128,
  "sliding_window": 8, "n_routed_experts": 2, "num_experts_per_tok": 1,
  "moe_intermediate_size": 128, "num_hash_layers": 1, "hc_mult": 2,
  "hc_sinkhorn_iters": 2, "index_n_heads": 2, "index_head_dim": 32,
  "index_topk": 4, "rope_theta": 10000, "compress_rope_theta": 160000,
  "routed_scaling_factor": 1.5, "swiglu_limit": 10.0,
  "compress_ratios": [0, 4, 0]
})";

TempFolder::TempFolder() {
  llvm::SmallString<128> Path;
  EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("dsv4-import", Path));
  Root = Path.str().str();
}

TempFolder::~TempFolder() { llvm::sys::fs::remove_directories(Root); }

void writeFile(const std::string &Path, const std::string &Bytes) {
  std::ofstream(Path, std::ios::binary) << Bytes;
}

std::string readFile(const std::string &Path) {
  std::ifstream In(Path, std::ios::binary);
  EXPECT_TRUE(In.good()) << Path;
  std::ostringstream Out;
  Out << In.rdbuf();
  return Out.str();
}

std::string officialConfig(const std::string &Name) {
  return readFile(std::string(DSV4_SOURCE_DIR) + "/test/data/config/" + Name);
}

std::string replaced(std::string Text, const std::string &From,
                     const std::string &To) {
  size_t At = Text.find(From);
  EXPECT_NE(At, std::string::npos) << From;
  return At == std::string::npos ? Text : Text.replace(At, From.size(), To);
}

std::string messageOf(llvm::Error E) { return llvm::toString(std::move(E)); }

std::string shard(const std::string &Header, const std::string &Data) {
  uint64_t Length = Header.size();
  return std::string(reinterpret_cast<char *>(&Length), 8) + Header + Data;
}

static std::string zeros(const std::vector<int64_t> &Shape, DType Type) {
  int64_t Bytes = dtypeBytes(Type);
  for (int64_t Dim : Shape)
    Bytes *= Dim;
  return std::string(Bytes, '\0');
}

FakeCheckpoint::FakeCheckpoint(ExpertFormat Experts) : Config(SmallConfig) {
  llvm::Expected<ModelConfig> Parsed = parseConfig("config.json", Config);
  if (!Parsed) {
    ADD_FAILURE() << messageOf(Parsed.takeError());
    return;
  }
  for (const ExpectedTensor &T : expectedTensors(*Parsed, Experts)) {
    std::string Shard = "model-0.safetensors";
    if (T.Name.rfind("layers.", 0) == 0)
      Shard = "model-layer" + T.Name.substr(7, 1) + ".safetensors";
    add(T.Name, T.Shape, T.Type, Shard);
  }
}

FakeTensor &FakeCheckpoint::tensor(const std::string &Name) {
  for (FakeTensor &T : Tensors)
    if (T.Name == Name)
      return T;
  ADD_FAILURE() << "no tensor " << Name;
  return Tensors.front();
}

void FakeCheckpoint::remove(const std::string &Name) {
  size_t Erased =
      std::erase_if(Tensors, [&](auto &T) { return T.Name == Name; });
  EXPECT_EQ(Erased, 1u) << Name;
}

void FakeCheckpoint::add(const std::string &Name, std::vector<int64_t> Shape,
                         DType Type, const std::string &Shard) {
  Tensors.push_back({Name, Shape, Type, zeros(Shape, Type), Shard});
}

void FakeCheckpoint::write(const TempFolder &To) const {
  writeFile(To.path("config.json"), Config);
  std::map<std::string, std::vector<TensorToWrite>> Shards;
  std::map<std::string, std::string> Map;
  for (const FakeTensor &T : Tensors) {
    Shards[T.Shard].push_back(
        {T.Name,
         T.Type,
         T.Shape,
         {reinterpret_cast<const uint8_t *>(T.Bytes.data()), T.Bytes.size()}});
    Map[T.Name] = T.Shard;
  }
  for (const auto &[Name, List] : Shards)
    ASSERT_EQ(messageOf(writeSafetensors(To.path(Name), List)), "");
  if (!WithIndex)
    return;
  for (const auto &[Name, Shard] : Index)
    Map[Name] = Shard;
  std::string Text;
  for (const auto &[Name, Shard] : Map)
    Text +=
        (Text.empty() ? "" : ",\n") + ("\"" + Name) + "\":\"" + Shard + "\"";
  writeFile(To.path("model.safetensors.index.json"),
            "{\"metadata\":{},\"weight_map\":{" + Text + "}}");
}

std::string FakeCheckpoint::openError() const {
  TempFolder Folder;
  write(Folder);
  return messageOf(Checkpoint::open(Folder.root()));
}

} // namespace dsv4::test
