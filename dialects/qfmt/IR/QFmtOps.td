// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// TableGen entry file of qfmt, which has types and attributes but no ops.

#ifndef DSV4_DIALECTS_QFMT_IR_QFMTOPS_TD
#define DSV4_DIALECTS_QFMT_IR_QFMTOPS_TD

include "dialects/qfmt/IR/QFmtAttrs.td"

#endif
