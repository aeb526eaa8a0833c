// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Creation and registration of the lowering; see Passes.td.

#ifndef DSV4_COMPILER_CONVERSION_DSV4TOKERN_PASSES_H
#define DSV4_COMPILER_CONVERSION_DSV4TOKERN_PASSES_H

#include "dialects/kern/IR/KernOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace dsv4 {

#define GEN_PASS_DECL
#include "compiler/conversion/Dsv4ToKern/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/conversion/Dsv4ToKern/Passes.h.inc"

} // namespace dsv4

#endif // DSV4_COMPILER_CONVERSION_DSV4TOKERN_PASSES_H
