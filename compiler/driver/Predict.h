// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `compile-model predict`: what a checkpoint's model should take on a named
// GPU, beside what others have published for it. Needs config.json alone;
// nothing is compiled and no GPU is asked. Every time of ours is a prediction.

#ifndef DSV4_COMPILER_DRIVER_PREDICT_H
#define DSV4_COMPILER_DRIVER_PREDICT_H

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <string>
#include <vector>

namespace dsv4 {

struct PredictOptions {
  std::string checkpoint;                      // directory
  std::string gpu = "h200";                    // of targets/cuda/PhasePlan.h
  std::string linking = "dependent-launch";    // or graph, persistent
  int64_t position = 8191;                     // of the token that is decoded
  std::vector<int64_t> prompts = {4096, 8192}; // tokens of prefills
  int64_t stepTokens = 4096;                   // rows of one step of a prefill
  bool json = false;
};

/// Prints the predictions. Errors name what cannot be predicted.
llvm::Error predictModel(const PredictOptions &options, llvm::raw_ostream &out);

} // namespace dsv4

#endif // DSV4_COMPILER_DRIVER_PREDICT_H
