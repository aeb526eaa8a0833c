// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The qfmt dialect: how numbers are stored. It has no ops.

#ifndef DSV4_DIALECTS_QFMT_IR_QFMTDIALECT_TD
#define DSV4_DIALECTS_QFMT_IR_QFMTDIALECT_TD

include "mlir/IR/OpBase.td"

def QFmt_Dialect : Dialect {
  let name = "qfmt";
  let cppNamespace = "::dsv4::qfmt";
  let summary = "storage formats of weights and of KV rows";
  let description = [{
    Types and attributes that state how weights and rows are stored: FP8 (E4M3
    with an E8M0 scale per 128 x 128 tile), FP4 (E2M1 with an E8M0 scale per 32
    inputs), BF16, F32, I64. Source: model.md 2.3, 4.2.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

#endif
