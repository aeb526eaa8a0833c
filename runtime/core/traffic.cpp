// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See traffic.h.

#include "runtime/core/traffic.h"

#include <string.h>

namespace dsv4 {

namespace {

/// Bytes of the packed tensor at `offset`, 0 if none begins there. The index
/// ascends by offset, because the packer streams in that order.
int64_t tensorBytes(const dsv4_program &program, int64_t offset) {
  int64_t low = 0, high = program.num_weights;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (program.weights[middle].offset < offset)
      low = middle + 1;
    else
      high = middle;
  }
  bool found =
      low < program.num_weights && program.weights[low].offset == offset;
  return found ? program.weights[low].bytes : 0;
}

/// The rows of a table that belong to a phase; tables ascend by phase.
template <class Row> struct RowsOf {
  const Row *first, *last;

  RowsOf(const Row *table, int64_t count, int64_t phase) {
    first = table + lowerBound(table, count, phase);
    last = table + lowerBound(table, count, phase + 1);
  }
  const Row *begin() const { return first; }
  const Row *end() const { return last; }

private:
  static int64_t lowerBound(const Row *table, int64_t count, int64_t phase) {
    int64_t low = 0;
    while (low < count) {
      int64_t middle = low + (count - low) / 2;
      if (table[middle].phase < phase)
        low = middle + 1;
      else
        count = middle;
    }
    return low;
  }
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
    for (int64_t t = 0; t < step.tokens; ++t)
      all.stateBytes += read.row_bytes * rowsRead(read, step.position[t]);
  return all;
}

} // namespace dsv4
