// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `compile-model tune`: asks one question after another about this machine
// (which form of the dot product, how many rows in the micro-kernel, how far to
// prefetch per format), measures the candidates in turns beside the machine's
// limits, and writes every answer into the profile at once. What the profile
// answers already is not asked again, so an interrupted run goes on.

#ifndef DSV4_COMPILER_TUNE_TUNE_H
#define DSV4_COMPILER_TUNE_TUNE_H

#include "compiler/tune/TileBench.h"
#include "targets/common/TuningProfile.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>
#include <vector>

namespace dsv4::tune {

/// A value that a question may be answered with.
struct Candidate {
  std::string value;               // "f32", "6", "2048"
  Tuning tuning;                   // the answers so far, and this value
  std::vector<double> scores = {}; // share of the machine's limit, per round
  bool isOut = false;              // behind after a few rounds
  double median() const { return tune::median(scores); }
};

/// One question: candidates, the first of them the heuristic's, and the
/// products that they are judged by (the mean of their scores).
struct Question {
  std::string key; // "fp4.prefetch_bytes"
  std::vector<Candidate> candidates;
  std::vector<TileCase> cases;
};

/// The questions that `known` has no answer to, for a target. Candidates that
/// cannot be best by a simple model are left out: chains that do not cover the
/// latency of the dot product, prefetches nearer than a memory access takes.
std::vector<Question> openQuestions(const TargetDesc &target,
                                    const Tuning &known);

struct TuneOptions {
  TargetDesc target;
  std::string output;  // profile to write
  std::string command; // for the record
  int threads = 1;
  int64_t megabytes = 1024; // of streamed weights: beyond any cache
  int rounds = 9;           // most measurements of a candidate
  bool again = false;       // measure even what the profile answers
};

/// Told when a question is answered, with the number of the best candidate.
using TuneLog = llvm::function_ref<void(const Question &, size_t best)>;

/// Errors: a profile of another machine or target at `output` without `again`;
/// no memory; threads that do not exist; kernels that do not compile.
llvm::Expected<TuningProfile> tuneMachine(const TuneOptions &options,
                                          TuneLog log);

} // namespace dsv4::tune

#endif // DSV4_COMPILER_TUNE_TUNE_H
