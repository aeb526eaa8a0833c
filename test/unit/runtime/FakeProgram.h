// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program as the compiler would emit it, written by hand: its "model" sums
// the history of a sequence, so wrong positions, slots, splits, lost items or
// unflushed denormals change the logits. Uses every operand space and items
// rule.

#ifndef DSV4_TEST_UNIT_RUNTIME_FAKEPROGRAM_H
#define DSV4_TEST_UNIT_RUNTIME_FAKEPROGRAM_H

#include "runtime/abi/program.h"

namespace fake {

inline constexpr int64_t vocab = 48;
inline constexpr int64_t maxContext = 1024;
inline constexpr int64_t maxStepTokens = 32;
inline constexpr int64_t maxOutputs = 32;

/// The program; tests copy it and change fields.
const dsv4_program &program();

/// What the logits row after `count` tokens must be at `entry`.
float expectedLogit(const int32_t *tokens, int64_t count, int64_t entry);

} // namespace fake

#endif // DSV4_TEST_UNIT_RUNTIME_FAKEPROGRAM_H
