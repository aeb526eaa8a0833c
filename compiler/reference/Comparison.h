// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far a value is from a reference: what dsv4-ref --force prints per op.

#ifndef DSV4_COMPILER_REFERENCE_COMPARISON_H
#define DSV4_COMPILER_REFERENCE_COMPARISON_H

#include "compiler/import/Safetensors.h"
#include "compiler/reference/Interpreter.h"

namespace dsv4::reference {

struct Difference {
  double Nmse = 0;       // sum (a - b)^2 / sum b^2
  double Equal = 1;      // share of equal elements
  int64_t Differing = 0; // elements (ids: ids) that differ
};

/// A F32, BF16 or I32 tensor of a trace as a value.
Value valueOf(const TensorInfo &Tensor, llvm::ArrayRef<uint8_t> Bytes);

/// Compares rows [First, First + V.rows()) of Reference with V.
Difference compare(const Value &V, const Value &Reference, int64_t First);

/// Rows [First, First + Count) of a value.
Value slice(const Value &V, int64_t First, int64_t Count);

} // namespace dsv4::reference

#endif // DSV4_COMPILER_REFERENCE_COMPARISON_H
