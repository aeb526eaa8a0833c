// RUN: kern-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constraints of the program, its declarations and the handle types.

// expected-error @+1 {{C1: expected max_context to be a positive multiple of 128, got 200}}
kern.program @p attributes {max_context = 200 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.return %logits : <output, 512, f32>
}

// -----

// expected-error @+1 {{C1: expected positive max_sequences, got 0}}
kern.program @p attributes {max_context = 256 : i64, max_sequences = 0 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.return %logits : <output, 512, f32>
}

// -----

// expected-error @+1 {{C1: expected max_outputs <= max_step_tokens, got 4 > 2}}
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 2 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.return %logits : <output, 512, f32>
}

// -----

// expected-error @+1 {{C2: expected kern.return as the last op}}
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %y = kern.buffer "y" : <token, 256, bf16>
  kern.quantize "q" x(%x : !kern.buffer<token, 256, bf16>)
    xq(%y : !kern.buffer<token, 256, bf16>)
  // expected-error @+1 {{C2: expected declarations before the phases}}
  %z = kern.buffer "z" : <token, 256, bf16>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected a name}}
  %b = kern.buffer "" : <token, 256, bf16>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected a name}}
  %b = kern.state "" : <carry, slots = 8, width = 256>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected a scale tensor for}}
  %b = kern.weight "w" : !qfmt.weight<128x128, fp8>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected no scale tensor for}}
  %b = kern.weight "w" scale "s" : !qfmt.weight<128x128, bf16>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected {e} in the tensor name exactly for a stack of experts, got w}}
  %b = kern.weight "w" scale "s" : !qfmt.weight<8x128x128, fp4>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected {e} in the tensor name exactly for a stack of experts}}
  %b = kern.weight "w.{e}" : !qfmt.weight<128x128, bf16>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %b = kern.buffer "b" : <token, 512, f32>
  // expected-error @+1 {{C1: expected logits to be an output buffer of f32}}
  kern.return %b : <token, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected a positive width, got 0 + 0 per_block}}
  %b = kern.buffer "b" : <token, 0, bf16>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected element bf16, f32 or i32}}
  %b = kern.buffer "b" : <token, 8, i8>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected positive slots, got 0}}
  %b = kern.state "b" : <carry, slots = 0, width = 8>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected a positive width, got 0}}
  %b = kern.state "b" : <carry, slots = 8, width = 0>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected a row format}}
  %b = kern.state "b" : <window, rows = 8, 5 : i64>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected a ratio that divides 128, got 3}}
  %b = kern.state "b" : <entries, ratio = 3, #qfmt.rows<128, fp8_rope, 64>>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected a multiple of 16 index entries per 128 tokens, got 1}}
  %b = kern.state "b" : <index_entries, ratio = 128, #qfmt.rows<128, fp4>>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{expected window, entries, index_entries or carry, got ring}}
  %b = kern.state "b" : <ring, rows = 8>
  kern.return %logits : <output, 512, f32>
}
