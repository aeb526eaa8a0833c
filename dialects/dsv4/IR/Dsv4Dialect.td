// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dsv4 dialect: the model graph of DeepSeek V4 in the paper's terms.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4DIALECT_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4DIALECT_TD

include "mlir/IR/OpBase.td"

def Dsv4_Dialect : Dialect {
  let name = "dsv4";
  let cppNamespace = "::dsv4::graph";
  let summary = "the model graph of DeepSeek V4";
  let description = [{
    One `dsv4.model` holds one step of the forward pass (model.md 3): a list of
    operations on tensors whose first axis is the tokens of the step. A step may
    be a whole prompt, a chunk of one, or one token; what outlives a step is in
    `dsv4.state` values (window, compressed entries, index entries, carried
    compressor inputs). Weights are named, never held.

    Vocabulary: T tokens, D hidden size, C hyper-connection streams, H heads, N
    head size, R rotary dims (the last R of N), E routed experts, K experts per
    token, V vocabulary. Tensors are BF16 unless written otherwise.

    Any op may carry a discardable attribute `trace`: one name per result, as in
    the traces that the interpreter writes; "" means none.
  }];
  // A weight's type is printed without its dialect, so reading it back must
  // not rely on qfmt having been loaded by something else.
  let dependentDialects = ["::dsv4::qfmt::QFmtDialect"];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

#endif
