// RUN: kern-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mixture-of-experts phases: text round trip. E = 8 experts, K = 2 per token
// (experts_per_token), 16 tokens per step: lists of 2 + 2 x 8 + 16 x 2 = 50.

// CHECK: kern.route "layers.3.ffn.route" logits({{.*}}) bias({{.*}}) ids({{.*}}) weights(
// CHECK: kern.route "layers.0.ffn.route" logits({{.*}}) table({{.*}}) ids(
// CHECK: kern.dispatch "layers.0.ffn.dispatch" ids({{.*}}) lists({{.*}} : !kern.buffer<program, 50, i32>)
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %lg = kern.buffer "lg" : <token, 8, f32>
  %bias = kern.weight "bias.weight" : !qfmt.weight<8, f32>
  %tab = kern.weight "tab.weight" : !qfmt.weight<512x2, i64>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %lists = kern.buffer "lists" : <program, 50, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.route "layers.3.ffn.route" logits(%lg : !kern.buffer<token, 8, f32>)
    bias(%bias : !qfmt.weight<8, f32>) ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.route "layers.0.ffn.route" logits(%lg : !kern.buffer<token, 8, f32>)
    table(%tab : !qfmt.weight<512x2, i64>)
    ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.dispatch "layers.0.ffn.dispatch" ids(%ids : !kern.buffer<token, 2, i32>)
    lists(%lists : !kern.buffer<program, 50, i32>) {experts = 8 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.expert_linear "layers.3.ffn.experts.w13" x({{.*}} : !kern.buffer<token, 256, bf16>) {{.*}} w_other({{.*}}) y({{.*}}) y_other(
// CHECK: kern.expert_linear "layers.3.ffn.experts.w2" x({{.*}} : !kern.buffer<slot, 128, bf16>) lists({{.*}}) w({{.*}}) y(
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
  %u = kern.buffer "u" : <slot, 128, bf16>
  %h = kern.buffer "h" : <slot, 128, bf16>
  %w2 = kern.weight "w2.{e}.weight"
    scale "w2.{e}.scale" : !qfmt.weight<8x256x128, fp4>
  %y = kern.buffer "y" : <slot, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.expert_linear "layers.3.ffn.experts.w13"
    x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w1 : !qfmt.weight<8x128x256, fp4>)
    w_other(%w3 : !qfmt.weight<8x128x256, fp4>)
    y(%g : !kern.buffer<slot, 128, bf16>)
    y_other(%u : !kern.buffer<slot, 128, bf16>)
  kern.expert_linear "layers.3.ffn.experts.w2"
    x(%h : !kern.buffer<slot, 128, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w2 : !qfmt.weight<8x256x128, fp4>) y(%y : !kern.buffer<slot, 256, bf16>)
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.swiglu "layers.3.ffn.experts.swiglu" gate({{.*}}) up({{.*}}) weights({{.*}}) h(
// CHECK: kern.swiglu "layers.3.ffn.shared.swiglu" gate({{.*}}) up({{.*}}) h(
// CHECK: kern.combine "layers.3.ffn.out" y({{.*}}) shared({{.*}}) out(
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %wt = kern.buffer "wt" : <token, 2, f32>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %u = kern.buffer "u" : <slot, 128, bf16>
  %h = kern.buffer "h" : <slot, 128, bf16>
  %y = kern.buffer "y" : <slot, 256, bf16>
  %sg = kern.buffer "sg" : <token, 128, bf16>
  %su = kern.buffer "su" : <token, 128, bf16>
  %sh = kern.buffer "sh" : <token, 128, bf16>
  %shared = kern.buffer "shared" : <token, 256, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.swiglu "layers.3.ffn.experts.swiglu"
    gate(%g : !kern.buffer<slot, 128, bf16>)
    up(%u : !kern.buffer<slot, 128, bf16>)
    weights(%wt : !kern.buffer<token, 2, f32>)
    h(%h : !kern.buffer<slot, 128, bf16>) {limit = 1.0e1 : f32}
  kern.swiglu "layers.3.ffn.shared.swiglu"
    gate(%sg : !kern.buffer<token, 128, bf16>)
    up(%su : !kern.buffer<token, 128, bf16>)
    h(%sh : !kern.buffer<token, 128, bf16>) {limit = 1.0e1 : f32}
  kern.combine "layers.3.ffn.out" y(%y : !kern.buffer<slot, 256, bf16>)
    shared(%shared : !kern.buffer<token, 256, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
  kern.return %logits : <output, 512, f32>
}
