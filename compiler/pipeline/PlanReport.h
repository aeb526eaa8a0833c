// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a planned program needs, every byte by class, for a context length and a
// number of sequences. The numbers come from the attributes that the planning
// passes wrote; nothing is computed a second way.

#ifndef DSV4_COMPILER_PIPELINE_PLANREPORT_H
#define DSV4_COMPILER_PIPELINE_PLANREPORT_H

#include "dialects/kern/IR/KernOps.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace dsv4 {

struct PlanReport {
  struct Class {
    std::string name;
    int64_t bytes = 0;
    int64_t count = 0; // tensors or states
  };

  int64_t context = 0; // tokens, multiple of 128
  int64_t sequences = 0;
  int64_t stepTokens = 0;
  int64_t outputs = 0;
  int64_t workers = 1;
  int64_t phases = 0;

  std::vector<Class> weights; // packed bytes by class
  int64_t weightBytes = 0;    // all, with alignment
  std::vector<Class> state;   // of one sequence at this context
  int64_t stateBytes = 0;     // of one sequence, with alignment
  int64_t stateFixedBytes = 0;
  double stateBytesPerToken = 0; // growth with the context
  int64_t bufferBytes = 0;       // peak of step buffers
  int64_t bufferSumBytes = 0;    // sum of all buffers, if none were shared
  int64_t buffers = 0;
  int64_t scratchBytes = 0; // of one worker

  /// Weights, state of all sequences, buffers and scratch of all workers.
  int64_t getTotalBytes() const;

  /// A table for people; ends in a newline.
  void print(llvm::raw_ostream &Out) const;
  /// The same numbers by name.
  llvm::json::Value toJson() const;
};

/// Reads a planned and scheduled program. `Context` 0: the compiled maximum;
/// it is rounded up to whole blocks. Errors (not planned, context beyond the
/// maximum) are diagnostics on the program.
mlir::FailureOr<PlanReport> makePlanReport(kern::ProgramOp Program,
                                           int64_t Context, int64_t Sequences,
                                           int64_t Workers);

} // namespace dsv4

#endif // DSV4_COMPILER_PIPELINE_PLANREPORT_H
