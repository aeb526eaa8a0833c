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

int64_t PhasePlan::storedBytes() const {
  int64_t sum = 0;
  for (const PhasePrediction &phase : phases)
    sum += phase.storedBytes;
  return sum;
}

double PhasePlan::floorSeconds() const {
  double bytes = double(storedBytes()), peak = 0;
  for (const PhasePrediction &phase : phases) {
    bytes += double(phase.stateBytes);
    peak += phase.peakSeconds;
  }
  return std::max(bytes / (gpu.bytesPerSecond * copyBandwidthShare), peak);
}

namespace {

struct Sum {
  int64_t count = 0, weights = 0, others = 0;
  double seconds = 0, balanced = 0;
};

/// Of all steps.
struct Totals {
  llvm::MapVector<llvm::StringRef, Sum> kinds;
  int64_t phases = 0, weights = 0, stored = 0, edges = 0, plannedEdges = 0;
  LaunchCount unfused, rows, fused, planned;
  double work = 0, low = 0, high = 0, floor = 0;

  explicit Totals(llvm::ArrayRef<PhasePlan> plans) {
    for (const PhasePlan &plan : plans) {
      phases += int64_t(plan.phases.size());
      weights += plan.weightBytes();
      stored += plan.storedBytes();
      edges += plan.edges();
      plannedEdges += plan.linking == Linking::Persistent
                          ? plan.planned.levels
                          : plan.planned.launches;
      add(unfused, plan.unfused);
      add(rows, plan.rows);
      add(fused, plan.fused);
      add(planned, plan.planned);
      work += plan.workSeconds();
      low += plan.secondsLow();
      high += plan.secondsHigh();
      floor += plan.floorSeconds();
      for (const PhasePrediction &phase : plan.phases)
        add(phase);
    }
  }

private:
  static void add(LaunchCount &to, const LaunchCount &more) {
    to.launches += more.launches;
    to.levels += more.levels;
  }
  void add(const PhasePrediction &phase) {
    Sum &sum = kinds[phase.kind];
    ++sum.count;
    sum.weights += phase.weightBytes;
    sum.others += phase.otherBytes;
    sum.seconds += phase.seconds;
    sum.balanced += phase.seconds * phase.balance;
  }
};

/// " ###", 30 for the whole time; nothing for less than half of one.
std::string bar(double share) {
  auto width = size_t(share * 30 + 0.5);
  return width ? " " + std::string(width, '#') : "";
}

void printKinds(const Totals &totals, llvm::raw_ostream &out) {
  out << "  kind             phases     weights MB   other MB  balance"
         "  predicted us  share\n";
  for (const auto &[kind, sum] : totals.kinds) {
    double share = totals.work > 0 ? sum.seconds / totals.work : 0;
    out << "  " << llvm::left_justify(kind, 16)
        << llvm::format("%7lld %14.3f %10.3f  %6.1f%% %13.2f %5.1f%%",
                        (long long)sum.count, double(sum.weights) / 1e6,
                        double(sum.others) / 1e6,
                        sum.seconds > 0 ? 100 * sum.balanced / sum.seconds
                                        : 100,
                        sum.seconds * 1e6, 100 * share)
        << bar(share) << '\n';
  }
}

} // namespace

void printPlans(llvm::ArrayRef<PhasePlan> plans, llvm::raw_ostream &out) {
  const PhasePlan &first = plans.front();
  const Gpu &gpu = first.gpu;
  Totals totals(plans);
  out << "PREDICTION for " << gpu.name << " (" << gpu.target << ", "
      << gpu.multiprocessors << " multiprocessors, "
      << llvm::format("%.3f", gpu.bytesPerSecond / 1e12)
      << " TB/s published), linked by " << linkingName(first.linking)
      << "; not run on hardware\n";
  for (const PhasePlan &plan : plans)
    out << "a step of " << plan.step.tokens << " token(s), "
        << plan.step.outputs << " output(s), last position "
        << plan.step.position << "\n";
  printKinds(totals, out);
  EdgeCost edge = first.edge();
  out << llvm::format("all phases: %lld, weights %.3f MB (%.3f as stored), "
                      "predicted %.1f us\n",
                      (long long)totals.phases, double(totals.weights) / 1e6,
                      double(totals.stored) / 1e6, totals.work * 1e6)
      << llvm::format(
             "launches (grid-wide dependencies): %lld (%lld) unfused, "
             "%lld (%lld) by default, %lld (%lld) with tails, %lld (%lld) "
             "planned\n",
             (long long)totals.unfused.launches,
             (long long)totals.unfused.levels, (long long)totals.rows.launches,
             (long long)totals.rows.levels, (long long)totals.fused.launches,
             (long long)totals.fused.levels, (long long)totals.planned.launches,
             (long long)totals.planned.levels)
      << llvm::format(
             "waited for with tails: %lld, assumed %.1f to %.1f us each\n",
             (long long)totals.edges, edge.low * 1e6, edge.high * 1e6)
      << llvm::format("total: predicted %.1f to %.1f us\n", totals.low * 1e6,
                      totals.high * 1e6)
      << llvm::format(
             "as planned: predicted %.1f to %.1f us\n",
             (totals.work + double(totals.plannedEdges) * edge.low) * 1e6,
             (totals.work + double(totals.plannedEdges) * edge.high) * 1e6)
      << llvm::format("floor: %.1f us, stored weights and state at %.2f TB/s "
                      "or products at the published rate\n",
                      totals.floor * 1e6,
                      gpu.bytesPerSecond * copyBandwidthShare / 1e12);
}

void PhasePlan::print(llvm::raw_ostream &out) const {
  printPlans(llvm::ArrayRef(*this), out);
}

static llvm::json::Object countJson(const LaunchCount &count) {
  return llvm::json::Object{{"launches", count.launches},
                            {"grid_dependencies", count.levels}};
}

llvm::json::Value PhasePlan::toJson() const {
  llvm::json::Array list;
  for (const PhasePrediction &phase : phases)
    list.push_back(llvm::json::Object{{"name", phase.name},
                                      {"kind", phase.kind},
                                      {"weight_bytes", phase.weightBytes},
                                      {"stored_bytes", phase.storedBytes},
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
      {"assumed_product_share", assumedProductShare},
      {"linking", linkingName(linking)},
      {"assumed_edge_seconds", llvm::json::Array{edge().low, edge().high}},
      {"tokens", step.tokens},
      {"outputs", step.outputs},
      {"position", step.position},
      {"phase_levels", levels},
      {"launches_waited_for", edges()},
      {"unfused", countJson(unfused)},
      {"rows_fused", countJson(rows)},
      {"fused", countJson(fused)},
      {"planned", countJson(planned)},
      {"weight_bytes", weightBytes()},
      {"stored_bytes", storedBytes()},
      {"floor_seconds", floorSeconds()},
      {"predicted_work_seconds", workSeconds()},
      {"predicted_step_seconds",
       llvm::json::Array{secondsLow(), secondsHigh()}},
      {"phases", std::move(list)},
  };
}

} // namespace dsv4::cuda
