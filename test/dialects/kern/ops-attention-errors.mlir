// RUN: kern-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constraints that the verifiers of this family state.

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 512, bf16>
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected positive heads, got 0}}
  kern.query_heads "m" raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 0 : i64, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %u = kern.buffer "u" : <token, 256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected raw to be a token buffer of a multiple of 4 bf16}}
  kern.query_heads "m" raw(%u : !kern.buffer<token, 256, f32>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 4 : i64, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 512, bf16>
  %tab = kern.buffer "tab" : <token, 64, f32>
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected q to have the type of raw}}
  kern.query_heads "m" raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    q(%kv : !kern.buffer<token, 128, bf16>)
    {heads = 4 : i64, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 512, bf16>
  %q = kern.buffer "q" : <token, 512, bf16>
  %tabx = kern.buffer "tabx" : <token, 65, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected tab to be a token buffer of a multiple of 2 f32}}
  kern.query_heads "m" raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tabx : !kern.buffer<token, 65, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 4 : i64, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 512, bf16>
  %q = kern.buffer "q" : <token, 512, bf16>
  %tabw = kern.buffer "tabw" : <token, 160, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected tab to have at most 128 dims, got 160}}
  kern.query_heads "m" raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tabw : !kern.buffer<token, 160, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 4 : i64, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 512, bf16>
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected heads of a multiple of 16 elements, got 8}}
  kern.query_heads "m" raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    q(%q : !kern.buffer<token, 512, bf16>)
    {heads = 64 : i64, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %r96 = kern.buffer "r96" : <token, 384, bf16>
  %q96 = kern.buffer "q96" : <token, 384, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected heads of a power of two >= 32 elements, got 96}}
  kern.index_query "m" raw(%r96 : !kern.buffer<token, 384, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    q(%q96 : !kern.buffer<token, 384, bf16>) {heads = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 512, bf16>
  %q = kern.buffer "q" : <token, 512, bf16>
  %tabw = kern.buffer "tabw" : <token, 160, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected tab to have at most 128 dims, got 160}}
  kern.index_query "m" raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tabw : !kern.buffer<token, 160, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected window to be a window state}}
  kern.store_kv "m" raw(%kv : !kern.buffer<token, 128, bf16>)
    norm(%norm : !qfmt.weight<128, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    window(%carry : !kern.state<carry, slots = 8, width = 256>)
    {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected raw to be a token buffer of 128 bf16}}
  kern.store_kv "m" raw(%q : !kern.buffer<token, 512, bf16>)
    norm(%norm : !qfmt.weight<128, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected norm to be}}
  kern.store_kv "m" raw(%kv : !kern.buffer<token, 128, bf16>)
    norm(%sink : !qfmt.weight<4, f32>) tab(%tab : !kern.buffer<token, 64, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tabx = kern.buffer "tabx" : <token, 65, f32>
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected tab to be a token buffer of 64 f32}}
  kern.store_kv "m" raw(%kv : !kern.buffer<token, 128, bf16>)
    norm(%norm : !qfmt.weight<128, bf16>)
    tab(%tabx : !kern.buffer<token, 65, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %u = kern.buffer "u" : <token, 256, f32>
  %g = kern.buffer "g" : <token, 256, f32>
  %ape = kern.weight "ape.weight" : !qfmt.weight<4x256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected entries to be a entries state}}
  kern.compress "m" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>) ape(%ape : !qfmt.weight<4x256, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %g = kern.buffer "g" : <token, 256, f32>
  %ape = kern.weight "ape.weight" : !qfmt.weight<4x256, f32>
  %u3 = kern.buffer "u3" : <token, 384, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected u to be a token buffer of 128 or 256 f32}}
  kern.compress "m" u(%u3 : !kern.buffer<token, 384, f32>)
    g(%g : !kern.buffer<token, 256, f32>) ape(%ape : !qfmt.weight<4x256, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %u = kern.buffer "u" : <token, 256, f32>
  %ape = kern.weight "ape.weight" : !qfmt.weight<4x256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected g to be a token buffer of 256 f32}}
  kern.compress "m" u(%u : !kern.buffer<token, 256, f32>)
    g(%kv : !kern.buffer<token, 128, bf16>) ape(%ape : !qfmt.weight<4x256, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %u = kern.buffer "u" : <token, 256, f32>
  %g = kern.buffer "g" : <token, 256, f32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected ape to be}}
  kern.compress "m" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>) ape(%sink : !qfmt.weight<4, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %u = kern.buffer "u" : <token, 256, f32>
  %g = kern.buffer "g" : <token, 256, f32>
  %ape = kern.weight "ape.weight" : !qfmt.weight<4x256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected carry to be a carry state}}
  kern.compress "m" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>) ape(%ape : !qfmt.weight<4x256, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %short = kern.state "short"
    : <carry, slots = 4, width = 256>
  %u = kern.buffer "u" : <token, 256, f32>
  %g = kern.buffer "g" : <token, 256, f32>
  %ape = kern.weight "ape.weight" : !qfmt.weight<4x256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected carry of at least 8 slots of width 256}}
  kern.compress "m" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>) ape(%ape : !qfmt.weight<4x256, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%short : !kern.state<carry, slots = 4, width = 256>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %u = kern.buffer "u" : <token, 256, f32>
  %g = kern.buffer "g" : <token, 256, f32>
  %ape = kern.weight "ape.weight" : !qfmt.weight<4x256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C5: expected frequencies for 64 dims, got 2}}
  kern.compress "m" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>) ape(%ape : !qfmt.weight<4x256, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0>, eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %u = kern.buffer "u" : <token, 256, f32>
  %g = kern.buffer "g" : <token, 256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected carry to be a carry state}}
  kern.carry "m" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>)
    carry(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %g = kern.buffer "g" : <token, 256, f32>
  %u3 = kern.buffer "u3" : <token, 384, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected u to be a token buffer of 256 f32}}
  kern.carry "m" u(%u3 : !kern.buffer<token, 384, f32>)
    g(%g : !kern.buffer<token, 256, f32>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %q = kern.buffer "q" : <token, 512, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %iw = kern.buffer "iw" : <token, 4, bf16>
  %scores = kern.buffer "scores" : <token, 0 + 32 per_block, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected entries to be a index_entries state}}
  kern.index_score "m" q(%q : !kern.buffer<token, 512, bf16>)
    weights(%iw : !kern.buffer<token, 4, bf16>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    scores(%scores : !kern.buffer<token, 0 + 32 per_block, bf16>)
    {heads = 4 : i64, factor = 0.044194174 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %q = kern.buffer "q" : <token, 512, bf16>
  %ixe = kern.state "ixe"
    : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %scores = kern.buffer "scores" : <token, 0 + 32 per_block, bf16>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected weights to be a token buffer of 4 bf16}}
  kern.index_score "m" q(%q : !kern.buffer<token, 512, bf16>)
    weights(%ids : !kern.buffer<token, 16, i32>)
    entries(%ixe : !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>)
    scores(%scores : !kern.buffer<token, 0 + 32 per_block, bf16>)
    {heads = 4 : i64, factor = 0.044194174 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %q = kern.buffer "q" : <token, 512, bf16>
  %ixe = kern.state "ixe"
    : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %iw = kern.buffer "iw" : <token, 4, bf16>
  %flat = kern.buffer "flat" : <token, 32, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected scores to be a token buffer of 0 + 32 per_block bf16}}
  kern.index_score "m" q(%q : !kern.buffer<token, 512, bf16>)
    weights(%iw : !kern.buffer<token, 4, bf16>)
    entries(%ixe : !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>)
    scores(%flat : !kern.buffer<token, 32, bf16>)
    {heads = 4 : i64, factor = 0.044194174 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %ids = kern.buffer "ids" : <token, 16, i32>
  %flat = kern.buffer "flat" : <token, 32, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected scores to be a token buffer of 0 + 32 per_block bf16}}
  kern.top_k "m" scores(%flat : !kern.buffer<token, 32, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %scores = kern.buffer "scores" : <token, 0 + 32 per_block, bf16>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected a ratio that divides 128, got 3}}
  kern.top_k "m" scores(%scores : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 3 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %scores = kern.buffer "scores" : <token, 0 + 32 per_block, bf16>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected ids to be a token buffer of 8 i32}}
  kern.top_k "m" scores(%scores : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 8 : i64, ratio = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %scores = kern.buffer "scores" : <token, 0 + 32 per_block, bf16>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected positive k, got 0}}
  kern.top_k "m" scores(%scores : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 0 : i64, ratio = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected window to be a window state}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected a window state of at least 81 rows}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 81 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected q to be a token buffer of 512 bf16}}
  kern.attend "m" q(%kv : !kern.buffer<token, 128, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected heads_out to have the type of q}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%kv : !kern.buffer<token, 128, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %q = kern.buffer "q" : <token, 512, bf16>
  %tabx = kern.buffer "tabx" : <token, 65, f32>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected tab to be a token buffer of 64 f32}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tabx : !kern.buffer<token, 65, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected sink to be}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    sink(%norm : !qfmt.weight<128, bf16>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %wide = kern.state "wide"
    : <entries, ratio = 4, #qfmt.rows<256, fp8_rope, 64>>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C5: expected entries in the window's row format}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%wide : !kern.state<entries, ratio = 4, #qfmt.rows<256, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %ixe = kern.state "ixe"
    : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C5: expected entries to be a entries state}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%ixe : !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C6: expected ids only together with entries}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %iw = kern.buffer "iw" : <token, 4, bf16>
  %sink = kern.weight "sink.weight" : !qfmt.weight<4, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C6: expected ids to be a token buffer of i32}}
  kern.attend "m" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%iw : !kern.buffer<token, 4, bf16>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}
