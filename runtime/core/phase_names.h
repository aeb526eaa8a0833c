// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which phase of the model a node of a graph belongs to.

#ifndef DSV4_RUNTIME_CORE_PHASE_NAMES_H
#define DSV4_RUNTIME_CORE_PHASE_NAMES_H

#include "runtime/abi/program.h"

#include <string.h>

namespace dsv4 {

/// Phases by the names of nodes. Both come in the order of the program, so the
/// search goes on where it ended.
class PhaseNames {
public:
  explicit PhaseNames(const dsv4_program &p) : program(p) {}

  /// -1: no phase is called so, as of a copy.
  int64_t find(const char *name) {
    for (int64_t i = 0; i < program.num_phases; ++i) {
      int64_t phase = (next + i) % program.num_phases;
      if (strcmp(program.phases[phase].name, name))
        continue;
      next = phase;
      return phase;
    }
    return -1;
  }

private:
  const dsv4_program &program;
  int64_t next = 0;
};

} // namespace dsv4

#endif // DSV4_RUNTIME_CORE_PHASE_NAMES_H
