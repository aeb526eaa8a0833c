// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Creation and registration of the kern planning passes; see Passes.td.

#ifndef DSV4_DIALECTS_KERN_TRANSFORMS_PASSES_H
#define DSV4_DIALECTS_KERN_TRANSFORMS_PASSES_H

#include "dialects/kern/IR/KernOps.h"
#include "mlir/Pass/Pass.h"

namespace dsv4::kern {

#define GEN_PASS_DECL
#include "dialects/kern/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "dialects/kern/Transforms/Passes.h.inc"

} // namespace dsv4::kern

#endif // DSV4_DIALECTS_KERN_TRANSFORMS_PASSES_H
