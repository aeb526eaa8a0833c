// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kern dialect: a program as a list of phases over planned buffers. Target
// neutral: nothing here knows a CPU, a vector width or a GPU. It does not know
// the dsv4 dialect either; compiler/conversion translates.

#ifndef DSV4_DIALECTS_KERN_IR_KERNDIALECT_TD
#define DSV4_DIALECTS_KERN_IR_KERNDIALECT_TD

include "mlir/IR/OpBase.td"

def Kern_Dialect : Dialect {
  let name = "kern";
  let cppNamespace = "::dsv4::kern";
  let summary = "phases over planned buffers, weights and sequence state";
  let description = [{
    A `kern.program` declares buffers (step values), weights (packed, read-only)
    and states (per sequence), followed by phase ops. Phases run in program
    order with a barrier after each; inside a phase the items are independent.
    All handles are SSA values without results of their own: a phase writes the
    buffers and states that it is given. The order of a phase's SSA operands is
    the operand table order of the runtime (absent optional operands leave no
    hole). Sizes and offsets are affine in context blocks of 128 tokens.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

#endif
