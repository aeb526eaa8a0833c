// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing and what lies around the experts' products: device/phases/experts.cuh
// and dispatch.cuh.

#include "targets/cuda/lower/Phases.h"

#include "targets/cuda/device/phases/dispatch.cuh"
#include "targets/cuda/device/phases/experts.cuh"

namespace dsv4::cuda {

using kern::ceilDiv;

static constexpr int64_t rowThreads = 128; // where a body takes any number

void lower(ProgramBuilder &b, kern::RouteOp op) {
  KernelChoice k{"route", "experts.cuh", "RouteParams", "route<{C}>"};
  k.config.integer("Experts", widthOf(op.getLogits()))
      .integer("PerToken", b.expertsPerToken())
      .real("Scale", op.getScale().convertToFloat())
      .boolean("ByTable", bool(op.getTable()));
  k.threads = rowThreads;
  Launch<RouteParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.logits, b.placeOf(op.getLogits()));
  if (op.getTable())
    l.bind(&l.params.table, b.placeOf(op.getTable()));
  else
    l.bind(&l.params.bias, b.placeOf(op.getBias()));
  l.bind(&l.params.ids, b.placeOf(op.getIds()));
  l.bind(&l.params.weights, b.placeOf(op.getWeights()));
  b.launch("route", k, l, b.gridFor(ceilDiv(b.tokens, rowThreads / 32)));
}

void lower(ProgramBuilder &b, kern::DispatchOp op) {
  // Warps have counters of their own for every expert; few slots need few.
  int64_t slots = b.tokens * b.expertsPerToken();
  int64_t warps = std::clamp<int64_t>(ceilDiv(slots, 32), 1, 32);
  int64_t experts = op.getExperts();
  KernelChoice k{"dispatch", "dispatch.cuh", "DispatchParams", "dispatch<{C}>"};
  k.config.integer("Experts", experts)
      .integer("PerToken", b.expertsPerToken())
      .integer("Warps", warps);
  k.threads = int32_t(warps * 32);
  k.sharedBytes = int32_t(4 * experts * (warps + 1));
  k.check =
      "DispatchPlan<{C}>::Threads == " + std::to_string(k.threads) +
      " && DispatchPlan<{C}>::SharedBytes == " + std::to_string(k.sharedBytes);
  Launch<DispatchParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.ids, b.placeOf(op.getIds()));
  l.bind(&l.params.lists, b.placeOf(op.getLists()));
  b.launch("dispatch", k, l, 1);
}

void lower(ProgramBuilder &b, kern::SwigluOp op) {
  int64_t inner = widthOf(op.getGate());
  bool ofSlots = bool(op.getWeights());
  int64_t rows = b.tokens * (ofSlots ? b.expertsPerToken() : 1);
  KernelChoice k{"swiglu", "experts.cuh", "SwigluParams", "swiglu<{C}>"};
  k.config.integer("Inner", inner)
      .integer("PerToken", ofSlots ? b.expertsPerToken() : 1)
      .boolean("Weighted", ofSlots)
      .real("Limit", op.getLimit().convertToFloat());
  k.threads = rowThreads;
  Launch<SwigluParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.gate, b.placeOf(op.getGate()));
  l.bind(&l.params.up, b.placeOf(op.getUp()));
  if (ofSlots)
    l.bind(&l.params.weights, b.placeOf(op.getWeights()));
  l.bind(&l.params.h, b.placeOf(op.getH()));
  b.launch("swiglu", k, l,
           b.gridFor(ceilDiv(rows * (inner / RowVector), rowThreads), 4));
}

void lower(ProgramBuilder &b, kern::CombineOp op) {
  int64_t hidden = widthOf(op.getOut());
  KernelChoice k{"combine", "experts.cuh", "CombineParams", "combine<{C}>"};
  k.config.integer("Hidden", hidden).integer("PerToken", b.expertsPerToken());
  k.threads = rowThreads;
  Launch<CombineParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.y, b.placeOf(op.getY()));
  l.bind(&l.params.shared, b.placeOf(op.getShared()));
  l.bind(&l.params.out, b.placeOf(op.getOut()));
  b.launch("combine", k, l,
           b.gridFor(ceilDiv(b.tokens * (hidden / RowVector), rowThreads), 4));
}

} // namespace dsv4::cuda
