// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A checkpoint directory: config, tokenizer, index, shards. Opening it proves
// that every tensor that the config asks for is there once, with the right
// shape and dtype (model.md 2.2), before any weight byte is looked at. Hugging
// Face style names are taken for the official ones (model.md 2.4). A directory
// with config.json alone opens too, without weights.

#ifndef DSV4_COMPILER_IMPORT_CHECKPOINT_H
#define DSV4_COMPILER_IMPORT_CHECKPOINT_H

#include "compiler/import/CheckpointConfig.h"
#include "compiler/import/Safetensors.h"
#include "llvm/ADT/StringMap.h"

#include <map>
#include <memory>

namespace dsv4 {

/// A tensor that the config asks for. Several dtypes: any of them.
struct ExpectedTensor {
  std::string Name;
  std::vector<int64_t> Shape;
  DType Type;
};

/// Every tensor of the main model, in checkpoint order. `Experts` must not be
/// Infer.
std::vector<ExpectedTensor> expectedTensors(const ModelConfig &Config,
                                            ExpertFormat Experts);

/// Every tensor that draft stage `Stage` may have (model.md 2.2), and the
/// copies of embedding and head that some exports keep there.
std::vector<ExpectedTensor> draftTensors(const ModelConfig &Config,
                                         ExpertFormat Experts, int64_t Stage);

/// "routed experts", "attention" and so on, from the official name.
llvm::StringRef tensorClass(llvm::StringRef OfficialName);

/// The official name of a tensor given in either style.
std::string officialName(llvm::StringRef Name);

/// What was read and what was left out.
struct CheckpointReport {
  uint64_t Tensors = 0, Bytes = 0;           // of the main model
  uint64_t DraftTensors = 0, DraftBytes = 0; // mtp.*, validated, left out
  std::map<std::string, uint64_t> BytesByDType;
};

class Checkpoint {
public:
  static llvm::Expected<Checkpoint> open(llvm::StringRef Directory);

  const ModelConfig &config() const { return Config; }
  llvm::StringRef directory() const { return Directory; }
  bool hasWeights() const { return !Files.empty(); }
  ExpertFormat experts() const { return Experts; }
  const CheckpointReport &report() const { return Report; }

  /// Null where there is no such tensor.
  const TensorInfo *find(llvm::StringRef OfficialName) const;
  /// The mapped bytes of a tensor that exists.
  llvm::ArrayRef<uint8_t> bytes(llvm::StringRef OfficialName) const;

  /// "DeepSeek-V4-Flash" or "DeepSeek V4 family, unrecognised release".
  std::string release() const;
  llvm::StringRef configHash() const { return ConfigHash; }
  llvm::StringRef indexHash() const { return IndexHash; }
  llvm::StringRef tokenizerHash() const { return TokenizerHash; }
  size_t numShards() const { return Files.size(); }

  /// Reads all E8M0 scales and E4M3 weights of the main model once and refuses
  /// NaN codes, naming tensor, row and column. `Step` is told bytes done and in
  /// all, and stops the check by returning false.
  llvm::Error
  checkNumbers(llvm::function_ref<bool(uint64_t, uint64_t)> Step) const;

private:
  struct Location {
    const SafetensorsFile *File;
    const TensorInfo *Tensor;
  };

  llvm::Error readConfig();
  llvm::Error readIndex();
  llvm::Error openShards(const std::map<std::string, std::string> &ShardOf);
  llvm::Error addTensors(const SafetensorsFile &File, llvm::StringRef Shard,
                         const std::map<std::string, std::string> &ShardOf);
  llvm::Error inferExperts();
  llvm::Error checkTensors();
  llvm::Error checkTensor(const ExpectedTensor &Want);
  llvm::Error checkShape(const SafetensorsFile &File, const TensorInfo &T,
                         const ExpectedTensor &Want) const;
  llvm::Error checkDraft(const SafetensorsFile &File, const TensorInfo &T,
                         llvm::StringRef Name);
  llvm::Error checkUnexpected();

  std::string Directory, ConfigHash, IndexHash, TokenizerHash;
  ModelConfig Config;
  ExpertFormat Experts = ExpertFormat::Fp4;
  std::vector<std::unique_ptr<SafetensorsFile>> Files;
  llvm::StringMap<Location> Tensors;
  std::vector<llvm::StringMap<ExpectedTensor>> DraftTables; // by stage
  CheckpointReport Report;
};

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_CHECKPOINT_H
