// RUN: dsv4-opt %s --split-input-file --pass-pipeline="builtin.module(dsv4.model(dsv4-fuse-query-kv))" | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Norms, RoPE, quantisation and store become one op each; trace names stay.

// CHECK: dsv4.query_heads
// CHECK-SAME: trace = ["q"]
// CHECK-NOT: dsv4.rope %
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>
  %n = dsv4.head_norm %raw {eps = 1.0e-6 : f32} : (tensor<?x8x128xbf16>) -> tensor<?x8x128xbf16>
  %q = dsv4.rope %n, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>, trace = ["q"]} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>
  %u_q = builtin.unrealized_conversion_cast %q : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// Inverse RoPE: left alone.
// CHECK-NOT: dsv4.query_heads
// CHECK: dsv4.head_norm
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>
  %n = dsv4.head_norm %raw {eps = 1.0e-6 : f32} : (tensor<?x8x128xbf16>) -> tensor<?x8x128xbf16>
  %q = dsv4.rope %n, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>, inverse, trace = ["q"]} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>
  %u_q = builtin.unrealized_conversion_cast %q : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// The normed heads have another user: left alone.
// CHECK-NOT: dsv4.query_heads
// CHECK: dsv4.head_norm
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>
  %n = dsv4.head_norm %raw {eps = 1.0e-6 : f32} : (tensor<?x8x128xbf16>) -> tensor<?x8x128xbf16>
  %q = dsv4.rope %n, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>, trace = ["q"]} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>
  %u_q = builtin.unrealized_conversion_cast %q : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %u_n = builtin.unrealized_conversion_cast %n : tensor<?x8x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// CHECK: dsv4.store_kv
// CHECK-SAME: trace = ["kv"]
// CHECK-NOT: dsv4.store_window
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x128xbf16>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<128, bf16>
  %n = dsv4.rms_norm %raw, %nw {eps = 1.0e-6 : f32} : (tensor<?x128xbf16>, !qfmt.weight<128, bf16>) -> tensor<?x128xbf16>
  %t = dsv4.rope %n, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x128xbf16>, tensor<?xi32>) -> tensor<?x128xbf16>
  %kv = dsv4.quantize_kv %t {rope_dims = 64 : i64, trace = ["kv"]} : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %s = dsv4.state "w" : <window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
  dsv4.store_window %kv, %positions, %s : (tensor<?x128xbf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// The row has another user: left alone.
// CHECK-NOT: dsv4.store_kv
// CHECK: dsv4.store_window
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x128xbf16>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<128, bf16>
  %n = dsv4.rms_norm %raw, %nw {eps = 1.0e-6 : f32} : (tensor<?x128xbf16>, !qfmt.weight<128, bf16>) -> tensor<?x128xbf16>
  %t = dsv4.rope %n, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x128xbf16>, tensor<?xi32>) -> tensor<?x128xbf16>
  %kv = dsv4.quantize_kv %t {rope_dims = 64 : i64, trace = ["kv"]} : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %s = dsv4.state "w" : <window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
  dsv4.store_window %kv, %positions, %s : (tensor<?x128xbf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()
  %u_kv = builtin.unrealized_conversion_cast %kv : tensor<?x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// CHECK: dsv4.index_query
// CHECK-SAME: trace = ["index.q"]
// CHECK-NOT: dsv4.hadamard
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
  %t = dsv4.rope %raw, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x4x128xbf16>, tensor<?xi32>) -> tensor<?x4x128xbf16>
  %h = dsv4.hadamard %t : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>
  %q = dsv4.quantize_fp4 %h {trace = ["index.q"]} : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>
  %u_q = builtin.unrealized_conversion_cast %q : tensor<?x4x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// CHECK-NOT: dsv4.index_query
// CHECK: dsv4.hadamard
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
  %t = dsv4.rope %raw, %positions {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x4x128xbf16>, tensor<?xi32>) -> tensor<?x4x128xbf16>
  %h = dsv4.hadamard %t : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>
  %q = dsv4.quantize_fp4 %h {trace = ["index.q"]} : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>
  %u_q = builtin.unrealized_conversion_cast %q : tensor<?x4x128xbf16> to !qfmt.weight<1, f32>
  %u_h = builtin.unrealized_conversion_cast %h : tensor<?x4x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// The row is turned by other positions than it is stored at: left alone.
// CHECK-NOT: dsv4.store_kv
// CHECK: dsv4.store_window
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %raw = builtin.unrealized_conversion_cast to tensor<?x128xbf16>
  %other = builtin.unrealized_conversion_cast to tensor<?xi32>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<128, bf16>
  %n = dsv4.rms_norm %raw, %nw {eps = 1.0e-6 : f32} : (tensor<?x128xbf16>, !qfmt.weight<128, bf16>) -> tensor<?x128xbf16>
  %t = dsv4.rope %n, %other {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x128xbf16>, tensor<?xi32>) -> tensor<?x128xbf16>
  %kv = dsv4.quantize_kv %t {rope_dims = 64 : i64, trace = ["kv"]} : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %s = dsv4.state "w" : <window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
  dsv4.store_window %kv, %positions, %s : (tensor<?x128xbf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
