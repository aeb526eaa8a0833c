// RUN: dsv4-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: dsv4-opt %s --split-input-file | dsv4-opt --split-input-file | FileCheck %s
// RUN: dsv4-opt %s --split-input-file --mlir-print-op-generic | dsv4-opt --split-input-file | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the family "fused": each verifies and survives a round trip through text
// and bytecode.

// CHECK: dsv4.hc_entry
%v:5 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>
%r:3 = dsv4.hc_entry %v#0, %v#1, %v#2, %v#3, %v#4 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>) -> (tensor<?x4xf32>, tensor<?x4x4xf32>, tensor<?x256xbf16>)

// -----

// CHECK: dsv4.hc_boundary
%v:8 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>
%r:4 = dsv4.hc_boundary %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>) -> (tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, tensor<?x256xbf16>)

// -----

// CHECK: dsv4.hc_exit
%v:8 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<4x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>, !qfmt.weight<256, bf16>
%r = dsv4.hc_exit %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32} : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<4x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>

// -----

// CHECK: dsv4.stacked_linear
%v:3 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>, !qfmt.weight<64x256, bf16>
%r:2 = dsv4.stacked_linear %v#0, %v#1, %v#2 {quantized = array<i1: true, false>} : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>, !qfmt.weight<64x256, bf16>) -> (tensor<?x128xbf16>, tensor<?x64xf32>)

// -----

// CHECK: dsv4.query_heads
%v:2 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>
%r = dsv4.query_heads %v#0, %v#1 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x8x128xbf16>

// -----

// CHECK: dsv4.store_kv
%v:4 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
%r = dsv4.store_kv %v#0, %v#1, %v#2, %v#3 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x128xbf16>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x128xbf16>

// -----

// CHECK: dsv4.index_query
%v:2 = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>, tensor<?xi32>
%r = dsv4.index_query %v#0, %v#1 {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x4x128xbf16>, tensor<?xi32>) -> tensor<?x4x128xbf16>

// -----

// CHECK: dsv4.index_select
%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>
%r = dsv4.index_select %v#0, %v#1, %v#2, %v#3 {factor = 0.5 : f32, k = 16 : i64} : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x16xi32>

// -----

// CHECK: dsv4.attention
%v:4 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
%r = dsv4.attention %v#0, %v#1, %v#2, %v#3 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, rope = #dsv4.rope<dims = 64, theta = 10000>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x8x128xbf16>

// -----

// CHECK: dsv4.moe
%v:10 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>
%r = dsv4.moe %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7, %v#8, %v#9 {k = 2 : i64, limit = 10.0 : f32, scale = 1.5 : f32} : (tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>
