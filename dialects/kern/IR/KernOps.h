// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ops of the kern dialect and the phase interface.

#ifndef DSV4_DIALECTS_KERN_IR_KERNOPS_H
#define DSV4_DIALECTS_KERN_IR_KERNOPS_H

#include "dialects/kern/IR/KernDialect.h"
#include "dialects/kern/IR/KernPhase.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace dsv4::kern {
class ReturnOp;
}

#include "dialects/kern/IR/KernInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/kern/IR/KernOps.h.inc"

#endif // DSV4_DIALECTS_KERN_IR_KERNOPS_H
