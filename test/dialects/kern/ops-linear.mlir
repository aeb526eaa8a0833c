// RUN: kern-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear layers, norms, quantisation, embedding, rotary table: text round trip.

// CHECK-LABEL: kern.program @p
// CHECK: kern.rope_table "rope.plain" tab(%{{.*}} : !kern.buffer<token, 8, f32>)
// CHECK-SAME: freqs = array<f32
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %tab = kern.buffer "tab" : <token, 8, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.rope_table "rope.plain" tab(%tab : !kern.buffer<token, 8, f32>)
    {freqs = array<f32: 1.0, 0.1, 0.01, 0.001>}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.embed "embed" table(%{{.*}} : !qfmt.weight<512x256, bf16>) streams(%{{.*}} : !kern.buffer<token, 1024, bf16>)
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %embed = kern.weight "embed.weight" : !qfmt.weight<512x256, bf16>
  %s = kern.buffer "s" : <token, 1024, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.embed "embed" table(%embed : !qfmt.weight<512x256, bf16>)
    streams(%s : !kern.buffer<token, 1024, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

// Two jobs of one phase; a grouped one (two groups of 128 rows, each over its
// own 256 inputs); the head over the wanted rows.
// CHECK: kern.linear "layers.0.attn.qkv_a" tokens {
// CHECK-NEXT: %{{.*}}, %{{.*}}, %{{.*}} groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
// CHECK-NEXT: groups 1 : {{.*}}!kern.buffer<token, 24, f32>
// CHECK: groups 2
// CHECK: kern.linear "head" outputs
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %wa = kern.weight "wa.weight"
    scale "wa.scale" : !qfmt.weight<128x256, fp8>
  %ya = kern.buffer "ya" : <token, 128, bf16>
  %wb = kern.weight "wb.weight" : !qfmt.weight<24x256, bf16>
  %yb = kern.buffer "yb" : <token, 24, f32>
  %o = kern.buffer "o" : <token, 512, bf16>
  %wg = kern.weight "wg.weight"
    scale "wg.scale" : !qfmt.weight<256x256, fp8>
  %yg = kern.buffer "yg" : <token, 256, bf16>
  %xo = kern.buffer "xo" : <output, 256, bf16>
  %head = kern.weight "head.weight" : !qfmt.weight<512x256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.linear "layers.0.attn.qkv_a" tokens {
    %x, %wa, %ya groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
    %x, %wb, %yb groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<24x256, bf16>, !kern.buffer<token, 24, f32>
  }
  kern.linear "layers.0.attn.wo_a" tokens {
    %o, %wg, %yg groups 2 : !kern.buffer<token, 512, bf16>, !qfmt.weight<256x256, fp8>, !kern.buffer<token, 256, bf16>
  }
  kern.linear "head" outputs {
    %xo, %head, %logits groups 1 : !kern.buffer<output, 256, bf16>, !qfmt.weight<512x256, bf16>, !kern.buffer<output, 512, f32>
  }
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.norm_quant "n" raw({{.*}}) weight({{.*}}) y({{.*}}) yq({{.*}})
// CHECK: kern.norm_quant "m" raw({{.*}}) weight({{.*}}) yq({{.*}})
// CHECK: kern.norm_quant "k" raw({{.*}}) weight({{.*}}) y({{.*}})
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 128, bf16>
  %w = kern.weight "w.weight" : !qfmt.weight<128, bf16>
  %y = kern.buffer "y" : <token, 128, bf16>
  %yq = kern.buffer "yq" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.norm_quant "n" raw(%raw : !kern.buffer<token, 128, bf16>)
    weight(%w : !qfmt.weight<128, bf16>) y(%y : !kern.buffer<token, 128, bf16>)
    yq(%yq : !kern.buffer<token, 128, bf16>) {eps = 1.0e-6 : f32}
  kern.norm_quant "m" raw(%raw : !kern.buffer<token, 128, bf16>)
    weight(%w : !qfmt.weight<128, bf16>)
    yq(%yq : !kern.buffer<token, 128, bf16>) {eps = 1.0e-6 : f32}
  kern.norm_quant "k" raw(%raw : !kern.buffer<token, 128, bf16>)
    weight(%w : !qfmt.weight<128, bf16>) y(%y : !kern.buffer<token, 128, bf16>)
    {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.quantize "q" x({{.*}} : !kern.buffer<token, 128, bf16>) xq(
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %raw = kern.buffer "raw" : <token, 128, bf16>
  %yq = kern.buffer "yq" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.quantize "q" x(%raw : !kern.buffer<token, 128, bf16>)
    xq(%yq : !kern.buffer<token, 128, bf16>)
  kern.return %logits : <output, 512, f32>
}
