// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints of any dimensions in the official format, with pseudo-random
// weights: for measuring and testing at sizes for which no weights are at hand.
// Names, shapes and dtypes are those that import asks for (ExpectedTensors).

#ifndef DSV4_COMPILER_SYNTH_SYNTHETICCHECKPOINT_H
#define DSV4_COMPILER_SYNTH_SYNTHETICCHECKPOINT_H

#include "compiler/import/Checkpoint.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace dsv4 {

struct SyntheticOptions {
  std::string ConfigPath; // a config.json
  /// > 0: only the first so many layers, and no draft stages.
  int64_t Layers = 0;
  /// "key=value", the value in JSON or a word; put into the config first.
  std::vector<std::string> Settings;
  uint64_t ShardBytes = uint64_t(4) << 30; // a shard is closed before
  bool DraftHeads = false;                 // mtp.* tensors too
};

/// What will be written, shard by shard.
struct SyntheticPlan {
  ModelConfig Config;
  ExpertFormat Experts;
  std::string ConfigPath, ConfigText; // read from, to be written
  std::vector<std::vector<ExpectedTensor>> Shards;
  uint64_t Tensors = 0, Bytes = 0; // without headers
  std::map<std::string, uint64_t> BytesByClass, BytesByDType;
};

/// Bytes of the stored tensor.
uint64_t tensorBytes(const ExpectedTensor &Tensor);

/// Errors: those of parseConfig, for the config as changed too; a setting that
/// is none or whose key nothing reads; more layers than there are.
llvm::Expected<SyntheticPlan> planSynthetic(const SyntheticOptions &Options);

/// Where and how to write.
struct SyntheticOutput {
  std::string Directory; // made where it is missing
  uint64_t Seed = 1;
  /// Writes beside other files, in place of an earlier synthetic checkpoint.
  /// Weights that this tool has not written are never touched.
  bool Force = false;
  std::string Tokenizer; // "" or a directory whose tokenizer is copied
};

/// Writes shards, then index, then config.json. Every file appears whole or not
/// at all; on an error all of them go away again, and so does a directory that
/// was made here. On a signal the files go away. `Step` is told bytes done.
/// Errors: a directory with files unless forced, a tokenizer that is none or
/// has more tokens than the model, too little room on the disk, those of the
/// system.
llvm::Error writeSynthetic(const SyntheticPlan &Plan,
                           const SyntheticOutput &Output,
                           llvm::function_ref<void(uint64_t)> Step);

} // namespace dsv4

#endif // DSV4_COMPILER_SYNTH_SYNTHETICCHECKPOINT_H
