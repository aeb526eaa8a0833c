// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dsv4 dialect: registration, types and attributes. Verifiers of the ops
// are in Dsv4*Ops.cpp.

#include "dialects/dsv4/IR/Dsv4.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace dsv4::graph;

#include "dialects/dsv4/IR/Dsv4Dialect.cpp.inc"

#include "dialects/dsv4/IR/Dsv4Enums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/dsv4/IR/Dsv4Attrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/dsv4/IR/Dsv4Types.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/dsv4/IR/Dsv4Ops.cpp.inc"

void Dsv4Dialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/dsv4/IR/Dsv4Types.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/dsv4/IR/Dsv4Attrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/dsv4/IR/Dsv4Ops.cpp.inc"
      >();
}

LogicalResult StateType::verify(function_ref<InFlightDiagnostic()> EmitError,
                                StateKind Kind, int64_t Extent, int64_t Width,
                                dsv4::qfmt::RowsAttr Rows) {
  if (Extent <= 0 || Width <= 0)
    return EmitError() << "C1: expected positive extent and width, got "
                       << Extent << " and " << Width;
  if (Kind == StateKind::Carry)
    return Rows ? EmitError() << "C2: expected no row format for a carry"
                : success();
  if (!Rows || Rows.getWidth() != Width)
    return EmitError() << "C2: expected a row format of width " << Width;
  bool Fp4 = Rows.getEncoding() == dsv4::qfmt::RowEncoding::FP4;
  if (Fp4 != (Kind == StateKind::IndexEntries))
    return EmitError() << "C3: expected fp4 rows exactly for index_entries";
  return success();
}

LogicalResult RopeAttr::verify(function_ref<InFlightDiagnostic()> EmitError,
                               int64_t Dims, int64_t Theta, int64_t Factor,
                               int64_t Original, int64_t BetaFast,
                               int64_t BetaSlow) {
  if (Dims <= 0 || Dims % 2 || Theta <= 0)
    return EmitError() << "C1: expected positive even dims and positive theta, "
                          "got "
                       << Dims << " and " << Theta;
  if (Factor && (Factor < 0 || Original <= 0 || BetaFast <= 0 || BetaSlow <= 0))
    return EmitError() << "C2: expected positive original, beta_fast and "
                          "beta_slow with a factor";
  return success();
}
