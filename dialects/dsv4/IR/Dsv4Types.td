// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// State handles.

#ifndef DSV4_DIALECTS_DSV4_IR_DSV4TYPES_TD
#define DSV4_DIALECTS_DSV4_IR_DSV4TYPES_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "dialects/dsv4/IR/Dsv4Dialect.td"

def Dsv4_StateKind : I32EnumAttr<"StateKind", "what a state holds", [
  I32EnumAttrCase<"Window", 0, "window">,
  I32EnumAttrCase<"Entries", 1, "entries">,
  I32EnumAttrCase<"IndexEntries", 2, "index_entries">,
  I32EnumAttrCase<"Carry", 3, "carry">,
]> {
  let cppNamespace = "::dsv4::graph";
  let genSpecializedAttr = 0;
}

def Dsv4_State : TypeDef<Dsv4_Dialect, "State"> {
  let mnemonic = "state";
  let summary = "a part of one sequence's state";
  let description = [{
    Semantics (model.md 4.1), by kind:
    - `<window, 128, 512, #qfmt.rows<512, fp8_rope, 64>>`: the rows of the last
      128 positions.
    - `<entries, 4, 512, #qfmt.rows<...>>`: one compressed row per 4 tokens.
    - `<index_entries, 4, 128, #qfmt.rows<128, fp4>>`: one index row per 4.
    - `<carry, 8, 1024>`: values and gates (f32, width 1024 each) of the last 8
      tokens.
    Constraints: C1. extent and width positive. C2. all kinds but carry have a
    row format of that width; carry has none. C3. index_entries are fp4, window
    and entries fp8_rope.
  }];
  let parameters = (ins EnumParameter<Dsv4_StateKind>:$kind,
    "int64_t":$extent, "int64_t":$width,
    OptionalParameter<"::dsv4::qfmt::RowsAttr">:$rows);
  let assemblyFormat =
    "`<` $kind `,` $extent `,` $width (`,` qualified($rows)^)? `>`";
  let genVerifyDecl = 1;
}

#endif
