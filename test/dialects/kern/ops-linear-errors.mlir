// RUN: kern-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constraints that the verifiers of this family state.

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 8, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected at least one frequency}}
  kern.rope_table "r" tab(%tab : !kern.buffer<token, 8, f32>)
    {freqs = array<f32>}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 8, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected tab to be a token buffer of 2 f32, got '!kern.buffer<token, 8, f32>'}}
  kern.rope_table "r" tab(%tab : !kern.buffer<token, 8, f32>)
    {freqs = array<f32: 1.0>}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %v = kern.weight "v.weight" : !qfmt.weight<256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected table to be bf16 [V, D]}}
  kern.embed "e" table(%v : !qfmt.weight<256, bf16>)
    streams(%s : !kern.buffer<token, 1024, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %embed = kern.weight "embed.weight" : !qfmt.weight<512x256, bf16>
  %bad = kern.buffer "bad" : <token, 1000, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected streams to be a token buffer of a multiple of 256 bf16}}
  kern.embed "e" table(%embed : !qfmt.weight<512x256, bf16>)
    streams(%bad : !kern.buffer<token, 1000, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {

  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected three operands per job, got 0 for 0 jobs}}
  kern.linear "l" tokens {
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %ya = kern.buffer "ya" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected buffer, weight, buffer in job 0}}
  kern.linear "l" tokens {
    %x, %x, %ya groups 1 : !kern.buffer<token, 256, bf16>, !kern.buffer<token, 256, bf16>, !kern.buffer<token, 128, bf16>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %ya = kern.buffer "ya" : <token, 128, bf16>
  %vec = kern.weight "vec.weight" : !qfmt.weight<256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected w of job 0 to be fp8, fp4 or bf16 [N, K]}}
  kern.linear "l" tokens {
    %x, %vec, %ya groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<256, bf16>, !kern.buffer<token, 128, bf16>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %yb = kern.buffer "yb" : <token, 24, f32>
  %odd = kern.weight "odd.weight"
    scale "odd.scale" : !qfmt.weight<24x200, fp8>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected w of job 0 to have K in steps of 128}}
  kern.linear "l" tokens {
    %x, %odd, %yb groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<24x200, fp8>, !kern.buffer<token, 24, f32>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %wb = kern.weight "wb.weight" : !qfmt.weight<24x256, bf16>
  %yb = kern.buffer "yb" : <token, 24, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected w of job 0 to have K in steps of 32 and whole tiles per group}}
  kern.linear "l" tokens {
    %o, %wb, %yb groups 2 : !kern.buffer<token, 512, bf16>, !qfmt.weight<24x256, bf16>, !kern.buffer<token, 24, f32>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %wa = kern.weight "wa.weight"
    scale "wa.scale" : !qfmt.weight<128x256, fp8>
  %ya = kern.buffer "ya" : <token, 128, bf16>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected x of job 0 to be a token buffer of 256 bf16}}
  kern.linear "l" tokens {
    %o, %wa, %ya groups 1 : !kern.buffer<token, 512, bf16>, !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %wa = kern.weight "wa.weight"
    scale "wa.scale" : !qfmt.weight<128x256, fp8>
  %yb = kern.buffer "yb" : <token, 24, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected y of job 0 to be a token buffer of 128 f32}}
  kern.linear "l" tokens {
    %x, %wa, %yb groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<128x256, fp8>, !kern.buffer<token, 24, f32>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %wa = kern.weight "wa.weight"
    scale "wa.scale" : !qfmt.weight<128x256, fp8>
  %ya = kern.buffer "ya" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected x of job 0 to be a output buffer of 256 bf16}}
  kern.linear "l" outputs {
    %x, %wa, %ya groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %w = kern.weight "w.weight" : !qfmt.weight<128, bf16>
  %y = kern.buffer "y" : <token, 128, bf16>
  %yq = kern.buffer "yq" : <token, 128, bf16>
  %f = kern.buffer "f" : <token, 128, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected raw to be a token buffer of 128 bf16}}
  kern.norm_quant "n" raw(%f : !kern.buffer<token, 128, f32>)
    weight(%w : !qfmt.weight<128, bf16>) y(%y : !kern.buffer<token, 128, bf16>)
    yq(%yq : !kern.buffer<token, 128, bf16>) {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 128, bf16>
  %y = kern.buffer "y" : <token, 128, bf16>
  %yq = kern.buffer "yq" : <token, 128, bf16>
  %wf = kern.weight "wf.weight" : !qfmt.weight<128, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected weight to be}}
  kern.norm_quant "n" raw(%raw : !kern.buffer<token, 128, bf16>)
    weight(%wf : !qfmt.weight<128, f32>) y(%y : !kern.buffer<token, 128, bf16>)
    yq(%yq : !kern.buffer<token, 128, bf16>) {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 128, bf16>
  %w = kern.weight "w.weight" : !qfmt.weight<128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected y or yq}}
  kern.norm_quant "n" raw(%raw : !kern.buffer<token, 128, bf16>)
    weight(%w : !qfmt.weight<128, bf16>) {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 128, bf16>
  %w = kern.weight "w.weight" : !qfmt.weight<128, bf16>
  %yq = kern.buffer "yq" : <token, 128, bf16>
  %z = kern.buffer "z" : <token, 64, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected the result to have the type of raw}}
  kern.norm_quant "n" raw(%raw : !kern.buffer<token, 128, bf16>)
    weight(%w : !qfmt.weight<128, bf16>) y(%z : !kern.buffer<token, 64, bf16>)
    yq(%yq : !kern.buffer<token, 128, bf16>) {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %z = kern.buffer "z" : <token, 64, bf16>
  %w64 = kern.weight "w64.weight" : !qfmt.weight<64, bf16>
  %z2 = kern.buffer "z2" : <token, 64, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected a multiple of 128 elements for yq, got 64}}
  kern.norm_quant "n" raw(%z : !kern.buffer<token, 64, bf16>)
    weight(%w64 : !qfmt.weight<64, bf16>)
    yq(%z2 : !kern.buffer<token, 64, bf16>) {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %z = kern.buffer "z" : <token, 64, bf16>
  %z2 = kern.buffer "z2" : <token, 64, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected x to be a token buffer of a multiple of 128 bf16}}
  kern.quantize "q" x(%z : !kern.buffer<token, 64, bf16>)
    xq(%z2 : !kern.buffer<token, 64, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 128, bf16>
  %z = kern.buffer "z" : <token, 64, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected xq to have the type of x}}
  kern.quantize "q" x(%raw : !kern.buffer<token, 128, bf16>)
    xq(%z : !kern.buffer<token, 64, bf16>)
  kern.return %logits : <output, 512, f32>
}
