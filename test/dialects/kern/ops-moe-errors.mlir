// RUN: kern-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constraints that the verifiers of this family state.

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %bias = kern.weight "bias.weight" : !qfmt.weight<8, f32>
  %tab = kern.weight "tab.weight" : !qfmt.weight<512x2, i64>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected logits to be a token buffer of f32}}
  kern.route "m" logits(%x : !kern.buffer<token, 256, bf16>)
    bias(%bias : !qfmt.weight<8, f32>) table(%tab : !qfmt.weight<512x2, i64>)
    ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %bias = kern.weight "bias.weight" : !qfmt.weight<8, f32>
  %tab = kern.weight "tab.weight" : !qfmt.weight<512x2, i64>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected either bias or table}}
  kern.route "m" logits(%lg : !kern.buffer<token, 8, f32>)
    bias(%bias : !qfmt.weight<8, f32>) table(%tab : !qfmt.weight<512x2, i64>)
    ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected either bias or table}}
  kern.route "m" logits(%lg : !kern.buffer<token, 8, f32>)
    ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %bias1 = kern.weight "bias1.weight" : !qfmt.weight<1, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected bias to be}}
  kern.route "m" logits(%lg : !kern.buffer<token, 8, f32>)
    bias(%bias1 : !qfmt.weight<1, f32>) ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %tab3 = kern.weight "tab3.weight" : !qfmt.weight<512x3, i64>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected table to be i64 [V, 2]}}
  kern.route "m" logits(%lg : !kern.buffer<token, 8, f32>)
    table(%tab3 : !qfmt.weight<512x3, i64>)
    ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %lg1 = kern.buffer "lg1" : <token, 1, f32>
  %bias1 = kern.weight "bias1.weight" : !qfmt.weight<1, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected at least 2 experts, got 1}}
  kern.route "m" logits(%lg1 : !kern.buffer<token, 1, f32>)
    bias(%bias1 : !qfmt.weight<1, f32>) ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %bias = kern.weight "bias.weight" : !qfmt.weight<8, f32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %lists = kern.buffer "lists" : <program, 50, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected ids to be a token buffer of 2 i32}}
  kern.route "m" logits(%lg : !kern.buffer<token, 8, f32>)
    bias(%bias : !qfmt.weight<8, f32>)
    ids(%lists : !kern.buffer<program, 50, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %bias = kern.weight "bias.weight" : !qfmt.weight<8, f32>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected weights to be a token buffer of 2 f32}}
  kern.route "m" logits(%lg : !kern.buffer<token, 8, f32>)
    bias(%bias : !qfmt.weight<8, f32>) ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%lg : !kern.buffer<token, 8, f32>) {scale = 1.5 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %wt = kern.buffer "wt" : <token, 2, f32>
  %lists = kern.buffer "lists" : <program, 50, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected ids to be a token buffer of 2 i32}}
  kern.dispatch "m" ids(%wt : !kern.buffer<token, 2, f32>)
    lists(%lists : !kern.buffer<program, 50, i32>) {experts = 8 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %ids = kern.buffer "ids" : <token, 2, i32>
  %lists9 = kern.buffer "lists9" : <program, 49, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected lists to be a program buffer of 50 i32}}
  kern.dispatch "m" ids(%ids : !kern.buffer<token, 2, i32>)
    lists(%lists9 : !kern.buffer<program, 49, i32>) {experts = 8 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lists = kern.buffer "lists" : <program, 50, i32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %w3 = kern.weight "w3.{e}.weight"
    scale "w3.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %flat = kern.weight "flat.weight"
    scale "flat.scale" : !qfmt.weight<128x256, fp4>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected w to be fp4, fp8 or bf16 [E, N, K]}}
  kern.expert_linear "m" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%flat : !qfmt.weight<128x256, fp4>)
    w_other(%w3 : !qfmt.weight<8x128x256, fp4>)
    y(%g : !kern.buffer<slot, 128, bf16>)
    y_other(%u : !kern.buffer<slot, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lists = kern.buffer "lists" : <program, 50, i32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %w1 = kern.weight "w1.{e}.weight"
    scale "w1.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %w2 = kern.weight "w2.{e}.weight"
    scale "w2.{e}.scale" : !qfmt.weight<8x256x128, fp4>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected w_other to have the type of w}}
  kern.expert_linear "m" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w1 : !qfmt.weight<8x128x256, fp4>)
    w_other(%w2 : !qfmt.weight<8x256x128, fp4>)
    y(%g : !kern.buffer<slot, 128, bf16>)
    y_other(%u : !kern.buffer<slot, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lists = kern.buffer "lists" : <program, 50, i32>
  %w1 = kern.weight "w1.{e}.weight"
    scale "w1.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %w3 = kern.weight "w3.{e}.weight"
    scale "w3.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %sg = kern.buffer "sg" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected x to be a token buffer of 256 bf16}}
  kern.expert_linear "m" x(%sg : !kern.buffer<token, 128, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w1 : !qfmt.weight<8x128x256, fp4>)
    w_other(%w3 : !qfmt.weight<8x128x256, fp4>)
    y(%g : !kern.buffer<slot, 128, bf16>)
    y_other(%u : !kern.buffer<slot, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lists = kern.buffer "lists" : <program, 50, i32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %w1 = kern.weight "w1.{e}.weight"
    scale "w1.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %w3 = kern.weight "w3.{e}.weight"
    scale "w3.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %sg = kern.buffer "sg" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected y to be a slot buffer of 128 bf16}}
  kern.expert_linear "m" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w1 : !qfmt.weight<8x128x256, fp4>)
    w_other(%w3 : !qfmt.weight<8x128x256, fp4>)
    y(%sg : !kern.buffer<token, 128, bf16>)
    y_other(%u : !kern.buffer<slot, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lists = kern.buffer "lists" : <program, 50, i32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %w1 = kern.weight "w1.{e}.weight"
    scale "w1.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %w3 = kern.weight "w3.{e}.weight"
    scale "w3.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %y = kern.buffer "y" : <slot, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected y_other to have the type of y}}
  kern.expert_linear "m" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w1 : !qfmt.weight<8x128x256, fp4>)
    w_other(%w3 : !qfmt.weight<8x128x256, fp4>)
    y(%g : !kern.buffer<slot, 128, bf16>)
    y_other(%y : !kern.buffer<slot, 256, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lists = kern.buffer "lists" : <program, 50, i32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %w1 = kern.weight "w1.{e}.weight"
    scale "w1.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected both or none of w_other and y_other}}
  kern.expert_linear "m" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w1 : !qfmt.weight<8x128x256, fp4>) y(%g : !kern.buffer<slot, 128, bf16>)
    y_other(%u : !kern.buffer<slot, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %ids = kern.buffer "ids" : <token, 2, i32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %w1 = kern.weight "w1.{e}.weight"
    scale "w1.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %w3 = kern.weight "w3.{e}.weight"
    scale "w3.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C5: expected lists to be a program buffer of i32}}
  kern.expert_linear "m" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%ids : !kern.buffer<token, 2, i32>)
    w(%w1 : !qfmt.weight<8x128x256, fp4>)
    w_other(%w3 : !qfmt.weight<8x128x256, fp4>)
    y(%g : !kern.buffer<slot, 128, bf16>)
    y_other(%u : !kern.buffer<slot, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %wt = kern.buffer "wt" : <token, 2, f32>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %h = kern.buffer "h" : <slot, 128, bf16>
  %slot64 = kern.buffer "slot64" : <slot, 64, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected gate to be a slot buffer of a multiple of 128 bf16}}
  kern.swiglu "m" gate(%slot64 : !kern.buffer<slot, 64, bf16>)
    up(%u : !kern.buffer<slot, 128, bf16>)
    weights(%wt : !kern.buffer<token, 2, f32>)
    h(%h : !kern.buffer<slot, 128, bf16>) {limit = 1.0e1 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %wt = kern.buffer "wt" : <token, 2, f32>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %h = kern.buffer "h" : <slot, 128, bf16>
  %su = kern.buffer "su" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected up to have the type of gate}}
  kern.swiglu "m" gate(%g : !kern.buffer<slot, 128, bf16>)
    up(%su : !kern.buffer<token, 128, bf16>)
    weights(%wt : !kern.buffer<token, 2, f32>)
    h(%h : !kern.buffer<slot, 128, bf16>) {limit = 1.0e1 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %h = kern.buffer "h" : <slot, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected weights exactly for slot rows}}
  kern.swiglu "m" gate(%g : !kern.buffer<slot, 128, bf16>)
    up(%u : !kern.buffer<slot, 128, bf16>) h(%h : !kern.buffer<slot, 128, bf16>)
    {limit = 1.0e1 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %h = kern.buffer "h" : <slot, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected weights to be a token buffer of 2 f32}}
  kern.swiglu "m" gate(%g : !kern.buffer<slot, 128, bf16>)
    up(%u : !kern.buffer<slot, 128, bf16>)
    weights(%lg : !kern.buffer<token, 8, f32>)
    h(%h : !kern.buffer<slot, 128, bf16>) {limit = 1.0e1 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %shared = kern.buffer "shared" : <token, 256, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected y to be a slot buffer of a multiple of 128 bf16}}
  kern.combine "m" y(%x : !kern.buffer<token, 256, bf16>)
    shared(%shared : !kern.buffer<token, 256, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %y = kern.buffer "y" : <slot, 256, bf16>
  %sg = kern.buffer "sg" : <token, 128, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected shared to be a token buffer of 256 bf16}}
  kern.combine "m" y(%y : !kern.buffer<slot, 256, bf16>)
    shared(%sg : !kern.buffer<token, 128, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %y = kern.buffer "y" : <slot, 256, bf16>
  %sg = kern.buffer "sg" : <token, 128, bf16>
  %shared = kern.buffer "shared" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected out to be a token buffer of 256 bf16}}
  kern.combine "m" y(%y : !kern.buffer<slot, 256, bf16>)
    shared(%shared : !kern.buffer<token, 256, bf16>)
    out(%sg : !kern.buffer<token, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}
