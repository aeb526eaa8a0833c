// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pass list of every phase, as text: what runs is what is printed, dumped
// and locked by test/pipeline.

#ifndef DSV4_COMPILER_PIPELINE_PIPELINES_H
#define DSV4_COMPILER_PIPELINE_PIPELINES_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

#include <cstdint>
#include <string>

namespace dsv4 {

/// Phases in order; numbered from 1 in dumps.
enum class Phase {
  Import,
  Verify,
  Fuse,
  Lower,
  Configure,
  Plan,
  Schedule,
  Codegen,
  Link,
};

/// Knobs of the phases.
struct PipelineOptions {
  int64_t context = 0;      // tokens; 0: the model's own maximum
  int64_t sequences = 1;    // state slots
  int64_t stepTokens = 128; // most tokens of a step
  int64_t outputs = 0;      // most logits rows of a step; 0: stepTokens
  bool forCuda = false;     // weights in the layout of a GPU
};

/// Registers the dialects that the phases read and write.
void registerPipelineDialects(mlir::DialectRegistry &Registry);

/// Registers the passes of all phases; may be called more than once.
void registerPipelinePasses();

/// The passes of a phase in the textual form of mlir-opt, without the
/// enclosing builtin.module(...); empty for phases that are no passes.
std::string getPassPipeline(Phase Phase, const PipelineOptions &Options);

/// Adds the passes of a phase to a manager of modules.
mlir::LogicalResult populatePhase(mlir::OpPassManager &Manager, Phase Phase,
                                  const PipelineOptions &Options);

} // namespace dsv4

#endif // DSV4_COMPILER_PIPELINE_PIPELINES_H
