// RUN: kern-opt %s --kern-check-schedule --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program of check-schedule.mlir with one mistake in the plan each.

// p (phases 1-2) lies inside s (0-2).
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64, num_phases = 4 : i64, weight_bytes = 278912 : i64,
    buffer_bytes = #kern.affine<32768, 0>,
    state_bytes = #kern.affine<0, 0>} {
  %s = kern.buffer "s" {offset = #kern.affine<0, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 0, 2>} : <token, 256, bf16>
  // expected-error @+1 {{overlaps "s", which is live too}}
  %p = kern.buffer "p" {offset = #kern.affine<4096, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 1, 2>} : <token, 16, f32>
  %lo = kern.buffer "lo" {offset = #kern.affine<16384, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 2, 3>} : <output, 128, bf16>
  %logits = kern.buffer "logits" {offset = #kern.affine<17408, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 3, 4>} : <output, 512, f32>
  %w = kern.weight "w" {packing = #kern.packing<raw>, offset = 0 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" {packing = #kern.packing<tile16>, offset = 131072 : i64,
    bytes = 16384 : i64} : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" {packing = #kern.packing<raw>, offset = 147456 : i64,
    bytes = 4 : i64} : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" {packing = #kern.packing<raw>, offset = 147520 : i64,
    bytes = 8 : i64} : !qfmt.weight<2, f32>
  %no = kern.weight "no" {packing = #kern.packing<raw>, offset = 147584 : i64,
    bytes = 256 : i64} : !qfmt.weight<128, bf16>
  %h = kern.weight "h" {packing = #kern.packing<tile16>, offset = 147840 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    {schedule = #kern.schedule<phase = 0, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64, schedule = #kern.schedule<phase = 1, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32,
     schedule = #kern.schedule<phase = 2, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } {schedule = #kern.schedule<phase = 3, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.return %logits : <output, 512, f32>
}

// -----

// Fixed parts are apart, but s grows into p from the fifth block on: 8192 + 64 x
// blocks against 8448.
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64, num_phases = 4 : i64, weight_bytes = 278912 : i64,
    buffer_bytes = #kern.affine<32768, 0>,
    state_bytes = #kern.affine<0, 0>} {
  %s = kern.buffer "s" {offset = #kern.affine<0, 0>,
    bytes = #kern.affine<8192, 64>, lifetime = array<i64: 0, 2>} : <token, 256, bf16>
  // expected-error @+1 {{overlaps "s", which is live too}}
  %p = kern.buffer "p" {offset = #kern.affine<8448, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 1, 2>} : <token, 16, f32>
  %lo = kern.buffer "lo" {offset = #kern.affine<16384, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 2, 3>} : <output, 128, bf16>
  %logits = kern.buffer "logits" {offset = #kern.affine<17408, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 3, 4>} : <output, 512, f32>
  %w = kern.weight "w" {packing = #kern.packing<raw>, offset = 0 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" {packing = #kern.packing<tile16>, offset = 131072 : i64,
    bytes = 16384 : i64} : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" {packing = #kern.packing<raw>, offset = 147456 : i64,
    bytes = 4 : i64} : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" {packing = #kern.packing<raw>, offset = 147520 : i64,
    bytes = 8 : i64} : !qfmt.weight<2, f32>
  %no = kern.weight "no" {packing = #kern.packing<raw>, offset = 147584 : i64,
    bytes = 256 : i64} : !qfmt.weight<128, bf16>
  %h = kern.weight "h" {packing = #kern.packing<tile16>, offset = 147840 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    {schedule = #kern.schedule<phase = 0, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64, schedule = #kern.schedule<phase = 1, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32,
     schedule = #kern.schedule<phase = 2, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } {schedule = #kern.schedule<phase = 3, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.return %logits : <output, 512, f32>
}

// -----

// Ends at 33792, the arena at 32768.
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64, num_phases = 4 : i64, weight_bytes = 278912 : i64,
    buffer_bytes = #kern.affine<32768, 0>,
    state_bytes = #kern.affine<0, 0>} {
  %s = kern.buffer "s" {offset = #kern.affine<0, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 0, 2>} : <token, 256, bf16>
  // expected-error @+1 {{ends outside the arena}}
  %p = kern.buffer "p" {offset = #kern.affine<32768, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 1, 2>} : <token, 16, f32>
  %lo = kern.buffer "lo" {offset = #kern.affine<16384, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 2, 3>} : <output, 128, bf16>
  %logits = kern.buffer "logits" {offset = #kern.affine<17408, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 3, 4>} : <output, 512, f32>
  %w = kern.weight "w" {packing = #kern.packing<raw>, offset = 0 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" {packing = #kern.packing<tile16>, offset = 131072 : i64,
    bytes = 16384 : i64} : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" {packing = #kern.packing<raw>, offset = 147456 : i64,
    bytes = 4 : i64} : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" {packing = #kern.packing<raw>, offset = 147520 : i64,
    bytes = 8 : i64} : !qfmt.weight<2, f32>
  %no = kern.weight "no" {packing = #kern.packing<raw>, offset = 147584 : i64,
    bytes = 256 : i64} : !qfmt.weight<128, bf16>
  %h = kern.weight "h" {packing = #kern.packing<tile16>, offset = 147840 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    {schedule = #kern.schedule<phase = 0, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64, schedule = #kern.schedule<phase = 1, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32,
     schedule = #kern.schedule<phase = 2, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } {schedule = #kern.schedule<phase = 3, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.return %logits : <output, 512, f32>
}

// -----

// hc_head reads p in phase 2.
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64, num_phases = 4 : i64, weight_bytes = 278912 : i64,
    buffer_bytes = #kern.affine<32768, 0>,
    state_bytes = #kern.affine<0, 0>} {
  %s = kern.buffer "s" {offset = #kern.affine<0, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 0, 2>} : <token, 256, bf16>
  // expected-error @+1 {{is used in phase 2, outside its lifetime}}
  %p = kern.buffer "p" {offset = #kern.affine<8192, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 1, 1>} : <token, 16, f32>
  %lo = kern.buffer "lo" {offset = #kern.affine<16384, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 2, 3>} : <output, 128, bf16>
  %logits = kern.buffer "logits" {offset = #kern.affine<17408, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 3, 4>} : <output, 512, f32>
  %w = kern.weight "w" {packing = #kern.packing<raw>, offset = 0 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" {packing = #kern.packing<tile16>, offset = 131072 : i64,
    bytes = 16384 : i64} : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" {packing = #kern.packing<raw>, offset = 147456 : i64,
    bytes = 4 : i64} : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" {packing = #kern.packing<raw>, offset = 147520 : i64,
    bytes = 8 : i64} : !qfmt.weight<2, f32>
  %no = kern.weight "no" {packing = #kern.packing<raw>, offset = 147584 : i64,
    bytes = 256 : i64} : !qfmt.weight<128, bf16>
  %h = kern.weight "h" {packing = #kern.packing<tile16>, offset = 147840 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    {schedule = #kern.schedule<phase = 0, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64, schedule = #kern.schedule<phase = 1, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32,
     schedule = #kern.schedule<phase = 2, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } {schedule = #kern.schedule<phase = 3, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.return %logits : <output, 512, f32>
}

// -----

// Weights on top of each other.
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64, num_phases = 4 : i64, weight_bytes = 278912 : i64,
    buffer_bytes = #kern.affine<32768, 0>,
    state_bytes = #kern.affine<0, 0>} {
  %s = kern.buffer "s" {offset = #kern.affine<0, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 0, 2>} : <token, 256, bf16>
  %p = kern.buffer "p" {offset = #kern.affine<8192, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 1, 2>} : <token, 16, f32>
  %lo = kern.buffer "lo" {offset = #kern.affine<16384, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 2, 3>} : <output, 128, bf16>
  %logits = kern.buffer "logits" {offset = #kern.affine<17408, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 3, 4>} : <output, 512, f32>
  %w = kern.weight "w" {packing = #kern.packing<raw>, offset = 0 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" {packing = #kern.packing<tile16>, offset = 131072 : i64,
    bytes = 16384 : i64} : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" {packing = #kern.packing<raw>, offset = 147456 : i64,
    bytes = 4 : i64} : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" {packing = #kern.packing<raw>, offset = 147520 : i64,
    bytes = 8 : i64} : !qfmt.weight<2, f32>
  %no = kern.weight "no" {packing = #kern.packing<raw>, offset = 147584 : i64,
    bytes = 256 : i64} : !qfmt.weight<128, bf16>
  // expected-error @+1 {{overlaps the weight before it}}
  %h = kern.weight "h" {packing = #kern.packing<tile16>, offset = 147776 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    {schedule = #kern.schedule<phase = 0, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64, schedule = #kern.schedule<phase = 1, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32,
     schedule = #kern.schedule<phase = 2, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } {schedule = #kern.schedule<phase = 3, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.return %logits : <output, 512, f32>
}

// -----

// hc_mix and hc_head swapped: the number comes first.
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64, num_phases = 4 : i64, weight_bytes = 278912 : i64,
    buffer_bytes = #kern.affine<32768, 0>,
    state_bytes = #kern.affine<0, 0>} {
  %s = kern.buffer "s" {offset = #kern.affine<0, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 0, 2>} : <token, 256, bf16>
  %p = kern.buffer "p" {offset = #kern.affine<8192, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 1, 2>} : <token, 16, f32>
  %lo = kern.buffer "lo" {offset = #kern.affine<16384, 0>,
    bytes = #kern.affine<1024, 0>, lifetime = array<i64: 2, 3>} : <output, 128, bf16>
  %logits = kern.buffer "logits" {offset = #kern.affine<17408, 0>,
    bytes = #kern.affine<8192, 0>, lifetime = array<i64: 3, 4>} : <output, 512, f32>
  %w = kern.weight "w" {packing = #kern.packing<raw>, offset = 0 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" {packing = #kern.packing<tile16>, offset = 131072 : i64,
    bytes = 16384 : i64} : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" {packing = #kern.packing<raw>, offset = 147456 : i64,
    bytes = 4 : i64} : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" {packing = #kern.packing<raw>, offset = 147520 : i64,
    bytes = 8 : i64} : !qfmt.weight<2, f32>
  %no = kern.weight "no" {packing = #kern.packing<raw>, offset = 147584 : i64,
    bytes = 256 : i64} : !qfmt.weight<128, bf16>
  %h = kern.weight "h" {packing = #kern.packing<tile16>, offset = 147840 : i64,
    bytes = 131072 : i64} : !qfmt.weight<512x128, bf16>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    {schedule = #kern.schedule<phase = 0, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  // expected-error @+1 {{expected phase number 1}}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32,
     schedule = #kern.schedule<phase = 2, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64, schedule = #kern.schedule<phase = 1, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } {schedule = #kern.schedule<phase = 3, rule = tokens,
     factor = 1, operand = 0, ratio = 0, block = 0, grain = 1>}
  kern.return %logits : <output, 512, f32>
}
