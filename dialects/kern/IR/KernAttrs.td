// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes and enumerations of the kern dialect: affine sizes, packed
// layouts, schedule entries. Written by the planning passes, copied into the
// runtime's program tables without further arithmetic.

#ifndef DSV4_DIALECTS_KERN_IR_KERNATTRS_TD
#define DSV4_DIALECTS_KERN_IR_KERNATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "dialects/kern/IR/KernDialect.td"

class Kern_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::dsv4::kern";
  let genSpecializedAttr = 0;
}

def Kern_Per : Kern_Enum<"Per", "what one row of a buffer belongs to", [
  I32EnumAttrCase<"Token", 0, "token">,     // one row per token of the step
  I32EnumAttrCase<"Slot", 1, "slot">,       // tokens x experts per token
  I32EnumAttrCase<"Output", 2, "output">,   // one row per wanted logits row
  I32EnumAttrCase<"Program", 3, "program">, // one row in all
]>;

def Kern_StateKind : Kern_Enum<"StateKind", "what a sequence state holds", [
  I32EnumAttrCase<"Window", 0, "window">,
  I32EnumAttrCase<"Entries", 1, "entries">,
  I32EnumAttrCase<"IndexEntries", 2, "index_entries">,
  I32EnumAttrCase<"Carry", 3, "carry">,
]>;

// Values equal enum dsv4_items of runtime/abi/program.h (asserted in C++).
def Kern_ItemsRule : Kern_Enum<"ItemsRule", "quantity that items multiply", [
  I32EnumAttrCase<"One", 0, "one">,
  I32EnumAttrCase<"Tokens", 1, "tokens">,
  I32EnumAttrCase<"Outputs", 2, "outputs">,
  I32EnumAttrCase<"ActiveExperts", 3, "active_experts">,
  I32EnumAttrCase<"Entries", 4, "entries">,
]>;

def Kern_Layout : Kern_Enum<"Layout", "packed layout of a weight", [
  I32EnumAttrCase<"Raw", 0, "raw">,         // as in the checkpoint; i64 as i32
  I32EnumAttrCase<"Tile16", 1, "tile16">,   // 16 output rows in lanes
  I32EnumAttrCase<"Tile64", 2, "tile64">,   // 64 rows x 128 k, for GPUs
]>;

def Kern_RowsOf : Kern_Enum<"RowsOf", "rows that a linear phase computes", [
  I32EnumAttrCase<"Tokens", 0, "tokens">,
  I32EnumAttrCase<"Outputs", 1, "outputs">,
]>;
def Kern_RowsOfAttr : EnumAttr<Kern_Dialect, Kern_RowsOf, "rows_of"> {
  let assemblyFormat = "$value";
}

class Kern_Attr<string name, string mn> : AttrDef<Kern_Dialect, name> {
  let mnemonic = mn;
}

def Kern_AffineAttr : Kern_Attr<"Affine", "affine"> {
  let summary = "fixed + per_block * (context / 128)";
  let description = [{
    A size or offset in bytes (of buffer, state, scratch), affine in the number
    of context blocks of 128 tokens. Example: `#kern.affine<4096, 2176>`.
  }];
  let parameters = (ins "int64_t":$fixed, "int64_t":$perBlock);
  let assemblyFormat = "`<` $fixed `,` $perBlock `>`";
  let builders = [AttrBuilder<(ins "::dsv4::kern::Affine":$value), [{
    return $_get($_ctxt, value.fixed, value.perBlock);
  }]>];
  let extraClassDeclaration = [{
    /// The same as a plain struct that can be added and compared.
    ::dsv4::kern::Affine getValue() const {
      return {getFixed(), getPerBlock()};
    }
  }];
}

def Kern_PackingAttr : Kern_Attr<"Packing", "packing"> {
  let summary = "packed layout of one weight";
  let description = [{
    Set by kern-assign-packing from what the phases that read the weight ask
    for. `tile16`: tiles of 16 output rows, rows in lanes (see KernPacking.h
    for the exact lines of each format). `raw`: elements as stored.
    Example: `#kern.packing<tile16>`.
  }];
  let parameters = (ins EnumParameter<Kern_Layout>:$layout);
  let assemblyFormat = "`<` $layout `>`";
}

def Kern_ScheduleAttr : Kern_Attr<"Schedule", "schedule"> {
  let summary = "place of a phase in the program and its item rule";
  let description = [{
    Set by kern-schedule-phases. Items = factor x the quantity that the rule
    names; `operand` is the operand index whose first i32 counts active
    experts, `ratio` and `block` belong to the rule `entries`:
    tokens x ceil(floor((max position + 1) / ratio) / block).
    Example: `#kern.schedule<phase = 7, rule = tokens, factor = 64,
    operand = 0, ratio = 0, block = 0, grain = 4>`.
  }];
  let parameters = (ins "int64_t":$phase, EnumParameter<Kern_ItemsRule>:$rule,
    "int64_t":$factor, "int64_t":$operand, "int64_t":$ratio,
    "int64_t":$block, "int64_t":$grain);
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif
