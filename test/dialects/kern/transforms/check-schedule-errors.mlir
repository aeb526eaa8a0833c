// RUN: kern-opt %s --kern-assign-packing --kern-plan-state --kern-plan-buffers --kern-schedule-phases --kern-check-schedule \
// RUN:   --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs whose order of reads and writes is wrong, planned by the passes.

kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %y = kern.buffer "y" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{reads buffer "x" before any phase wrote it}}
  kern.quantize "q" x(%x : !kern.buffer<token, 256, bf16>)
    xq(%y : !kern.buffer<token, 256, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  %e0 = kern.weight "e0" : !qfmt.weight<512x256, bf16>
  kern.embed "embed" table(%e0 : !qfmt.weight<512x256, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
  // expected-error @+1 {{operand 1 is written and also given as another operand}}
  kern.quantize "q" x(%s : !kern.buffer<token, 256, bf16>)
    xq(%s : !kern.buffer<token, 256, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  %e0 = kern.weight "e0" : !qfmt.weight<512x256, bf16>
  kern.embed "embed" table(%e0 : !qfmt.weight<512x256, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
  // expected-error @+1 {{no phase writes the logits}}
  kern.return %logits : <output, 512, f32>
}

// -----

// The carry holds rows of earlier steps until compress has read them.
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 256, bf16>
  %p = kern.buffer "p" : <token, 16, f32>
  %lo = kern.buffer "lo" : <output, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  %x = kern.buffer "x" : <token, 128, bf16>
  %xq = kern.buffer "xq" : <token, 128, bf16>
  %u = kern.buffer "u" : <token, 128, f32>
  %g = kern.buffer "g" : <token, 128, f32>
  %w = kern.weight "w" : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" : !qfmt.weight<2, f32>
  %no = kern.weight "no" : !qfmt.weight<128, bf16>
  %h = kern.weight "h" : !qfmt.weight<512x128, bf16>
  %ape = kern.weight "ape" : !qfmt.weight<128x128, f32>
  %wk = kern.weight "wk" : !qfmt.weight<128x128, bf16>
  %carry = kern.state "carry" : <carry, slots = 128, width = 128>
  %entries = kern.state "entries"
    : <entries, ratio = 128, #qfmt.rows<128, fp8_rope, 64>>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    
  kern.embed "x" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%x : !kern.buffer<token, 128, bf16>)
  kern.linear "u" tokens {
    %x, %wk, %u groups 1 : !kern.buffer<token, 128, bf16>,
      !qfmt.weight<128x128, bf16>, !kern.buffer<token, 128, f32>
    %x, %wk, %g groups 1 : !kern.buffer<token, 128, bf16>,
      !qfmt.weight<128x128, bf16>, !kern.buffer<token, 128, f32>
  }
  kern.carry "carry" u(%u : !kern.buffer<token, 128, f32>)
    g(%g : !kern.buffer<token, 128, f32>)
    carry(%carry : !kern.state<carry, slots = 128, width = 128>)
  // expected-error @+1 {{reads carry "carry" after it was overwritten}}
  kern.compress "compress" u(%u : !kern.buffer<token, 128, f32>)
    g(%g : !kern.buffer<token, 128, f32>)
    ape(%ape : !qfmt.weight<128x128, f32>) norm(%no : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 128, width = 128>)
    entries(%entries : !kern.state<entries, ratio = 128,
      #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } 
  kern.return %logits : <output, 512, f32>
}

// -----

// Entries that nobody attends to.
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 256, bf16>
  %p = kern.buffer "p" : <token, 16, f32>
  %lo = kern.buffer "lo" : <output, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  %x = kern.buffer "x" : <token, 128, bf16>
  %xq = kern.buffer "xq" : <token, 128, bf16>
  %u = kern.buffer "u" : <token, 128, f32>
  %g = kern.buffer "g" : <token, 128, f32>
  %w = kern.weight "w" : !qfmt.weight<512x128, bf16>
  %fn = kern.weight "fn" : !qfmt.weight<2x256, f32>
  %sc = kern.weight "sc" : !qfmt.weight<1, f32>
  %ba = kern.weight "ba" : !qfmt.weight<2, f32>
  %no = kern.weight "no" : !qfmt.weight<128, bf16>
  %h = kern.weight "h" : !qfmt.weight<512x128, bf16>
  %ape = kern.weight "ape" : !qfmt.weight<128x128, f32>
  %wk = kern.weight "wk" : !qfmt.weight<128x128, bf16>
  %carry = kern.state "carry" : <carry, slots = 128, width = 128>
  // expected-error @+1 {{expected a phase that reads and one that writes it}}
  %entries = kern.state "entries"
    : <entries, ratio = 128, #qfmt.rows<128, fp8_rope, 64>>
  kern.embed "embed" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
    
  kern.embed "x" table(%w : !qfmt.weight<512x128, bf16>)
    streams(%x : !kern.buffer<token, 128, bf16>)
  kern.linear "u" tokens {
    %x, %wk, %u groups 1 : !kern.buffer<token, 128, bf16>,
      !qfmt.weight<128x128, bf16>, !kern.buffer<token, 128, f32>
    %x, %wk, %g groups 1 : !kern.buffer<token, 128, bf16>,
      !qfmt.weight<128x128, bf16>, !kern.buffer<token, 128, f32>
  }
  kern.compress "compress" u(%u : !kern.buffer<token, 128, f32>)
    g(%g : !kern.buffer<token, 128, f32>)
    ape(%ape : !qfmt.weight<128x128, f32>) norm(%no : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 128, width = 128>)
    entries(%entries : !kern.state<entries, ratio = 128,
      #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.carry "carry" u(%u : !kern.buffer<token, 128, f32>)
    g(%g : !kern.buffer<token, 128, f32>)
    carry(%carry : !kern.state<carry, slots = 128, width = 128>)
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 256, bf16>)
    fn(%fn : !qfmt.weight<2x256, f32>)
    partials(%p : !kern.buffer<token, 16, f32>)
    {streams = 2 : i64}
  kern.hc_head "hc_head" partials(%p : !kern.buffer<token, 16, f32>)
    streams_in(%s : !kern.buffer<token, 256, bf16>)
    scale(%sc : !qfmt.weight<1, f32>) base(%ba : !qfmt.weight<2, f32>)
    norm(%no : !qfmt.weight<128, bf16>) x(%lo : !kern.buffer<output, 128, bf16>)
    {streams = 2 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.linear "head" outputs {
    %lo, %h, %logits groups 1 : !kern.buffer<output, 128, bf16>,
      !qfmt.weight<512x128, bf16>, !kern.buffer<output, 512, f32>
  } 
  kern.return %logits : <output, 512, f32>
}
