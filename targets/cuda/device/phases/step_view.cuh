// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the phases of attention read of a step, where a sequence's state lies,
// and the loop over items.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_STEP_VIEW_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_STEP_VIEW_CUH

#include "runtime/abi/program.h"
#include "targets/cuda/device/phases/view.cuh"

namespace dsv4::cuda {

/// The step as a kernel sees it. It is written before the graph starts, so it
/// may be read before gridDepWait.
class StepView {
public:
  DSV4_DEVICE explicit StepView(const dsv4_step *step) : s(step) {}

  DSV4_DEVICE i64 tokens() const { return ld(&s->tokens); }
  DSV4_DEVICE i64 context() const { return ld(&s->context); }
  DSV4_DEVICE i64 maxPosition() const { return ld(&s->max_position); }
  DSV4_DEVICE i32 position(i64 row) const { return ld(ld(&s->position) + row); }
  DSV4_DEVICE i32 firstRow(i64 row) const {
    return ld(ld(&s->first_row) + row);
  }
  DSV4_DEVICE i32 endRow(i64 row) const { return ld(ld(&s->end_row) + row); }

  /// A value of the state of the sequence that row `row` belongs to.
  template <class T>
  DSV4_DEVICE Global<T> stateOf(Global<T> first, i64 row) const {
    static_assert(sizeof(T) == 1, "strides of states count bytes");
    return first + ld(ld(&s->sequence) + row) * ld(&s->state_stride);
  }

private:
  const dsv4_step *s;
};

/// Frequencies of the rotary pairs, by value: an attribute of the phase and no
/// operand. Kernels take their parameters as __grid_constant__, so that these
/// are read where they are.
struct RopeFreqs {
  static constexpr int Most = 64;
  float of[Most];
};

/// Calls body(item, exists) with an item for each half warp of the block; lanes
/// without one take part, because warp functions need all of them.
template <class Body, class View = WholeGrid>
DSV4_DEVICE void forHalfWarps(i64 items, const Body &body,
                              const View &view = {}) {
  i64 perBlock = view.threads() / 16;
  for (i64 first = view.block() * perBlock; first < items;
       first += view.blocks() * perBlock) {
    i64 item = first + view.thread() / 16;
    body(item, item < items && view.thread() < view.threads());
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_STEP_VIEW_CUH
