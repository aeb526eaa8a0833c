// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dsv4 dialect's C++ face: dialect, types, attributes and ops.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4_H
#define DSV4_DIALECTS_DSV4_IR_DSV4_H

#include "dialects/qfmt/IR/QFmt.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/dsv4/IR/Dsv4Dialect.h.inc"

#include "dialects/dsv4/IR/Dsv4Enums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/dsv4/IR/Dsv4Attrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/dsv4/IR/Dsv4Types.h.inc"

#define GET_OP_CLASSES
#include "dialects/dsv4/IR/Dsv4Ops.h.inc"

#endif // DSV4_DIALECTS_DSV4_IR_DSV4_H
