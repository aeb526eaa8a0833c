// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a step has to do, from the compiled tables: bytes of weights and state
// that each phase reads, and the multiply-adds that count. Speed is judged
// against these, never against what a kernel happens to do.

#ifndef DSV4_RUNTIME_CORE_TRAFFIC_H
#define DSV4_RUNTIME_CORE_TRAFFIC_H

#include "runtime/abi/program.h"

namespace dsv4 {

struct Traffic {
  int64_t weightBytes = 0;  // packed, scales included, each byte once per step
  int64_t stateBytes = 0;   // rows that attention and indexer look at
  int64_t multiplyAdds = 0; // of products with weights, q.k, p.v, index dots

  void add(const Traffic &other) {
    weightBytes += other.weightBytes;
    stateBytes += other.stateBytes;
    multiplyAdds += other.multiplyAdds;
  }
};

/// The work of phase `index` in a step. `items` is what Executor::items() says
/// for it: for routed experts it tells how many of them are active.
Traffic trafficOf(const dsv4_program &program, int64_t index,
                  const dsv4_step &step, int64_t items);

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_TRAFFIC_H
