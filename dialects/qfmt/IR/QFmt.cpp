// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The qfmt dialect: registration, text of shapes, checks, row sizes.

#include "dialects/qfmt/IR/QFmt.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace dsv4::qfmt;

static ParseResult parseShape(AsmParser &Parser,
                              SmallVectorImpl<int64_t> &Shape) {
  return Parser.parseDimensionList(Shape, /*allowDynamic=*/false,
                                   /*withTrailingX=*/false);
}

static void printShape(AsmPrinter &Printer, ArrayRef<int64_t> Shape) {
  llvm::interleave(Shape, Printer.getStream(), "x");
}

#include "dialects/qfmt/IR/QFmtDialect.cpp.inc"

#include "dialects/qfmt/IR/QFmtEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/qfmt/IR/QFmtAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/qfmt/IR/QFmtTypes.cpp.inc"

void QFmtDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/qfmt/IR/QFmtTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/qfmt/IR/QFmtAttrs.cpp.inc"
      >();
}

LogicalResult WeightType::verify(function_ref<InFlightDiagnostic()> EmitError,
                                 ArrayRef<int64_t> Shape, Format Format) {
  if (Shape.empty() || Shape.size() > 3 ||
      llvm::any_of(Shape, [](int64_t Dim) { return Dim <= 0; }))
    return EmitError() << "C1: expected one to three positive dimensions";
  bool Scaled = Format == Format::FP8 || Format == Format::FP4;
  if (Scaled && Shape.size() < 2)
    return EmitError() << "C2: expected at least two dimensions for "
                       << stringifyFormat(Format);
  if (Format == Format::FP4 && Shape.back() % 32)
    return EmitError() << "C2: expected K in multiples of 32 for fp4, got "
                       << Shape.back();
  return success();
}

LogicalResult RowsAttr::verify(function_ref<InFlightDiagnostic()> EmitError,
                               int64_t Width, RowEncoding Encoding,
                               int64_t RopeDims) {
  if (Width <= 0)
    return EmitError() << "C1: expected a positive width, got " << Width;
  if (Encoding == RowEncoding::FP4) {
    if (Width % 32 || RopeDims)
      return EmitError() << "C3: expected a multiple of 32 values and no rope "
                            "dims for fp4, got "
                         << Width << " and " << RopeDims;
    return success();
  }
  if (RopeDims <= 0 || RopeDims >= Width || RopeDims % 2 ||
      (Width - RopeDims) % 64)
    return EmitError() << "C2: expected even rope dims and a multiple of 64 "
                          "other values, got "
                       << RopeDims << " of " << Width;
  return success();
}

int64_t RowsAttr::bytesPerRow() const {
  if (getEncoding() == RowEncoding::FP4)
    return getWidth() / 2 + getWidth() / 32;
  int64_t Codes = getWidth() - getRopeDims();
  int64_t Bytes = Codes + 2 * getRopeDims() + Codes / 64;
  return (Bytes + 7) / 8 * 8;
}
