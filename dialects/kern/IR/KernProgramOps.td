// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program and its declarations.

#ifndef DSV4_DIALECTS_KERN_IR_KERNPROGRAMOPS_TD
#define DSV4_DIALECTS_KERN_IR_KERNPROGRAMOPS_TD

include "mlir/IR/SymbolInterfaces.td"
include "dialects/kern/IR/KernOpBase.td"

def Kern_ProgramOp : Kern_Op<"program", [IsolatedFromAbove, Symbol, NoTerminator,
    NoRegionArguments, SingleBlock]> {
  let summary = "one step of the model as a list of phases";
  let description = [{
    Semantics: runs its phase ops in order, each over its items, with a barrier
    in between. The step's token ids, positions and sequence slots come with
    the runtime's step structure and are no operands. Source: style.md 8.
    The maxima are fixed at compile time; sizes are affine in the context.
    `state_classes`, `state_bytes` (kern-plan-state), `buffer_bytes`
    (kern-plan-buffers), `weight_bytes` (kern-assign-packing),
    `scratch_bytes` and `num_phases` (kern-schedule-phases) are results of
    planning.
    Constraints:
      C1. all maxima positive, max_context a multiple of 128 and
          max_outputs <= max_step_tokens.
      C2. declarations come before the phases; the last op is kern.return.
    Example:
      kern.program @p {max_context = 256 : i64, max_sequences = 1 : i64,
          max_step_tokens = 16 : i64, max_outputs = 1 : i64,
          experts_per_token = 2 : i64} { ... kern.return ... }
    Errors: max_context = 200 -> C1: expected max_context to be a positive
    multiple of 128, got 200
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$max_context,
    I64Attr:$max_sequences, I64Attr:$max_step_tokens, I64Attr:$max_outputs,
    I64Attr:$experts_per_token,
    OptionalAttr<DictionaryAttr>:$state_classes,
    OptionalAttr<Kern_AffineAttr>:$state_bytes,
    OptionalAttr<Kern_AffineAttr>:$buffer_bytes,
    OptionalAttr<Kern_AffineAttr>:$scratch_bytes,
    OptionalAttr<I64Attr>:$weight_bytes, OptionalAttr<I64Attr>:$num_phases);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// Context blocks at the compiled maximum.
    int64_t getMaxBlocks() { return getMaxContext() / ContextBlock; }
    /// Most rows that a buffer of this kind has.
    int64_t getMaxRows(::dsv4::kern::Per per);
    /// Bytes of a buffer: rows x row bytes, rounded up to 64.
    ::dsv4::kern::Affine getBufferBytes(::dsv4::kern::BufferType type);
    /// The terminator, or null in an unfinished program.
    ::dsv4::kern::ReturnOp getReturn();
  }];
}

def Kern_BufferOp : Kern_Op<"buffer", [HasParent<"ProgramOp">]> {
  let summary = "declares the rows of a step value";
  let description = [{
    Semantics: max rows of its kind x row bytes. `offset`, `bytes` and
    `lifetime` (first writer's and last reader's phase number) are set by
    kern-plan-buffers; offsets are multiples of 64 in the buffer arena.
    Constraints: C1. the name is not empty.
    Example:  %0 = kern.buffer "x" : <token, 4096, bf16>
    Errors:   %0 = kern.buffer "" : ... -> C1: expected a name
  }];
  let arguments = (ins StrAttr:$name, OptionalAttr<Kern_AffineAttr>:$offset,
    OptionalAttr<Kern_AffineAttr>:$bytes,
    OptionalAttr<DenseI64ArrayAttr>:$lifetime);
  let results = (outs Kern_Buffer:$handle);
  let assemblyFormat = "$name attr-dict `:` type($handle)";
  let hasVerifier = 1;
}

def Kern_WeightOp : Kern_Op<"weight", [HasParent<"ProgramOp">]> {
  let summary = "declares a packed weight";
  let description = [{
    Semantics: the checkpoint tensor `tensor` (and `scale` for FP8 and FP4) in
    the layout `packing` at `offset` of the packed weights. A stack of experts
    is one weight [E, N, K]; its tensor name holds `{e}` where the expert's
    number goes. `packing`, `offset`, `bytes`: kern-assign-packing, or for
    GPUs cuda-assign-packing, whose `tile64` keeps room for `escapes` tiles per
    matrix and gives every expert of a stack bytes / E bytes.
    Constraints: C1. fp8 and fp4 have a scale name, others none.
    C2. a rank-3 shape and `{e}` in the names go together.
    Example:
      %1 = kern.weight "layers.0.attn.wq_a.weight"
        scale "layers.0.attn.wq_a.scale" : !qfmt.weight<1024x4096, fp8>
    Errors: the same without scale -> C1: expected a scale tensor for fp8
  }];
  let arguments = (ins StrAttr:$tensor, OptionalAttr<StrAttr>:$scale,
    OptionalAttr<Kern_PackingAttr>:$packing, OptionalAttr<I64Attr>:$offset,
    OptionalAttr<I64Attr>:$bytes, OptionalAttr<I64Attr>:$escapes);
  let results = (outs Kern_Weight:$handle);
  let assemblyFormat =
    "$tensor (`scale` $scale^)? attr-dict `:` qualified(type($handle))";
  let hasVerifier = 1;
}

def Kern_StateOp : Kern_Op<"state", [HasParent<"ProgramOp">]> {
  let summary = "declares a part of one sequence's state";
  let description = [{
    Semantics: bytes inside every sequence's state, kept between steps.
    `offset` (inside one sequence's state) and `bytes`: kern-plan-state.
    Constraints: C1. the name is not empty.
    Example:
      %2 = kern.state "layers.2.attn.window"
        : <window, rows = 256, #qfmt.rows<512, fp8_rope, 64>>
    Errors: an empty name -> C1: expected a name
  }];
  let arguments = (ins StrAttr:$name, OptionalAttr<Kern_AffineAttr>:$offset,
    OptionalAttr<Kern_AffineAttr>:$bytes);
  let results = (outs Kern_State:$handle);
  let assemblyFormat = "$name attr-dict `:` type($handle)";
  let hasVerifier = 1;
}

def Kern_ReturnOp : Kern_Op<"return", [HasParent<"ProgramOp">]> {
  let summary = "names the logits buffer";
  let description = [{
    Semantics: after the last phase the buffer holds the logits of the wanted
    rows, f32. It stays live to the end of the step.
    Constraints: C1. an output buffer of f32.
    Example:  kern.return %9 : <output, 129280, f32>
    Errors:   a token buffer -> C1: expected logits to be an output buffer of f32
  }];
  let arguments = (ins Arg<Kern_Buffer, "logits", [MemRead]>:$logits);
  let assemblyFormat = "$logits attr-dict `:` type($logits)";
  let hasVerifier = 1;
}

#endif
