// RUN: kern-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connection phases: text round trip. C = 4 streams of D = 256, so fn has
// M = 4 (2 + 4) = 24 rows, and a token's partials are 2 chunks of
// roundUp(24 + 1, 16) = 32 floats; for the head M = 4, 2 chunks of 16.

// CHECK: kern.hc_mix "layers.0.hc_attn.mix" streams_in({{.*}}) fn({{.*}}) partials({{.*}})
// CHECK: kern.hc_mix "layers.0.hc_ffn.mix" streams_in({{.*}}) out({{.*}}) post({{.*}}) comb({{.*}}) fn({{.*}}) streams_out({{.*}}) partials({{.*}})
// CHECK: kern.hc_mix "hc_head.mix"
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %fnh = kern.weight "fnh.weight" : !qfmt.weight<4x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %ph = kern.buffer "ph" : <token, 32, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.hc_mix "layers.0.hc_attn.mix"
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.hc_mix "layers.0.hc_ffn.mix"
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.hc_mix "hc_head.mix" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fnh : !qfmt.weight<4x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%ph : !kern.buffer<token, 32, f32>) {streams = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.hc_pre "layers.0.hc_attn.pre" {{.*}} xq(
// CHECK: kern.hc_pre "no_xq"
// CHECK-NOT: xq(
// CHECK: kern.return
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.hc_pre "layers.0.hc_attn.pre" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.hc_pre "no_xq" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

// CHECK: kern.hc_head "hc_head" {{.*}} x({{.*}} : !kern.buffer<output, 256, bf16>)
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %ph = kern.buffer "ph" : <token, 32, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %scale1 = kern.weight "scale1.weight" : !qfmt.weight<1, f32>
  %base4 = kern.weight "base4.weight" : !qfmt.weight<4, f32>
  %xo = kern.buffer "xo" : <output, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.hc_head "hc_head" partials(%ph : !kern.buffer<token, 32, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale1 : !qfmt.weight<1, f32>) base(%base4 : !qfmt.weight<4, f32>)
    norm(%norm : !qfmt.weight<256, bf16>)
    x(%xo : !kern.buffer<output, 256, bf16>)
    {streams = 4 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}
