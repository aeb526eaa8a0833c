// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Storage formats: the weight type and the row format attribute.

#ifndef DSV4_DIALECTS_QFMT_IR_QFMT_H
#define DSV4_DIALECTS_QFMT_IR_QFMT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "dialects/qfmt/IR/QFmtDialect.h.inc"

#include "dialects/qfmt/IR/QFmtEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/qfmt/IR/QFmtAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/qfmt/IR/QFmtTypes.h.inc"

#endif // DSV4_DIALECTS_QFMT_IR_QFMT_H
