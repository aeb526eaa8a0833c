// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See traffic.h.

#include "runtime/core/traffic.h"

#include <string.h>

namespace dsv4 {

namespace {

/// The first of `count` rows that does not lie before what is sought, where all
/// that do come first.
template <class IsBefore> int64_t lowerBound(int64_t count, IsBefore isBefore) {
  int64_t low = 0;
  while (low < count) {
    int64_t middle = low + (count - low) / 2;
    if (isBefore(middle))
      low = middle + 1;
    else
      count = middle;
  }
  return low;
}

/// Bytes of the packed tensor at `offset`, 0 if none begins there. The index
/// ascends by offset, because the packer streams in that order.
int64_t tensorBytes(const dsv4_program &program, int64_t offset) {
  const dsv4_weight_entry *index = program.weights;
  int64_t at = lowerBound(program.num_weights,
                          [&](int64_t i) { return index[i].offset < offset; });
  bool found = at < program.num_weights && index[at].offset == offset;
  return found ? index[at].bytes : 0;
}

/// The rows of a table that belong to a phase; tables ascend by phase.
template <class Row> struct RowsOf {
  const Row *first, *last;

  RowsOf(const Row *table, int64_t count, int64_t phase) {
    auto from = [&](int64_t p) {
      return table +
             lowerBound(count, [&](int64_t i) { return table[i].phase < p; });
    };
    first = from(phase);
    last = from(phase + 1);
  }
  const Row *begin() const { return first; }
  const Row *end() const { return last; }
};

int64_t rowsRead(const dsv4_state_read &read, int64_t position) {
  int64_t rows = read.ratio ? (position + 1) / read.ratio : position + 1;
  return rows < read.limit ? rows : read.limit;
}

} // namespace

Traffic trafficOf(const dsv4_program &program, int64_t index,
                  const dsv4_step &step, int64_t items) {
  Traffic all;
  const dsv4_phase &phase = program.phases[index];
  RowsOf<dsv4_product> products(program.products, program.num_products, index);
  int64_t experts = 0; // of routed products
  int64_t rows = step.tokens;
  for (const dsv4_product &p : products) {
    experts = p.lists >= 0 ? p.experts : experts;
    rows = p.of_outputs ? step.outputs : step.tokens;
  }
  for (int32_t i = 0; i < phase.num_operands; ++i) {
    const dsv4_operand &operand = program.operands[phase.first_operand + i];
    if (operand.space != DSV4_SPACE_WEIGHTS)
      continue;
    int64_t bytes = tensorBytes(program, operand.offset.fixed);
    if (experts)
      bytes = bytes / experts * (items / phase.items_factor);
    else if (!strcmp(phase.kind, "embed"))
      bytes = bytes / program.limits.vocab * step.tokens;
    all.weightBytes += rows > 0 ? bytes : 0;
  }
  for (const dsv4_product &p : products)
    all.multiplyAdds += p.rows * p.columns * rows *
                        (p.lists >= 0 ? program.limits.experts_per_token : 1);
  for (const dsv4_state_read &read : RowsOf<dsv4_state_read>(
           program.state_reads, program.num_state_reads, index))
    for (int64_t t = 0; t < step.tokens; ++t) {
      int64_t count = rowsRead(read, step.position[t]);
      all.stateBytes += read.row_bytes * count;
      all.multiplyAdds += read.multiply_adds * count;
    }
  return all;
}

} // namespace dsv4
