// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kern dialect's C++ face: dialect, enumerations, attributes, types. Ops
// are in KernOps.h.

#ifndef DSV4_DIALECTS_KERN_IR_KERNDIALECT_H
#define DSV4_DIALECTS_KERN_IR_KERNDIALECT_H

#include "dialects/kern/IR/Affine.h"
#include "dialects/qfmt/IR/QFmt.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "dialects/kern/IR/KernDialect.h.inc"

#include "dialects/kern/IR/KernEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kern/IR/KernAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/kern/IR/KernTypes.h.inc"

#endif // DSV4_DIALECTS_KERN_IR_KERNDIALECT_H
