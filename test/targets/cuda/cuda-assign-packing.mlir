// RUN: dsv4-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(kern.program(cuda-assign-packing))' | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in tiles of 64 rows, each at a line of 128 bytes, a stack with room for its
// escapes in every expert; what is no product as in the checkpoint.
// CHECK-LABEL: kern.program @places
// CHECK: kern.weight "norm.weight" {bytes = 512 : i64, offset = 0 : i64, packing = #kern.packing<raw>}
// CHECK: kern.weight "wq.weight"{{.*}}offset = 512 : i64, packing = #kern.packing<tile64>}
kern.program @places attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 1 : i64,
    experts_per_token = 2 : i64} {
  %n = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %w = kern.weight "wq.weight" scale "wq.scale" : !qfmt.weight<128x256, fp8>
  %r = kern.buffer "raw" : <token, 256, bf16>
  %q = kern.buffer "yq" : <token, 256, bf16>
  %y = kern.buffer "y" : <output, 128, f32>
  %z = kern.buffer "z" : <token, 128, bf16>
  kern.norm_quant "norm" raw(%r : !kern.buffer<token, 256, bf16>)
    weight(%n : !qfmt.weight<256, bf16>)
    yq(%q : !kern.buffer<token, 256, bf16>) {eps = 1.0e-6 : f32}
  kern.linear "wq" tokens {
    %q, %w, %z groups 1 : !kern.buffer<token, 256, bf16>,
      !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
  }
  kern.return %y : <output, 128, f32>
}

// -----

kern.program @unread attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 1 : i64,
    experts_per_token = 2 : i64} {
  // expected-error @+1 {{no phase reads lost.weight}}
  %n = kern.weight "lost.weight" : !qfmt.weight<256, bf16>
  %y = kern.buffer "y" : <output, 128, f32>
  kern.return %y : <output, 128, f32>
}

// -----

// hc_mix reads its matrix row by row, so that is no product. A stack keeps room for
// two escapes in every expert: a header of 128 bytes, 2 strips x 2 blocks of 4224 and
// 2 x 256 are 17536, a multiple of 128.
// CHECK-LABEL: kern.program @stack
// CHECK-SAME: weight_bytes = 239104 : i64
// CHECK: kern.weight "hc_attn_fn" {bytes = 98304 : i64, offset = 0 : i64, packing = #kern.packing<raw>}
// CHECK: kern.weight "e.{e}.w1.weight"{{.*}}{bytes = 140288 : i64, escapes = 2 : i64, offset = 98304 : i64, packing = #kern.packing<tile64>}
// CHECK: kern.weight "norm.weight" {bytes = 512 : i64, offset = 238592 : i64, packing = #kern.packing<raw>}
kern.program @stack attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 1 : i64,
    experts_per_token = 2 : i64} {
  %fn = kern.weight "hc_attn_fn" : !qfmt.weight<24x1024, f32>
  %w = kern.weight "e.{e}.w1.weight" scale "e.{e}.w1.scale" {escapes = 2 : i64} : !qfmt.weight<8x128x256, fp4>
  %n = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %s = kern.buffer "s" : <token, 1024, bf16>
  %p = kern.buffer "p" : <token, 64, f32>
  %r = kern.buffer "raw" : <token, 256, bf16>
  %q = kern.buffer "yq" : <token, 256, bf16>
  %lists = kern.buffer "lists" : <program, 50, i32>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %y = kern.buffer "y" : <output, 128, f32>
  kern.hc_mix "mix" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.norm_quant "norm" raw(%r : !kern.buffer<token, 256, bf16>)
    weight(%n : !qfmt.weight<256, bf16>)
    yq(%q : !kern.buffer<token, 256, bf16>) {eps = 1.0e-6 : f32}
  kern.expert_linear "experts" x(%q : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w : !qfmt.weight<8x128x256, fp4>) y(%g : !kern.buffer<slot, 128, bf16>)
  kern.return %y : <output, 128, f32>
}

// -----

kern.program @too_many attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 1 : i64,
    experts_per_token = 2 : i64} {
  // expected-error @+1 {{tile64 cannot hold e.{e}.w1.weight: expected 0 to 4 escapes, found 5}}
  %w = kern.weight "e.{e}.w1.weight" scale "e.{e}.w1.scale" {escapes = 5 : i64} : !qfmt.weight<8x128x256, fp4>
  %q = kern.buffer "yq" : <token, 256, bf16>
  %lists = kern.buffer "lists" : <program, 50, i32>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %y = kern.buffer "y" : <output, 128, f32>
  kern.expert_linear "experts" x(%q : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%w : !qfmt.weight<8x128x256, fp4>) y(%g : !kern.buffer<slot, 128, bf16>)
  kern.return %y : <output, 128, f32>
}
