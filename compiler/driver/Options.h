// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one run of compile-model is asked to do. Filled by the tool, which owns
// the flags; read by the driver. No defaults are repeated elsewhere.

#ifndef DSV4_COMPILER_DRIVER_OPTIONS_H
#define DSV4_COMPILER_DRIVER_OPTIONS_H

#include <cstdint>
#include <string>
#include <vector>

namespace dsv4 {

/// Where the packed weights of an executable go.
enum class WeightsMode { Embed, Sidecar };

/// How `--plan` reports.
enum class PlanFormat { None, Text, Json };

struct CompileOptions {
  std::string checkpoint; // directory
  std::string output;     // file; IR when compileTo is before codegen
  std::string target = "native";
  std::string profile;              // TOML file, empty: heuristics alone
  std::vector<std::string> configs; // KEY=VALUE, before the profile
  std::string dotOrder;             // chain or split, empty: the target's
  std::string compileTo = "link";   // phase name, inclusive
  std::string compileFrom;          // phase whose dump is the input, or empty
  std::string ir;                   // that dump; default in dumpPhasesTo
  std::string dumpPhasesTo;         // directory, empty: no dumps
  std::string dumpKernelsTo;        // directory, empty: no dumps
  int64_t context = 0;              // tokens; 0: the model's own maximum
  int64_t sequences = 1;            // state slots of the executable
  int64_t stepTokens = 512;         // rows of one step
  int multiprocessors = 132;        // of the GPU that grids are made for
  bool fuseLaunches = true;         // neighbouring phases in one launch
  int64_t deviceMemory = 0;         // MiB free on the GPU; 0: enough
  int64_t hostMemory = -1;          // MiB to pin weights in; -1: enough
  std::string expertUsage;          // file: tokens of each expert, or empty
  bool printConfigs = false;        // and stop
  bool tokenizer = true;
  bool quiet = false;
  bool verifyEach = true;
  bool jsonProgress = false;
  WeightsMode weights = WeightsMode::Embed;
  PlanFormat plan = PlanFormat::None;
};

} // namespace dsv4

#endif // DSV4_COMPILER_DRIVER_OPTIONS_H
