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

/// What will be written, shard by shard.
struct SyntheticPlan {
  ModelConfig Config;
  ExpertFormat Experts;
  std::string ConfigText; // of the config.json
  std::vector<std::vector<ExpectedTensor>> Shards;
  uint64_t Bytes = 0; // of tensors
  std::map<std::string, uint64_t> BytesByDType;
};

/// `Path` is a config.json. `Layers` > 0 keeps the first so many layers;
/// `Settings` are "key=value" with values in JSON, put into the config before.
/// A shard is closed at `ShardBytes`. Draft stages are left out. Errors: those
/// of parseConfig; a setting that is no JSON.
llvm::Expected<SyntheticPlan>
planSynthetic(llvm::StringRef Path, int64_t Layers,
              llvm::ArrayRef<std::string> Settings, uint64_t ShardBytes);

/// Writes the plan into `Directory` (made where it is missing): shards, then
/// index, then config.json. Every file appears whole or not at all; on an error
/// or a signal all of them go away again. `Step` is told bytes done. Errors: a
/// directory with files unless `Force`, too little room on the disk, those of
/// the system.
llvm::Error writeSynthetic(const SyntheticPlan &Plan, llvm::StringRef Directory,
                           uint64_t Seed, bool Force,
                           llvm::function_ref<void(uint64_t)> Step);

} // namespace dsv4

#endif // DSV4_COMPILER_SYNTH_SYNTHETICCHECKPOINT_H
