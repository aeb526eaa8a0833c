// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weight type and its formats.

#ifndef DSV4_DIALECTS_QFMT_IR_QFMTTYPES_TD
#define DSV4_DIALECTS_QFMT_IR_QFMTTYPES_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "dialects/qfmt/IR/QFmtDialect.td"

def QFmt_Format : I32EnumAttr<"Format", "element format of a stored weight", [
  I32EnumAttrCase<"FP8", 0, "fp8">,   // E4M3 + E8M0 per 128 x 128
  I32EnumAttrCase<"FP4", 1, "fp4">,   // E2M1 + E8M0 per 1 x 32
  I32EnumAttrCase<"BF16", 2, "bf16">,
  I32EnumAttrCase<"F32", 3, "f32">,
  I32EnumAttrCase<"I64", 4, "i64">,   // kept as i32 when packed
]> {
  let cppNamespace = "::dsv4::qfmt";
  let genSpecializedAttr = 0;
}

def QFmt_RowEncoding : I32EnumAttr<"RowEncoding", "encoding of stored rows", [
  I32EnumAttrCase<"FP8Rope", 0, "fp8_rope">,
  I32EnumAttrCase<"FP4", 1, "fp4">,
]> {
  let cppNamespace = "::dsv4::qfmt";
  let genSpecializedAttr = 0;
}

def QFmt_Weight : TypeDef<QFmt_Dialect, "Weight"> {
  let mnemonic = "weight";
  let summary = "shape and format of a stored weight";
  let description = [{
    `!qfmt.weight<1024x4096, fp8>` (rows = outputs),
    `!qfmt.weight<256x2048x4096, fp4>` (a stack of experts [E, N, K], K in
    values, not bytes), `!qfmt.weight<4096, bf16>`.
    Constraints: C1. one to three positive dimensions. C2. fp8 and fp4 have at
    least two; K of fp4 is a multiple of 32.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape,
    EnumParameter<QFmt_Format>:$format);
  let assemblyFormat = "`<` custom<Shape>($shape) `,` $format `>`";
  let genVerifyDecl = 1;
}

#endif
