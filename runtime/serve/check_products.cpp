// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiled matrix products against a scalar dot over the packed weights
// (docs/numerics.md R1): every phase that has some is run on pseudo-random
// rows, and results of the first, the last and some tiles between are compared
// bit for bit.

#include "runtime/numerics/denormals.h"
#include "runtime/numerics/dot.h"
#include "runtime/serve/cli.h"
#include "runtime/serve/packed_tile.h"
#include "runtime/serve/random_bf16.h"

#include <stdio.h>
#include <string.h>

namespace dsv4::serve {
namespace {

/// Enough rows for every block of rows that the kernels have (4 + 2 + 1), and
/// for those of 16.
constexpr int64_t MaxRows = 7;
constexpr int64_t MaxColumns = 1 << 16;
/// Tiles whose results are compared, of each product and expert.
constexpr int64_t SampledTiles = 4;

float values[MaxColumns], scales[MaxColumns / 32], inputs[MaxColumns];

/// What a product works on.
struct Operands {
  uint8_t *x, *y;
  const uint8_t *w;
  int32_t *lists; // null without experts
  num::DotOrder order;
};

/// Row of x and y that input row i uses: with experts every token's first slot.
int64_t slotOf(const dsv4_product &p, int64_t i) {
  return i * p.slots_per_x_row;
}

void fillInputs(const dsv4_product &p, const Operands &o, int64_t rows,
                RandomBf16 &random) {
  for (int64_t i = 0; i < rows; ++i) {
    auto *row = reinterpret_cast<uint16_t *>(o.x + i * p.x_row_bytes);
    for (int64_t k = 0; k < p.groups * p.columns; ++k)
      row[k] = random.next();
  }
}

/// Sends all rows to one expert, in the form that dispatch writes.
void fillLists(const dsv4_product &p, const Operands &o, int64_t rows,
               int64_t expert) {
  int64_t starts = 1 + p.experts, slots = 2 + 2 * p.experts;
  o.lists[0] = 1;
  o.lists[1] = int32_t(expert);
  o.lists[starts] = 0;
  o.lists[starts + 1] = int32_t(rows);
  for (int64_t i = 0; i < rows; ++i)
    o.lists[slots + i] = int32_t(slotOf(p, i));
}

bool equalsScalar(const dsv4_product &p, const Operands &o, int64_t rows,
                  int64_t expert, int64_t n) {
  int64_t tiles = (p.rows + tileRows - 1) / tileRows;
  const uint8_t *tile = o.w + (expert * tiles + n / tileRows) *
                                  packedTileBytes(p.format, p.columns);
  readPackedRow(p.format, p.columns, tile, n % tileRows, values, scales);
  int64_t group = n / (p.rows / p.groups);
  for (int64_t i = 0; i < rows; ++i) {
    const auto *x =
        reinterpret_cast<const uint16_t *>(o.x + i * p.x_row_bytes) +
        group * p.columns;
    for (int64_t k = 0; k < p.columns; ++k)
      inputs[k] = num::bf16ToFloat(x[k]);
    float expected = num::dot(inputs, values, scales, p.columns, o.order);
    const uint8_t *y = o.y + slotOf(p, i) * p.y_row_bytes;
    uint32_t found = p.y_is_f32 ? reinterpret_cast<const uint32_t *>(y)[n]
                                : reinterpret_cast<const uint16_t *>(y)[n];
    if (found !=
        (p.y_is_f32 ? num::bitsOf(expected) : num::floatToBf16(expected)))
      return false;
  }
  return true;
}

/// Runs the product's phase, with one expert where there are some.
bool checkExpert(Engine &engine, const dsv4_product &p, const Operands &o,
                 int64_t rows, int64_t expert, RandomBf16 &random) {
  fillInputs(p, o, rows, random);
  if (o.lists)
    fillLists(p, o, rows, expert);
  dsv4_step step = {};
  step.tokens = step.outputs = rows;
  step.context = engine.context();
  engine.phases().runPhase(step, p.phase);
  num::FlushDenormals flush;
  int64_t tiles = (p.rows + tileRows - 1) / tileRows;
  for (int64_t i = 0; i < SampledTiles; ++i) {
    int64_t tile = i == 0   ? 0
                   : i == 1 ? tiles - 1
                            : int64_t(random.word() % uint64_t(tiles));
    int64_t last = tile * tileRows + tileRows;
    for (int64_t n = tile * tileRows; n < last && n < p.rows; ++n)
      if (!equalsScalar(p, o, rows, expert, n))
        return false;
  }
  return true;
}

bool checkProduct(Engine &engine, const dsv4_product &p, RandomBf16 &random) {
  const Executor &phases = engine.phases();
  Operands o = {static_cast<uint8_t *>(phases.operand(p.x)),
                static_cast<uint8_t *>(phases.operand(p.y)),
                static_cast<const uint8_t *>(phases.operand(p.w)),
                p.lists < 0 ? nullptr
                            : static_cast<int32_t *>(phases.operand(p.lists)),
                num::DotOrder(engine.program().dot_order)};
  int64_t rows = MaxRows;
  for (int64_t most : {engine.maxStepTokens(), engine.maxOutputs()})
    rows = rows < most ? rows : most;
  bool isEqual = checkExpert(engine, p, o, rows, 0, random);
  if (p.experts > 1)
    isEqual &= checkExpert(engine, p, o, rows, p.experts - 1, random);
  return isEqual;
}

bool isSameShape(const dsv4_product &a, const dsv4_product &b) {
  return a.format == b.format && a.rows == b.rows && a.columns == b.columns &&
         a.experts == b.experts && a.groups == b.groups &&
         a.y_is_f32 == b.y_is_f32;
}

/// Checks all products of the shape of number `first`; the name of the first
/// phase that differs, or null.
const char *checkShape(Engine &engine, int64_t first, int64_t &count,
                       RandomBf16 &random) {
  const dsv4_program &program = engine.program();
  const char *wrong = nullptr;
  for (int64_t i = first; i < program.num_products; ++i) {
    const dsv4_product &p = program.products[i];
    if (!isSameShape(p, program.products[first]))
      continue;
    ++count;
    if (interrupted())
      return wrong;
    if (!checkProduct(engine, p, random) && !wrong)
      wrong = program.phases[p.phase].name;
  }
  return wrong;
}

} // namespace

int checkProducts(Engine &engine) {
  const dsv4_program &program = engine.program();
  constexpr const char *formats[] = {"fp4", "fp8", "bf16"};
  RandomBf16 random;
  int failures = 0;
  for (int64_t i = 0; i < program.num_products; ++i) {
    const dsv4_product &p = program.products[i];
    bool isSeen = false;
    for (int64_t j = 0; j < i; ++j)
      isSeen |= isSameShape(program.products[j], p);
    if (isSeen || interrupted())
      continue;
    int64_t count = 0;
    bool isTooWide = p.columns > MaxColumns;
    const char *wrong =
        isTooWide ? nullptr : checkShape(engine, i, count, random);
    char what[128], experts[32] = "", groups[32] = "";
    if (p.experts > 1)
      snprintf(experts, sizeof(experts), "%lld x ", (long long)p.experts);
    if (p.groups > 1)
      snprintf(groups, sizeof(groups), " in %d groups", p.groups);
    snprintf(what, sizeof(what), "%lld products, %s %s%lld x %lld%s",
             (long long)count, formats[p.format], experts, (long long)p.rows,
             (long long)p.columns, groups);
    printf("%-40s %s%s\n", what,
           wrong       ? "differs from the scalar code in "
           : isTooWide ? "not checked: too wide"
                       : "ok",
           wrong ? wrong : "");
    failures += wrong != nullptr;
  }
  return failures;
}

} // namespace dsv4::serve
