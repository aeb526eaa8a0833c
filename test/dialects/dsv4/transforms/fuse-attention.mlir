// RUN: dsv4-opt %s --split-input-file --pass-pipeline="builtin.module(dsv4.model(dsv4-fuse-attention))" | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sparse attention takes up the inverse RoPE of its result.

// CHECK: dsv4.attention
// CHECK-SAME: trace = ["heads"]
// CHECK-NOT: dsv4.sparse_attention
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %q = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>
  %sink = builtin.unrealized_conversion_cast to !qfmt.weight<8, f32>
  %s = dsv4.state "w" : <window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
  %h = dsv4.sparse_attention %q, %positions, %sink, %s {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x8x128xbf16>
  %o = dsv4.rope %h, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>, inverse, trace = ["heads"]} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>
  %u_o = builtin.unrealized_conversion_cast %o : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// RoPE forwards: left alone.
// CHECK-NOT: dsv4.attention
// CHECK: dsv4.sparse_attention
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %q = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>
  %sink = builtin.unrealized_conversion_cast to !qfmt.weight<8, f32>
  %s = dsv4.state "w" : <window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
  %h = dsv4.sparse_attention %q, %positions, %sink, %s {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x8x128xbf16>
  %o = dsv4.rope %h, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>, trace = ["heads"]} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>
  %u_o = builtin.unrealized_conversion_cast %o : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// Heads with another user: left alone.
// CHECK-NOT: dsv4.attention
// CHECK: dsv4.sparse_attention
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %q = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>
  %sink = builtin.unrealized_conversion_cast to !qfmt.weight<8, f32>
  %s = dsv4.state "w" : <window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
  %h = dsv4.sparse_attention %q, %positions, %sink, %s {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x8x128xbf16>
  %o = dsv4.rope %h, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>, inverse, trace = ["heads"]} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>
  %u_o = builtin.unrealized_conversion_cast %o : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %u_h = builtin.unrealized_conversion_cast %h : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
