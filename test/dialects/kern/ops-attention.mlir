// RUN: kern-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention phases: text round trip. Heads of 128, rope dims 64; index heads of
// 128; windows of 64 in a ring of 64 + 16 - 1 = 79 rows, rounded up to 80.

// CHECK: kern.query_heads "layers.0.attn.q" raw({{.*}}) tab({{.*}}) q(
// CHECK: kern.index_query "layers.0.attn.index.q"
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 512, bf16>
  %tab = kern.buffer "tab" : <token, 64, f32>
  %q = kern.buffer "q" : <token, 512, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.query_heads "layers.0.attn.q" raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 4 : i64, eps = 1.0e-6 : f32}
  kern.index_query "layers.0.attn.index.q"
    raw(%raw : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    q(%q : !kern.buffer<token, 512, bf16>) {heads = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.store_kv "layers.0.attn.kv" {{.*}} window({{.*}} : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 64, f32>
  %kv = kern.buffer "kv" : <token, 128, bf16>
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %window = kern.state "window"
    : <window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.store_kv "layers.0.attn.kv" raw(%kv : !kern.buffer<token, 128, bf16>)
    norm(%norm : !qfmt.weight<128, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.compress "layers.1.attn.compress" {{.*}} carry({{.*}} : !kern.state<carry, slots = 8, width = 256>) entries({{.*}} : !kern.state<entries, ratio = 4,
// CHECK: kern.compress "layers.1.attn.index.compress" {{.*}} !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>
// CHECK: kern.carry "layers.1.attn.carry"
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %norm = kern.weight "norm.weight" : !qfmt.weight<128, bf16>
  %entries = kern.state "entries"
    : <entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>
  %ixe = kern.state "ixe"
    : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %carry = kern.state "carry"
    : <carry, slots = 8, width = 256>
  %u = kern.buffer "u" : <token, 256, f32>
  %g = kern.buffer "g" : <token, 256, f32>
  %ape = kern.weight "ape.weight" : !qfmt.weight<4x256, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.compress "layers.1.attn.compress" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>) ape(%ape : !qfmt.weight<4x256, f32>)
    norm(%norm : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.compress "layers.1.attn.index.compress"
    u(%u : !kern.buffer<token, 256, f32>) g(%g : !kern.buffer<token, 256, f32>)
    ape(%ape : !qfmt.weight<4x256, f32>) norm(%norm : !qfmt.weight<128, bf16>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
    entries(%ixe : !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>)
    {freqs = array<f32: 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0>, eps = 1.0e-6 : f32}
  kern.carry "layers.1.attn.carry" u(%u : !kern.buffer<token, 256, f32>)
    g(%g : !kern.buffer<token, 256, f32>)
    carry(%carry : !kern.state<carry, slots = 8, width = 256>)
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.index_score "layers.1.attn.index.score" {{.*}} scores({{.*}} : !kern.buffer<token, 0 + 32 per_block, bf16>)
// CHECK: kern.top_k "layers.1.attn.topk"
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %q = kern.buffer "q" : <token, 512, bf16>
  %ixe = kern.state "ixe"
    : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %iw = kern.buffer "iw" : <token, 4, bf16>
  %scores = kern.buffer "scores" : <token, 0 + 32 per_block, bf16>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.index_score "layers.1.attn.index.score"
    q(%q : !kern.buffer<token, 512, bf16>)
    weights(%iw : !kern.buffer<token, 4, bf16>)
    entries(%ixe : !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>)
    scores(%scores : !kern.buffer<token, 0 + 32 per_block, bf16>)
    {heads = 4 : i64, factor = 0.044194174 : f32}
  kern.top_k "layers.1.attn.topk"
    scores(%scores : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.attend "layers.0.attn.attend" {{.*}} window({{.*}}) heads_out(
// CHECK: kern.attend "layers.2.attn.attend" {{.*}} entries({{.*}}) heads_out(
// CHECK: kern.attend "layers.1.attn.attend" {{.*}} entries({{.*}}) ids({{.*}}) heads_out(
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
  kern.attend "layers.0.attn.attend" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.attend "layers.2.attn.attend" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.attend "layers.1.attn.attend" q(%q : !kern.buffer<token, 512, bf16>)
    tab(%tab : !kern.buffer<token, 64, f32>) sink(%sink : !qfmt.weight<4, f32>)
    window(%window : !kern.state<window, rows = 80, #qfmt.rows<128, fp8_rope, 64>>)
    entries(%entries : !kern.state<entries, ratio = 4, #qfmt.rows<128, fp8_rope, 64>>)
    ids(%ids : !kern.buffer<token, 16, i32>)
    heads_out(%o : !kern.buffer<token, 512, bf16>)
    {heads = 4 : i64, window_size = 64 : i64, scale = 0.0883883461 : f32}
  kern.return %logits : <output, 512, f32>
}
