// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one step of a program should take on a named GPU: bytes, tiles and
// grid-wide dependencies of every phase of kern. Every time here is a
// prediction from published figures of the GPU and the assumptions named
// below; nothing was run on hardware.

#ifndef DSV4_TARGETS_CUDA_PHASEPLAN_H
#define DSV4_TARGETS_CUDA_PHASEPLAN_H

#include "dialects/kern/IR/KernOps.h"
#include "targets/cuda/LaunchPlan.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace dsv4::cuda {

/// A GPU as its maker publishes it: dense products, no sparsity.
struct Gpu {
  const char *name;
  const char *target; // a row of cudaTargets()
  int multiprocessors;
  double bytesPerSecond; // of its memory
  double fp8PerSecond;   // operations of FP8 products; a multiply-add is two
  double bf16PerSecond;
};

llvm::ArrayRef<Gpu> gpus();
/// Errors list the names.
llvm::Expected<const Gpu *> findGpu(llvm::StringRef name);

/// How phases are linked, which decides what a grid-wide dependency costs
/// beyond what is hidden. Assumed, in seconds from low to high: published
/// measurements of dependent kernels on H100 and estimates built on them.
enum class Linking { Graph, DependentLaunch, Persistent };
struct EdgeCost {
  double low, high;
};
EdgeCost edgeCost(Linking linking);
llvm::StringRef linkingName(Linking linking);
/// Errors list the names.
llvm::Expected<Linking> findLinking(llvm::StringRef name);

/// Share of the published bandwidth that streams of weights are assumed to
/// reach: 4.35 of 4.8 TB/s on an H200.
inline constexpr double assumedBandwidthShare = 4.35 / 4.8;

/// Share of the published product rate that large steps are assumed to reach:
/// 800 of 1,979 TFLOP/s. Decode is far from it.
inline constexpr double assumedProductShare = 800.0 / 1979;

/// Share of the published bandwidth that a copy reached on one H200 (published
/// by others): 4.3 of 4.8 TB/s. Floors are told at this rate.
inline constexpr double copyBandwidthShare = 4.3 / 4.8;

/// The step that is predicted: one sequence.
struct PlannedStep {
  int64_t tokens = 1, outputs = 1;
  int64_t position = 0; // of its last token: what attention reads
};

struct PhasePrediction {
  std::string name, kind;
  int64_t weightBytes = 0; // packed as this target packs them
  int64_t storedBytes = 0; // the same weights as the checkpoint has them
  int64_t otherBytes = 0;  // step buffers in and out, state read
  int64_t stateBytes = 0;  // of these, state
  double operations = 0;   // of matrix products, scores and attention
  double peakSeconds = 0;  // that those take at the published rate
  int64_t tiles = 0;       // of 64 rows, times the split; 0: no product
  int64_t split = 1;       // parts of K, chosen for balance
  double balance = 1;      // busy share of the multiprocessors
  int64_t level = 0;       // phases of one level do not depend on each other
  double seconds = 0;      // predicted, without any dependency's cost
};

struct PhasePlan {
  Gpu gpu{};
  Linking linking = Linking::Graph;
  PlannedStep step;
  std::vector<PhasePrediction> phases;
  /// Longest chain of phases that need each other's results.
  int64_t levels = 0;
  /// Launches and their dependencies: unfused, rows fused (the default), tails
  /// too, as planned.
  LaunchCount unfused, rows, fused, planned;

  double workSeconds() const;
  /// What is waited for: every launch where they are a chain, as graphs are
  /// linked; in one kernel only what is needed.
  int64_t edges() const {
    return linking == Linking::Persistent ? fused.levels : fused.launches;
  }
  double secondsLow() const { return workSeconds() + edges() * edge().low; }
  double secondsHigh() const { return workSeconds() + edges() * edge().high; }
  int64_t weightBytes() const;
  int64_t storedBytes() const;
  /// What no program can go below: weights as stored and state once at the copy
  /// rate, or all products at the published rate, whichever is longer.
  double floorSeconds() const;
  EdgeCost edge() const { return edgeCost(linking); }

  /// Sums by kind, then the totals; every time is named as predicted.
  void print(llvm::raw_ostream &out) const;
  /// All phases.
  llvm::json::Value toJson() const;
};

/// The same for steps that follow each other, at least one: a prompt that is
/// longer than a step. Bars are shares of the predicted time.
void printPlans(llvm::ArrayRef<PhasePlan> plans, llvm::raw_ostream &out);

/// The program need not be planned. An error names a step that it cannot hold,
/// or a weight that this target cannot pack.
llvm::Expected<PhasePlan> planPhases(kern::ProgramOp program, const Gpu &gpu,
                                     Linking linking, const PlannedStep &step);

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_PHASEPLAN_H
