// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The row format attribute.

#ifndef DSV4_DIALECTS_QFMT_IR_QFMTATTRS_TD
#define DSV4_DIALECTS_QFMT_IR_QFMTATTRS_TD

include "dialects/qfmt/IR/QFmtTypes.td"

def QFmt_RowsAttr : AttrDef<QFmt_Dialect, "Rows"> {
  let mnemonic = "rows";
  let summary = "format of stored KV and index rows";
  let description = [{
    `#qfmt.rows<512, fp8_rope, 64>`: 512 values, the last 64 (RoPE) BF16, the
    others E4M3 with an E8M0 scale per 64; codes, RoPE values, scales, padded
    to 8 bytes: 448 + 128 + 7 = 583 -> 584 bytes.
    `#qfmt.rows<128, fp4>`: E2M1 with an E8M0 scale per 32: 64 + 4 bytes.
    Constraints: C1. width positive. C2. fp8_rope: 0 < rope dims < width, even,
    and width - rope dims a multiple of 64. C3. fp4: width a multiple of 32, no
    rope dims.
  }];
  let parameters = (ins "int64_t":$width,
    EnumParameter<QFmt_RowEncoding>:$encoding,
    DefaultValuedParameter<"int64_t", "0">:$ropeDims);
  let assemblyFormat = [{
    `<` $width `,` $encoding (`,` $ropeDims^)? `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of one stored row.
    int64_t bytesPerRow() const;
  }];
}

#endif
