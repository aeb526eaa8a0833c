// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary embedding parameters.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4ATTRS_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4ATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "dialects/dsv4/IR/Dsv4Types.td"

def Dsv4_RopeAttr : AttrDef<Dsv4_Dialect, "Rope"> {
  let mnemonic = "rope";
  let summary = "rotary embedding of the last dims, optionally with YaRN";
  let description = [{
    `#dsv4.rope<dims = 64, theta = 10000>`, or with YaRN
    `#dsv4.rope<dims = 64, theta = 160000, factor = 16, original = 65536,
    beta_fast = 32, beta_slow = 1>` (model.md 3.4). Constraints: C1. dims and
    theta positive, dims even. C2. with factor, original and both betas
    positive.
  }];
  let parameters = (ins "int64_t":$dims, "int64_t":$theta,
    DefaultValuedParameter<"int64_t", "0">:$factor,
    DefaultValuedParameter<"int64_t", "0">:$original,
    DefaultValuedParameter<"int64_t", "0">:$beta_fast,
    DefaultValuedParameter<"int64_t", "0">:$beta_slow);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif
