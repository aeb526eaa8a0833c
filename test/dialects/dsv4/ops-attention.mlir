// RUN: dsv4-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: dsv4-opt %s --split-input-file | dsv4-opt --split-input-file | FileCheck %s
// RUN: dsv4-opt %s --split-input-file --mlir-print-op-generic | dsv4-opt --split-input-file | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the family "attention": each verifies and survives a round trip through text
// and bytecode.

// CHECK: dsv4.head_norm
%v = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>
%r = dsv4.head_norm %v {eps = 1.0e-6 : f32} : (tensor<?x8x128xbf16>) -> tensor<?x8x128xbf16>

// -----

// CHECK: dsv4.rope
%v:2 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>
%r = dsv4.rope %v#0, %v#1 {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>

// -----

// CHECK: dsv4.quantize_kv
%v = builtin.unrealized_conversion_cast to tensor<?x128xbf16>
%r = dsv4.quantize_kv %v {rope_dims = 64 : i64} : (tensor<?x128xbf16>) -> tensor<?x128xbf16>

// -----

// CHECK: dsv4.store_window
%v:3 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
dsv4.store_window %v#0, %v#1, %v#2 : (tensor<?x128xbf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

// CHECK: dsv4.compress
%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

// CHECK: dsv4.hadamard
%v = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
%r = dsv4.hadamard %v : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>

// -----

// CHECK: dsv4.quantize_fp4
%v = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
%r = dsv4.quantize_fp4 %v : (tensor<?x4x128xbf16>) -> tensor<?x4x128xbf16>

// -----

// CHECK: dsv4.scale_weights
%v = builtin.unrealized_conversion_cast to tensor<?x4xbf16>
%r = dsv4.scale_weights %v {factor = 0.5 : f32} : (tensor<?x4xbf16>) -> tensor<?x4xbf16>

// -----

// CHECK: dsv4.index_score
%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>
%r = dsv4.index_score %v#0, %v#1, %v#2, %v#3 : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x?xbf16>

// -----

// CHECK: dsv4.top_k
%v:2 = builtin.unrealized_conversion_cast to tensor<?x?xbf16>, tensor<?xi32>
%r = dsv4.top_k %v#0, %v#1 {k = 16 : i64, ratio = 4 : i64} : (tensor<?x?xbf16>, tensor<?xi32>) -> tensor<?x16xi32>

// -----

// CHECK: dsv4.sparse_attention
%v:6 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>
%r = dsv4.sparse_attention %v#0, %v#1, %v#2, %v#3, %v#4, %v#5 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>) -> tensor<?x8x128xbf16>

// -----

// CHECK: dsv4.grouped_linear
%v:2 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, !qfmt.weight<256x512, fp8>
%r = dsv4.grouped_linear %v#0, %v#1 {groups = 2 : i64} : (tensor<?x8x128xbf16>, !qfmt.weight<256x512, fp8>) -> tensor<?x256xbf16>
