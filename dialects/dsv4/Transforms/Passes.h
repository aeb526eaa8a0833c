// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes on the dsv4 model graph; see Passes.td.

#ifndef DSV4_DIALECTS_DSV4_TRANSFORMS_PASSES_H
#define DSV4_DIALECTS_DSV4_TRANSFORMS_PASSES_H

#include "dialects/dsv4/IR/Dsv4.h"
#include "mlir/Pass/Pass.h"

namespace dsv4::graph {

#define GEN_PASS_DECL
#include "dialects/dsv4/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "dialects/dsv4/Transforms/Passes.h.inc"

} // namespace dsv4::graph

#endif // DSV4_DIALECTS_DSV4_TRANSFORMS_PASSES_H
