// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Predictions from the operands of phase ops. Where a figure is an assumption,
// a comment says so.

#include "targets/cuda/PhasePlan.h"

#include "targets/cuda/LinearPlan.h"
#include "targets/cuda/Packing.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <cmath>

using namespace mlir;

namespace dsv4::cuda {

using qfmt::Format;

// Published: multiprocessors, bandwidth, dense FP8 and BF16 rates. The last two
// rows' rates are a quarter and an eighth of the sparse FP4 figure that their
// maker gives.
static constexpr Gpu allGpus[] = {
    {"h100", "sm_90a", 132, 3.35e12, 1979e12, 989e12},
    {"h200", "sm_90a", 132, 4.8e12, 1979e12, 989e12},
    {"b200", "sm_100a", 148, 8.0e12, 4500e12, 2250e12},
    {"rtx-pro-6000", "sm_120a", 188, 1.792e12, 1000e12, 500e12},
    {"dgx-spark", "sm_120a", 48, 0.273e12, 250e12, 125e12},
};

llvm::ArrayRef<Gpu> gpus() { return allGpus; }

llvm::Expected<const Gpu *> findGpu(StringRef name) {
  std::string names;
  for (const Gpu &gpu : allGpus) {
    if (name == gpu.name)
      return &gpu;
    names += std::string(names.empty() ? "" : ", ") + gpu.name;
  }
  return llvm::createStringError("unknown GPU '" + name +
                                 "', expected one of " + names);
}

EdgeCost edgeCost(Linking linking) {
  switch (linking) {
  case Linking::Graph:
    return {2.5e-6, 2.5e-6};
  case Linking::DependentLaunch:
    return {1.0e-6, 1.6e-6};
  case Linking::Persistent:
    return {0.3e-6, 0.6e-6};
  }
  llvm_unreachable("all cases return");
}

StringRef linkingName(Linking linking) {
  switch (linking) {
  case Linking::Graph:
    return "graph";
  case Linking::DependentLaunch:
    return "dependent-launch";
  case Linking::Persistent:
    return "persistent";
  }
  llvm_unreachable("all cases return");
}

llvm::Expected<Linking> findLinking(StringRef name) {
  std::string names;
  for (Linking linking :
       {Linking::Graph, Linking::DependentLaunch, Linking::Persistent}) {
    if (name == linkingName(linking))
      return linking;
    names += (names.empty() ? "" : ", ") + linkingName(linking).str();
  }
  return llvm::createStringError("unknown way of linking '" + name +
                                 "', expected one of " + names);
}

namespace {

/// Longest chains of phases over what they read and write.
class Levels {
public:
  int64_t add(kern::KernPhaseOpInterface phase) {
    int64_t level = 0;
    auto after = [&](const llvm::DenseMap<Value, int64_t> &map, Value value) {
      auto found = map.find(value);
      if (found != map.end())
        level = std::max(level, found->second);
    };
    for (unsigned i : phase.getReadOperands())
      after(written, phase->getOperand(i));
    for (unsigned i : phase.getWrittenOperands()) {
      after(written, phase->getOperand(i));
      after(read, phase->getOperand(i));
    }
    ++level;
    auto mark = [&](llvm::DenseMap<Value, int64_t> &map, Value value) {
      int64_t &last = map[value];
      last = std::max(last, level);
    };
    for (unsigned i : phase.getReadOperands())
      mark(read, phase->getOperand(i));
    for (unsigned i : phase.getWrittenOperands())
      mark(written, phase->getOperand(i));
    return level;
  }

private:
  llvm::DenseMap<Value, int64_t> read, written; // the last phase's level
};

class Planner {
public:
  Planner(kern::ProgramOp program, const Gpu &gpu, const PlannedStep &step)
      : program(program), gpu(gpu), step(step),
        blocks(step.position / kern::ContextBlock + 1) {}

  llvm::Expected<PhasePrediction> predict(kern::KernPhaseOpInterface phase);

private:
  llvm::Error addWeight(Operation *phase, qfmt::WeightType type,
                        PhasePrediction &to);
  void addBuffer(kern::BufferType type, PhasePrediction &to);
  void addStates(Operation *phase, PhasePrediction &to);
  void finish(PhasePrediction &to);

  double expertsInUse(int64_t experts) {
    // Assumed: tokens choose their experts independently and evenly.
    double missed = 1 - double(program.getExpertsPerToken()) / double(experts);
    return double(experts) * (1 - std::pow(missed, double(step.tokens)));
  }

