// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Custom assembly directives of kern ops, used by the generated parsers.

#ifndef DSV4_DIALECTS_KERN_IR_KERNASM_H
#define DSV4_DIALECTS_KERN_IR_KERNASM_H

#include "mlir/IR/OpImplementation.h"

namespace dsv4::kern {

/// One line per job: `%x, %w, %y groups G : type, type, type`, in braces.
mlir::ParseResult parseLinearJobs(
    mlir::OpAsmParser &Parser, mlir::DenseI64ArrayAttr &Groups,
    llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &Jobs,
    llvm::SmallVectorImpl<mlir::Type> &Types);
void printLinearJobs(mlir::OpAsmPrinter &Printer, mlir::Operation *Op,
                     mlir::DenseI64ArrayAttr Groups, mlir::OperandRange Jobs,
                     mlir::TypeRange Types);

} // namespace dsv4::kern

#endif // DSV4_DIALECTS_KERN_IR_KERNASM_H
