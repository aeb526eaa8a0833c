// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A phase plan as text and as JSON. Each time carries the word "predicted".

#include "targets/cuda/PhasePlan.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Format.h"

namespace dsv4::cuda {

double PhasePlan::workSeconds() const {
  double sum = 0;
  for (const PhasePrediction &phase : phases)
    sum += phase.seconds;
  return sum;
}

int64_t PhasePlan::weightBytes() const {
  int64_t sum = 0;
  for (const PhasePrediction &phase : phases)
    sum += phase.weightBytes;
  return sum;
}

void PhasePlan::print(llvm::raw_ostream &out) const {
  out << "PREDICTION for " << gpu.name << " (" << gpu.target << ", "
      << gpu.multiprocessors << " multiprocessors, "
      << llvm::format("%.3f", gpu.bytesPerSecond / 1e12)
      << " TB/s published), linked by " << linkingName(linking)
      << "; not run on hardware\n"
      << "a step of " << step.tokens << " token(s), " << step.outputs
      << " output(s), last position " << step.position << "\n";
  struct Sum {
    int64_t count = 0, weights = 0, others = 0;
    double seconds = 0, balanced = 0;
  };
  llvm::MapVector<llvm::StringRef, Sum> kinds;
  for (const PhasePrediction &phase : phases) {
    Sum &sum = kinds[phase.kind];
    ++sum.count;
    sum.weights += phase.weightBytes;
    sum.others += phase.otherBytes;
    sum.seconds += phase.seconds;
    sum.balanced += phase.seconds * phase.balance;
  }
  out << "  kind             phases     weights MB   other MB  balance"
         "  predicted us\n";
  for (const auto &[kind, sum] : kinds)
    out << "  " << llvm::left_justify(kind, 16)
        << llvm::format(
               "%7lld %14.3f %10.3f  %6.1f%% %13.2f\n", (long long)sum.count,
               double(sum.weights) / 1e6, double(sum.others) / 1e6,
               sum.seconds > 0 ? 100 * sum.balanced / sum.seconds : 100,
               sum.seconds * 1e6);
  out << llvm::format("all phases: %lld, weights %.3f MB, predicted %.1f us\n",
                      (long long)phases.size(), double(weightBytes()) / 1e6,
                      workSeconds() * 1e6)
      << "grid-wide dependencies: " << levels << " unfused, assumed "
      << llvm::format("%.1f to %.1f us each\n", edge().low * 1e6,
                      edge().high * 1e6)
      << llvm::format("step: predicted %.1f to %.1f us\n", secondsLow() * 1e6,
                      secondsHigh() * 1e6);
}

llvm::json::Value PhasePlan::toJson() const {
  llvm::json::Array list;
  for (const PhasePrediction &phase : phases)
    list.push_back(llvm::json::Object{{"name", phase.name},
                                      {"kind", phase.kind},
                                      {"weight_bytes", phase.weightBytes},
                                      {"other_bytes", phase.otherBytes},
                                      {"operations", phase.operations},
                                      {"tiles", phase.tiles},
                                      {"split", phase.split},
                                      {"balance", phase.balance},
                                      {"level", phase.level},
                                      {"predicted_seconds", phase.seconds}});
  return llvm::json::Object{
      {"is_prediction", true},
      {"run_on_hardware", false},
      {"gpu", gpu.name},
      {"target", gpu.target},
      {"published_bytes_per_second", gpu.bytesPerSecond},
      {"assumed_bandwidth_share", assumedBandwidthShare},
      {"linking", linkingName(linking)},
      {"assumed_edge_seconds", llvm::json::Array{edge().low, edge().high}},
      {"tokens", step.tokens},
      {"outputs", step.outputs},
      {"position", step.position},
      {"grid_dependencies", levels},
      {"weight_bytes", weightBytes()},
      {"predicted_work_seconds", workSeconds()},
      {"predicted_step_seconds",
       llvm::json::Array{secondsLow(), secondsHigh()}},
      {"phases", std::move(list)},
  };
}

} // namespace dsv4::cuda
