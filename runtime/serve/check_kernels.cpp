// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiled quantisation against the scalar functions of runtime/numerics:
// run on pseudo-random rows, every bit of the output is compared. Products:
// check_products.cpp.

#include "runtime/numerics/denormals.h"
#include "runtime/numerics/rows.h"
#include "runtime/serve/cli.h"
#include "runtime/serve/random_bf16.h"

#include <stdio.h>
#include <string.h>

namespace dsv4::serve {

namespace {

RandomBf16 random;

/// Runs a quantize phase on one token row; its row width is items per token
/// times 128.
const char *checkQuantize(Engine &engine, int64_t index) {
  const dsv4_phase &phase = engine.program().phases[index];
  auto *in = (uint16_t *)engine.phases().operand(phase.first_operand);
  auto *out = (uint16_t *)engine.phases().operand(phase.first_operand + 1);
  int64_t width = phase.items_factor * 128;
  for (int64_t i = 0; i < width; ++i)
    in[i] = random.next();
  dsv4_step step = {};
  step.tokens = 1;
  engine.phases().runPhase(step, index);
  num::FlushDenormals flush;
  for (int64_t at = 0; at < width; at += 128) {
    float block[128];
    for (int64_t i = 0; i < 128; ++i)
      block[i] = num::bf16ToFloat(in[at + i]);
    num::fakeQuantizeE4M3(block, 128, 128);
    for (int64_t i = 0; i < 128; ++i)
      if (out[at + i] != num::floatToBf16(block[i]))
        return "differs from the scalar code";
  }
  return nullptr;
}

} // namespace

int checkKernels(Engine &engine) {
  const dsv4_program &program = engine.program();
  dsv4_kernel seen[64];
  int kernels = 0, failures = 0;
  for (int64_t i = 0; i < program.num_phases; ++i) {
    const dsv4_phase &phase = program.phases[i];
    bool known = strcmp(phase.kind, "quantize") != 0 || kernels == 64;
    for (int k = 0; k < kernels; ++k)
      known |= seen[k] == phase.kernel;
    if (known)
      continue;
    seen[kernels++] = phase.kernel;
    const char *error = checkQuantize(engine, i);
    char what[128];
    snprintf(what, sizeof(what), "kernel of %s", phase.name);
    printf("%-40s %s\n", what, error ? error : "ok");
    failures += error != nullptr;
  }
  return failures;
}

} // namespace dsv4::serve
