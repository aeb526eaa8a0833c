// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interface that every phase op implements: what the planning passes, the
// code generators and the program emitter ask, without knowing the op.

#ifndef DSV4_DIALECTS_KERN_IR_KERNINTERFACES_TD
#define DSV4_DIALECTS_KERN_IR_KERNINTERFACES_TD

include "mlir/IR/OpBase.td"

def KernPhaseOpInterface : OpInterface<"KernPhaseOpInterface"> {
  let cppNamespace = "::dsv4::kern";
  let description = [{
    A phase: a kernel over independent items, with a barrier after it. The
    operand table of the kernel is the op's SSA operand list.
  }];
  let methods = [
    InterfaceMethod<"name such as layers.3.attn.qkv_a", "::llvm::StringRef",
      "getPhaseName", (ins), [{ return $_op.getPhase(); }]>,
    InterfaceMethod<"how many items the phase has", "::dsv4::kern::PhaseItems",
      "getItems">,
    InterfaceMethod<"operand indices read, ascending",
      "::llvm::SmallVector<unsigned>", "getReadOperands", (ins),
      [{ return ::dsv4::kern::operandsWithEffect($_op, false); }]>,
    InterfaceMethod<"operand indices written, ascending",
      "::llvm::SmallVector<unsigned>", "getWrittenOperands", (ins),
      [{ return ::dsv4::kern::operandsWithEffect($_op, true); }]>,
    InterfaceMethod<"bytes read and operations, estimated from the types",
      "::dsv4::kern::PhaseCost", "getCost", (ins), "",
      [{ return ::dsv4::kern::estimateCost($_op); }]>,
    InterfaceMethod<"bytes of scratch that one worker needs",
      "::dsv4::kern::Affine", "getScratchBytes", (ins), "",
      [{ return {}; }]>,
    InterfaceMethod<"layout that the phase wants a weight operand in",
      "::dsv4::kern::Layout", "getOperandLayout", (ins "unsigned":$operand), "",
      [{ return Layout::Raw; }]>,
  ];
}

#endif