  kern::ProgramOp program;
  const Gpu &gpu;
  const PlannedStep &step;
  int64_t blocks;
  // Of the phase at hand: products, and the smallest K among them.
  double fp8Operations = 0, bf16Operations = 0;
  int64_t smallestK = 0;
};

/// As published: FP4 with a byte of scale per 32, FP8 with one per 128 x 128.
static double storedBytes(Format format, int64_t rows, int64_t k) {
  double elements = double(rows) * double(k);
  switch (format) {
  case Format::FP4:
    return elements / 2 + elements / 32;
  case Format::FP8:
    return elements + double(kern::ceilDiv(rows, 128) * kern::ceilDiv(k, 128));
  case Format::BF16:
    return elements * 2;
  case Format::F32:
    return elements * 4;
  case Format::I64:
    return elements * 8;
  }
  llvm_unreachable("all cases return");
}

llvm::Error Planner::addWeight(Operation *phase, qfmt::WeightType type,
                               PhasePrediction &to) {
  ArrayRef<int64_t> shape = type.getShape();
  Format format = type.getFormat();
  int64_t elements = 1;
  for (int64_t dimension : shape)
    elements *= dimension;
  if (isa<kern::EmbedOp>(phase) || format == Format::I64) {
    // A row of each token is gathered: BF16, and ids of 32 bits.
    int64_t gathered = step.tokens * (elements / shape[0]);
    to.weightBytes += gathered * (format == Format::I64 ? 4 : 2);
    to.storedBytes += gathered * (format == Format::I64 ? 8 : 2);
    return llvm::Error::success();
  }
  bool isProduct = isa<kern::LinearOp, kern::ExpertLinearOp>(phase);
  if (!isProduct) {
    to.weightBytes += elements * (format == Format::F32 ? 4 : 2);
    to.storedBytes += elements * (format == Format::F32 ? 4 : 2);
    return llvm::Error::success();
  }
  int64_t rows = shape[shape.size() - 2], k = shape.back();
  auto layout = MatrixLayout::get(format == Format::FP4   ? TileFormat::Fp4
                                  : format == Format::FP8 ? TileFormat::Fp8
                                                          : TileFormat::Bf16,
                                  rows, k);
  if (!layout)
    return layout.takeError();
  bool isStack = shape.size() == 3;
  double matrices = isStack ? expertsInUse(shape[0]) : 1;
  // Assumed: no tile escapes, as in every checkpoint seen.
  to.weightBytes += int64_t(matrices * double(layout->packedBytes(0)));
  to.storedBytes += int64_t(matrices * storedBytes(format, rows, k));
  to.tiles += int64_t(std::ceil(matrices) * double(layout->strips()));
  auto linear = dyn_cast<kern::LinearOp>(phase);
  int64_t inputs = isStack ? step.tokens * int64_t(program.getExpertsPerToken())
                   : linear && linear.getRows() == kern::RowsOf::Outputs
                       ? step.outputs
                       : step.tokens;
  (format == Format::BF16 ? bf16Operations : fp8Operations) +=
      2.0 * double(rows) * double(k) * double(inputs);
  smallestK = smallestK == 0 ? k : std::min(smallestK, k);
  return llvm::Error::success();
}

void Planner::addBuffer(kern::BufferType type, PhasePrediction &to) {
  int64_t rows = 1;
  switch (type.getPer()) {
  case kern::Per::Token:
    rows = step.tokens;
    break;
  case kern::Per::Slot:
    rows = step.tokens * int64_t(program.getExpertsPerToken());
    break;
  case kern::Per::Output:
    rows = step.outputs;
    break;
  case kern::Per::Program:
    break;
  }
  to.otherBytes += rows * type.getRowBytes().at(blocks);
}

/// State that is read: rows of windows and entries as far as they are visible,
/// once for all tokens. Products of scores and attention are of BF16, and those
/// of a token in the middle of the step times the tokens.
void Planner::addStates(Operation *phase, PhasePrediction &to) {
  auto rowBytes = [](Value state) {
    return cast<kern::StateType>(state.getType()).getRowFormat().bytesPerRow();
  };
  auto visible = [](Value state, int64_t position) {
    return (position + 1) / cast<kern::StateType>(state.getType()).getExtent();
  };
  auto width = [](Value buffer) {
    return double(cast<kern::BufferType>(buffer.getType()).getFixed());
  };
  int64_t middle = step.position - (step.tokens - 1) / 2;
  double tokens = double(step.tokens);
  if (auto attend = dyn_cast<kern::AttendOp>(phase)) {
    auto window = int64_t(attend.getWindowSize());
    to.stateBytes += std::min(step.position + 1, window + step.tokens - 1) *
                     rowBytes(attend.getWindow());
    int64_t each = std::min(middle + 1, window);
    if (Value entries = attend.getEntries()) {
      int64_t rows = visible(entries, step.position);
      int64_t seen = visible(entries, middle);
      if (Value ids = attend.getIds()) { // each token has its own
        auto most = int64_t(width(ids));
        rows = std::min(rows, step.tokens * most);
        seen = std::min(seen, most);
      }
      to.stateBytes += rows * rowBytes(entries);
      each += seen;
    }
    bf16Operations += 4 * width(attend.getQ()) * double(each) * tokens;
  } else if (auto score = dyn_cast<kern::IndexScoreOp>(phase)) {
    Value entries = score.getEntries();
    to.stateBytes += visible(entries, step.position) * rowBytes(entries);
    bf16Operations +=
        2 * width(score.getQ()) * double(visible(entries, middle)) * tokens;
  }
  to.otherBytes += to.stateBytes;
}

/// Split of K and times. Tiles of 64 rows over the multiprocessors; the split
/// that leaves the fewest idle, with 512 of K at least and, if that costs
/// nothing, two tiles a multiprocessor (chooseSplit).
void Planner::finish(PhasePrediction &to) {
  to.operations = fp8Operations + bf16Operations;
  if (to.tiles > 0) {
    to.balance = 0;
    int64_t tiles = to.tiles, sms = gpu.multiprocessors;
    for (int64_t split = 1; split <= 16; split *= 2) {
      if (split > 1 && smallestK / split < 512)
        break;
      int64_t parts = tiles * split;
      double balance = double(parts) / double(kern::ceilDiv(parts, sms) * sms);
      bool isShort =
          to.tiles < itemsForTwoBlocks(sms) && balance > to.balance - 0.03;
      if (balance > to.balance || isShort) {
        to.balance = balance;
        to.split = split;
        to.tiles = parts;
      }
    }
  }
  double bytes = double(to.weightBytes + to.otherBytes);
  double memory = bytes / (gpu.bytesPerSecond * assumedBandwidthShare);
  to.peakSeconds =
      fp8Operations / gpu.fp8PerSecond + bf16Operations / gpu.bf16PerSecond;
  double products = to.peakSeconds / assumedProductShare;
  to.seconds = std::max(memory, products) / to.balance;
}

llvm::Expected<PhasePrediction>
Planner::predict(kern::KernPhaseOpInterface phase) {
  PhasePrediction to;
  to.name = phase.getPhaseName().str();
  to.kind = phase->getName().stripDialect().str();
  fp8Operations = bf16Operations = 0;
  smallestK = 0;
  auto addOperand = [&](unsigned i, bool reads) -> llvm::Error {
    Type type = phase->getOperand(i).getType();
    if (auto buffer = dyn_cast<kern::BufferType>(type))
      addBuffer(buffer, to);
    else if (auto weight = dyn_cast<qfmt::WeightType>(type); weight && reads)
      return addWeight(phase, weight, to);
    return llvm::Error::success();
  };
  for (unsigned i : phase.getReadOperands())
    if (llvm::Error error = addOperand(i, true))
      return std::move(error);
  for (unsigned i : phase.getWrittenOperands())
    if (llvm::Error error = addOperand(i, false))
      return std::move(error);
  addStates(phase, to);
  finish(to);
  return to;
}

} // namespace

llvm::Expected<PhasePlan> planPhases(kern::ProgramOp program, const Gpu &gpu,
                                     Linking linking, const PlannedStep &step) {
  auto inRange = [](int64_t value, int64_t most) {
    return value >= 0 && value <= most;
  };
  if (step.tokens < 1 || !inRange(step.tokens, program.getMaxStepTokens()) ||
      !inRange(step.outputs, program.getMaxOutputs()) ||
      !inRange(step.position, program.getMaxContext() - 1))
    return llvm::createStringError(
        "expected a step of 1 to " + Twine(program.getMaxStepTokens()) +
        " tokens, up to " + Twine(program.getMaxOutputs()) +
        " outputs and a position below " + Twine(program.getMaxContext()) +
        ", found " + Twine(step.tokens) + ", " + Twine(step.outputs) + " and " +
        Twine(step.position));
  PhasePlan plan;
  plan.gpu = gpu;
  plan.linking = linking;
  plan.step = step;
  Planner planner(program, gpu, step);
  Levels levels;
  llvm::DenseSet<Operation *> cut;
  for (auto phase : program.getBody().getOps<kern::KernPhaseOpInterface>()) {
    auto prediction = planner.predict(phase);
    if (!prediction)
      return prediction.takeError();
    prediction->level = levels.add(phase);
    plan.levels = std::max(plan.levels, prediction->level);
    if (prediction->split > 1)
      cut.insert(phase);
    plan.phases.push_back(std::move(*prediction));
  }
  auto isCut = [&](Operation *phase) { return cut.contains(phase); };
  // Prefill takes the fusions of few tokens no more than Fuse does; what it
  // gains from them is nothing beside its work.
  plan.unfused = countLaunches(program, Fusion::None, step.tokens, isCut);
  plan.rows = countLaunches(program, Fusion::Rows, step.tokens, isCut);
  plan.fused = countLaunches(program, Fusion::Done, step.tokens, isCut);
  plan.planned = countLaunches(program, Fusion::Planned, step.tokens, isCut);
  return plan;
}

} // namespace dsv4::cuda
