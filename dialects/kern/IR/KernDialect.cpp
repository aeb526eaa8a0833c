// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration of the kern dialect, and its types' text, checks and sizes.

#include "dialects/kern/IR/KernDialect.h"
#include "dialects/kern/IR/KernOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace dsv4;
using namespace dsv4::kern;

/// `4096`, or `0 + 32 per_block` for a width that grows with the context.
static ParseResult parseWidth(AsmParser &Parser, int64_t &Fixed,
                              int64_t &PerBlock) {
  PerBlock = 0;
  if (Parser.parseInteger(Fixed))
    return failure();
  if (failed(Parser.parseOptionalPlus()))
    return success();
  return failure(Parser.parseInteger(PerBlock) ||
                 Parser.parseKeyword("per_block"));
}

static void printWidth(AsmPrinter &Printer, int64_t Fixed, int64_t PerBlock) {
  Printer << Fixed;
  if (PerBlock)
    Printer << " + " << PerBlock << " per_block";
}

#include "dialects/kern/IR/KernDialect.cpp.inc"

#include "dialects/kern/IR/KernEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/kern/IR/KernAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/kern/IR/KernTypes.cpp.inc"

void KernDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/kern/IR/KernTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/kern/IR/KernAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/kern/IR/KernOps.cpp.inc"
      >();
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> EmitError,
                                 Per Per, int64_t Fixed, int64_t PerBlock,
                                 Type Element) {
  if (Fixed < 0 || PerBlock < 0 || Fixed + PerBlock == 0)
    return EmitError() << "C1: expected a positive width, got " << Fixed
                       << " + " << PerBlock << " per_block";
  if (!Element.isBF16() && !Element.isF32() && !Element.isInteger(32))
    return EmitError() << "C2: expected element bf16, f32 or i32, got "
                       << Element;
  return success();
}

static StringRef getExtentName(StateKind Kind) {
  switch (Kind) {
  case StateKind::Window:
    return "rows";
  case StateKind::Carry:
    return "slots";
  default:
    return "ratio";
  }
}

Type StateType::parse(AsmParser &Parser) {
  SMLoc Loc = Parser.getCurrentLocation();
  StringRef Keyword;
  if (Parser.parseLess() || Parser.parseKeyword(&Keyword))
    return {};
  std::optional<StateKind> Kind = symbolizeStateKind(Keyword);
  if (!Kind) {
    Parser.emitError(Loc, "expected window, entries, index_entries or carry, "
                          "got ")
        << Keyword;
    return {};
  }
  int64_t Extent = 0, Width = 0;
  Attribute Rows;
  if (Parser.parseComma() || Parser.parseKeyword(getExtentName(*Kind)) ||
      Parser.parseEqual() || Parser.parseInteger(Extent) || Parser.parseComma())
    return {};
  if (*Kind == StateKind::Carry) {
    if (Parser.parseKeyword("width") || Parser.parseEqual() ||
        Parser.parseInteger(Width))
      return {};
  } else if (Parser.parseAttribute(Rows)) {
    return {};
  }
  if (Parser.parseGreater())
    return {};
  return Parser.getChecked<StateType>(Loc, Parser.getContext(), *Kind, Extent,
                                      Width, Rows);
}

void StateType::print(AsmPrinter &Printer) const {
  Printer << "<" << stringifyStateKind(getKind()) << ", "
          << getExtentName(getKind()) << " = " << getExtent() << ", ";
  if (getKind() == StateKind::Carry)
    Printer << "width = " << getWidth();
  else
    Printer << getRows();
  Printer << ">";
}

LogicalResult StateType::verify(function_ref<InFlightDiagnostic()> EmitError,
                                StateKind Kind, int64_t Extent, int64_t Width,
                                Attribute Rows) {
  if (Extent <= 0)
    return EmitError() << "C1: expected positive " << getExtentName(Kind)
                       << ", got " << Extent;
  if (Kind == StateKind::Carry)
    return Width > 0
               ? success()
               : EmitError() << "C3: expected a positive width, got " << Width;
  if (!isa_and_nonnull<qfmt::RowsAttr>(Rows))
    return EmitError() << "C3: expected a row format, got " << Rows;
  if (Kind == StateKind::Window)
    return success();
  if (ContextBlock % Extent)
    return EmitError() << "C2: expected a ratio that divides " << ContextBlock
                       << ", got " << Extent;
  if (Kind == StateKind::IndexEntries && ContextBlock / Extent % 16)
    return EmitError() << "C2: expected a multiple of 16 index entries per "
                       << ContextBlock << " tokens, got "
                       << ContextBlock / Extent;
  return success();
}

qfmt::RowsAttr StateType::getRowFormat() const {
  return cast<qfmt::RowsAttr>(getRows());
}

Affine StateType::getBytes() const {
  switch (getKind()) {
  case StateKind::Window:
    return {getExtent() * getRowFormat().bytesPerRow(), 0};
  case StateKind::Carry: // u and g, f32
    return {getExtent() * getWidth() * 2 * 4, 0};
  default:
    return {0, ContextBlock / getExtent() * getRowFormat().bytesPerRow()};
  }
}
