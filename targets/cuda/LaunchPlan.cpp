// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A phase that joins a launch takes none of its own: it is a tail of the launch
// that makes its operands, or a head or a neighbour of one behind it, and so
// as late as its operands are. Which do for how many tokens is what
// lower/Fuse.cpp does; FuseTest compares.

#include "targets/cuda/LaunchPlan.h"

#include "llvm/ADT/DenseMap.h"

using namespace mlir;

namespace dsv4::cuda {

namespace {

bool isSide(Operation *phase) {
  return isa<kern::QueryHeadsOp, kern::StoreKvOp, kern::IndexQueryOp>(phase);
}

bool isProduct(Operation *phase) {
  return isa<kern::LinearOp, kern::ExpertLinearOp>(phase);
}

/// Steps of few tokens have tails, those of one also such that take token after
/// token (FuseOptions).
enum class Step { One, Few, Many };

bool joins(Operation *phase, Operation *last, Fusion fusion, Step step) {
  if (fusion == Fusion::None || (fusion == Fusion::Done && step == Step::Many))
    return false;
  if (fusion == Fusion::Rows)
    return step != Step::Many && isa<kern::DispatchOp, kern::CombineOp>(phase);
  if (isSide(phase) ||
      isa<kern::DispatchOp, kern::CombineOp, kern::HcPreOp, kern::QuantizeOp,
          kern::RouteOp, kern::SwigluOp, kern::CompressOp, kern::CarryOp>(
          phase))
    return true;
  if (fusion == Fusion::Planned && isa<kern::RopeTableOp>(phase))
    return true;
  bool closesProduct = isa<kern::HcMixOp>(phase) && last &&
                       (isProduct(last) || (fusion == Fusion::Planned &&
                                            isa<kern::CombineOp>(last)));
  bool takesTokens =
      isa<kern::NormQuantOp, kern::TopKOp>(phase) || closesProduct;
  return takesTokens && step == Step::One;
}

class Counter {
public:
  Counter(Fusion fusion, Step step, llvm::function_ref<bool(Operation *)> isCut)
      : fusion(fusion), step(step), isCut(isCut) {}

  void add(kern::KernPhaseOpInterface phase) {
    int64_t level = operandLevel(phase) + encode(phase);
    bool isJoined = (hasWriter(phase) || isa<kern::RopeTableOp>(phase)) &&
                    joins(phase, last, fusion, step);
    if (!isJoined && !sharesLaunch(phase, level))
      ++count.launches;
    level += !isJoined;
    // Steps of many tokens add parts in registers.
    bool hasSums = isCut(phase) && step != Step::Many &&
                   (fusion == Fusion::None || fusion == Fusion::Rows);
    bool hasSplits = isa<kern::AttendOp>(phase) && fusion != Fusion::Planned;
    if (hasSums || hasSplits) {
      ++count.launches;
      ++level;
    }
    mark(phase, level);
    count.levels = std::max(count.levels, level);
    last = phase;
  }

  LaunchCount count;

private:
  /// A phase encodes what its products of FP8 and FP4 read if somebody has
  /// quantised it: 1 if that is a launch before this one. Fused, it is the work
  /// of the phase that quantised.
  int64_t encode(kern::KernPhaseOpInterface phase) {
    if (!isProduct(phase))
      return 0;
    int64_t more = 0;
    for (Value x : codedInputs(phase)) {
      Operation *writer = writers.lookup(x);
      bool isQuantised =
          writer && isa<kern::HcPreOp, kern::NormQuantOp, kern::QuantizeOp,
                        kern::SwigluOp>(writer);
      if (!isQuantised) // read as rows of BF16
        continue;
      if (fusion != Fusion::None)
        continue;
      ++count.launches;
      more = 1;
    }
    return more;
  }

  static SmallVector<Value> codedInputs(Operation *phase) {
    SmallVector<Value> out;
    auto add = [&](Value x, Value weight) {
      auto format = cast<qfmt::WeightType>(weight.getType()).getFormat();
      bool isCoded = format == qfmt::Format::FP8 || format == qfmt::Format::FP4;
      if (isCoded && !llvm::is_contained(out, x))
        out.push_back(x);
    };
    if (auto linear = dyn_cast<kern::LinearOp>(phase))
      for (unsigned i = 0; i < linear.getNumJobs(); ++i)
        add(linear.getX(i), linear.getW(i));
    else if (auto experts = dyn_cast<kern::ExpertLinearOp>(phase))
      add(experts.getX(), experts.getW());
    return out;
  }

  /// Whether a phase before makes something that this one reads; else there is
  /// no launch to join.
  bool hasWriter(kern::KernPhaseOpInterface phase) const {
    return llvm::any_of(phase.getReadOperands(), [&](unsigned i) {
      return writers.contains(phase->getOperand(i));
    });
  }

  int64_t operandLevel(kern::KernPhaseOpInterface phase) const {
    int64_t level = 0;
    for (unsigned i : phase.getReadOperands())
      level = std::max(level, written.lookup(phase->getOperand(i)));
    for (unsigned i : phase.getWrittenOperands()) {
      Value value = phase->getOperand(i);
      level = std::max({level, written.lookup(value), read.lookup(value)});
    }
    return level;
  }

  /// Neighbours of one launch: the later of both levels is theirs.
  bool sharesLaunch(Operation *phase, int64_t &level) {
    bool isByRows = fusion == Fusion::Rows ||
                    (fusion == Fusion::Done && step == Step::Many);
    bool shares = isByRows && last && isSide(last) && isSide(phase);
    // The shared expert's w2 beside the experts'.
    shares |= fusion != Fusion::None && step != Step::Many && last &&
              isa<kern::ExpertLinearOp>(last) && isa<kern::LinearOp>(phase) &&
              level <= lastLevel;
    if (shares)
      level = std::max(level, lastLevel - 1);
    return shares;
  }

  void mark(kern::KernPhaseOpInterface phase, int64_t level) {
    auto raise = [&](llvm::DenseMap<Value, int64_t> &map, Value value) {
      int64_t &known = map[value];
      known = std::max(known, level);
    };
    for (unsigned i : phase.getReadOperands())
      raise(read, phase->getOperand(i));
    for (unsigned i : phase.getWrittenOperands()) {
      raise(written, phase->getOperand(i));
      writers[phase->getOperand(i)] = phase;
    }
    lastLevel = level;
  }

  Fusion fusion;
  Step step;
  llvm::function_ref<bool(Operation *)> isCut;
  llvm::DenseMap<Value, int64_t> read, written; // the last one's level
  llvm::DenseMap<Value, Operation *> writers;
  Operation *last = nullptr;
  int64_t lastLevel = 0;
};

} // namespace

LaunchCount countLaunches(kern::ProgramOp program, Fusion fusion,
                          int64_t tokens,
                          llvm::function_ref<bool(Operation *)> isCut) {
  // The plan is that of decode.
  bool isOne = tokens <= 1 || fusion == Fusion::Planned;
  Step step = isOne ? Step::One : tokens <= 8 ? Step::Few : Step::Many;
  Counter counter(fusion, step, isCut);
  for (auto phase : program.getBody().getOps<kern::KernPhaseOpInterface>())
    counter.add(phase);
  return counter.count;
}

} // namespace dsv4::cuda
