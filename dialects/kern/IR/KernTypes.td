// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Handle types of the kern dialect. A handle says all that a kernel needs to
// know about the memory behind it: who owns a row, row width, element, format.

#ifndef DSV4_DIALECTS_KERN_IR_KERNTYPES_TD
#define DSV4_DIALECTS_KERN_IR_KERNTYPES_TD

include "mlir/IR/AttrTypeBase.td"
include "dialects/kern/IR/KernAttrs.td"

class Kern_Type<string name, string mn> : TypeDef<Kern_Dialect, name> {
  let mnemonic = mn;
}

def Kern_Buffer : Kern_Type<"Buffer", "buffer"> {
  let summary = "rows of a step value";
  let description = [{
    `!kern.buffer<per, width, element>`: dense rows, one per `per`; width in
    elements, affine in context blocks where it grows with the context.
    Examples: `!kern.buffer<token, 4096, bf16>`,
    `!kern.buffer<token, 0 + 32 per_block, bf16>` (index scores, ratio 4).
    Constraints: C1. width > 0 and both parts >= 0. C2. element bf16, f32, i32.
  }];
  let parameters = (ins EnumParameter<Kern_Per>:$per, "int64_t":$fixed,
    "int64_t":$perBlock, "::mlir::Type":$element);
  let assemblyFormat =
    "`<` $per `,` custom<Width>($fixed, $perBlock) `,` $element `>`";
  let genVerifyDecl = 1;
  let builders = [TypeBuilderWithInferredContext<(ins "Per":$per,
    "int64_t":$width, "::mlir::Type":$element), [{
      return $_get(element.getContext(), per, width, int64_t(0), element);
  }]>];
  let extraClassDeclaration = [{
    /// Width of a row in elements. For rows that do not grow with the context
    /// this is getFixed().
    ::dsv4::kern::Affine getWidth() const { return {getFixed(), getPerBlock()}; }
    /// Bytes of one element: 2 or 4.
    int64_t getElementBytes() const {
      return getElement().getIntOrFloatBitWidth() / 8;
    }
    /// Bytes of one row.
    ::dsv4::kern::Affine getRowBytes() const {
      return getWidth() * getElementBytes();
    }
  }];
}

def Kern_State : Kern_Type<"State", "state"> {
  let summary = "a part of one sequence's state";
  let description = [{
    - `!kern.state<window, rows = 256, #qfmt.rows<512, fp8_rope, 64>>`: ring
      of rows, slot = position mod rows.
    - `!kern.state<entries, ratio = 4, #qfmt.rows<512, fp8_rope, 64>>`: one row
      per `ratio` tokens of context, in order.
    - `!kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>`: index rows
      in tiles of 16 entries: 16 x width/2 code bytes as lines of 64 bytes (one
      32-bit lane per entry), then width/32 x 16 scale bytes.
    - `!kern.state<carry, slots = 8, width = 1024>`: per slot (position mod
      slots) width f32 values u, then width f32 gates g (without ape).
    Constraints: C1. extents positive. C2. ratio divides 128, and for
    index_entries 128 / ratio is a multiple of 16. C3. a format where rows are
    stored, a width where floats are.
  }];
  let parameters = (ins EnumParameter<Kern_StateKind>:$kind,
    "int64_t":$extent, "int64_t":$width, "::mlir::Attribute":$rows);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Ring slots of a window, tokens per entry, or slots of a carry.
    bool isGrowing() const {
      return getKind() == StateKind::Entries ||
             getKind() == StateKind::IndexEntries;
    }
    /// Stored row format; only for window, entries and index_entries.
    ::dsv4::qfmt::RowsAttr getRowFormat() const;
    /// Bytes in one sequence's state, unpadded.
    ::dsv4::kern::Affine getBytes() const;
    /// Alignment of the first byte: 64, or 8 for entries, whose rows (584
    /// bytes) follow each other without padding.
    int64_t getAlignment() const {
      return getKind() == StateKind::Entries ? 8 : 64;
    }
  }];
}

// A weight handle is a qfmt weight: shape and stored format.
def Kern_Weight : Type<CPred<"::llvm::isa<::dsv4::qfmt::WeightType>($_self)">,
                       "stored weight", "::dsv4::qfmt::WeightType">;

#endif
