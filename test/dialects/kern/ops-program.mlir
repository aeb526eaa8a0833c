// RUN: kern-opt %s --verify-roundtrip | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program, its declarations and the planned attributes: text round trip.

// CHECK-LABEL: kern.program @p attributes
// CHECK-SAME: max_context = 256 : i64
// CHECK: kern.buffer "x" : <token, 256, bf16>
// CHECK: kern.buffer "scores" {bytes = #kern.affine<0, 1024>, lifetime = array<i64: 1, 2>, offset = #kern.affine<64, 0>} : <token, 0 + 32 per_block, bf16>
// CHECK: kern.weight "a.weight" scale "a.scale" {bytes = 64 : i64, offset = 0 : i64, packing = #kern.packing<tile16>} : !qfmt.weight<128x256, fp8>
// CHECK: kern.weight "e.{e}.weight" scale "e.{e}.scale" : !qfmt.weight<8x128x256, fp4>
// CHECK: kern.weight "t" {packing = #kern.packing<raw>} : !qfmt.weight<512x2, i64>
// CHECK: kern.state "window" {bytes = #kern.affine<12800, 0>, offset = #kern.affine<0, 0>} : <window, rows = 50, #qfmt.rows<128, fp8_rope, 64>>
// CHECK: kern.state "entries" : <entries, ratio = 128, #qfmt.rows<512, fp8_rope, 64>>
// CHECK: kern.state "index" : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
// CHECK: kern.state "carry" : <carry, slots = 8, width = 256>
// CHECK: kern.quantize "q" {{.*}} {schedule = #kern.schedule<phase = 0, rule = tokens, factor = 2, operand = 0, ratio = 0, block = 0, grain = 1>, scratch = #kern.affine<64, 128>}
// CHECK: kern.return %{{.*}} : <output, 512, f32>
kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %s = kern.buffer "scores" {bytes = #kern.affine<0, 1024>,
    lifetime = array<i64: 1, 2>, offset = #kern.affine<64, 0>}
    : <token, 0 + 32 per_block, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  %a = kern.weight "a.weight" scale "a.scale" {bytes = 64 : i64,
    offset = 0 : i64, packing = #kern.packing<tile16>}
    : !qfmt.weight<128x256, fp8>
  %e = kern.weight "e.{e}.weight" scale "e.{e}.scale"
    : !qfmt.weight<8x128x256, fp4>
  %t = kern.weight "t" {packing = #kern.packing<raw>} : !qfmt.weight<512x2, i64>
  %0 = kern.state "window" {bytes = #kern.affine<12800, 0>,
    offset = #kern.affine<0, 0>}
    : <window, rows = 50, #qfmt.rows<128, fp8_rope, 64>>
  %1 = kern.state "entries" : <entries, ratio = 128, #qfmt.rows<512, fp8_rope, 64>>
  %2 = kern.state "index" : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %3 = kern.state "carry" : <carry, slots = 8, width = 256>
  kern.quantize "q" x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    {schedule = #kern.schedule<phase = 0, rule = tokens, factor = 2,
     operand = 0, ratio = 0, block = 0, grain = 1>,
     scratch = #kern.affine<64, 128>}
  kern.return %logits : <output, 512, f32>
}
