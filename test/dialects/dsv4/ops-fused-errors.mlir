// RUN: dsv4-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One input per constraint of the family "fused" that fails, and what is said.

%v:5 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<20x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>
// expected-error @+1 {{C1: expected fn f32 [24, 1024]}}
%r:3 = dsv4.hc_entry %v#0, %v#1, %v#2, %v#3, %v#4 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<20x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>) -> (tensor<?x4xf32>, tensor<?x4x4xf32>, tensor<?x256xbf16>)

// -----

%v:5 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<128, bf16>
// expected-error @+1 {{C1: expected norm bf16 [256]}}
%r:3 = dsv4.hc_entry %v#0, %v#1, %v#2, %v#3, %v#4 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<128, bf16>) -> (tensor<?x4xf32>, tensor<?x4x4xf32>, tensor<?x256xbf16>)

// -----

%v:8 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x3x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>
// expected-error @+1 {{C1: expected comb [T, 4, 4]}}
%r:4 = dsv4.hc_boundary %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x3x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>) -> (tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, tensor<?x256xbf16>)

// -----

%v:8 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>
// expected-error @+1 {{C1: expected the result to have the type of streams}}
%r:4 = dsv4.hc_boundary %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>, !qfmt.weight<256, bf16>) -> (tensor<?x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, tensor<?x256xbf16>)

// -----

%v:8 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>, !qfmt.weight<256, bf16>
// expected-error @+1 {{C1: expected fn f32 [4, 1024]}}
%r = dsv4.hc_exit %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32} : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>, !qfmt.weight<24x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>, !qfmt.weight<64x256, bf16>
// expected-error @+1 {{C1: expected one flag and one result per weight}}
%r:2 = dsv4.stacked_linear %v#0, %v#1, %v#2 {quantized = array<i1: true>} : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>, !qfmt.weight<64x256, bf16>) -> (tensor<?x128xbf16>, tensor<?x64xf32>)

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<128x128, fp8>, !qfmt.weight<64x256, bf16>
// expected-error @+1 {{C1: expected weight [N, 256] with N values per token}}
%r:2 = dsv4.stacked_linear %v#0, %v#1, %v#2 {quantized = array<i1: true, false>} : (tensor<?x256xbf16>, !qfmt.weight<128x128, fp8>, !qfmt.weight<64x256, bf16>) -> (tensor<?x128xbf16>, tensor<?x64xf32>)

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>
// expected-error @+1 {{C1: expected raw [T, H, N]}}
%r = dsv4.query_heads %v#0, %v#1 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xbf16>, tensor<?xi32>) -> tensor<?x256xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>
// expected-error @+1 {{C1: expected a window state of width 128}}
%r = dsv4.store_kv %v#0, %v#1, %v#2, %v#3 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x128xbf16>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>) -> tensor<?x128xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, !qfmt.weight<64, bf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C1: expected norm bf16 [128]}}
%r = dsv4.store_kv %v#0, %v#1, %v#2, %v#3 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x128xbf16>, !qfmt.weight<64, bf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x128xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C1: expected the window's rotary dims, got 32}}
%r = dsv4.store_kv %v#0, %v#1, %v#2, %v#3 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 32, theta = 10000>} : (tensor<?x128xbf16>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x4x96xbf16>, tensor<?xi32>
// expected-error @+1 {{C2: expected a power of two of at least 16 elements}}
%r = dsv4.index_query %v#0, %v#1 {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x4x96xbf16>, tensor<?xi32>) -> tensor<?x4x96xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>
// expected-error @+1 {{C1: expected ids [T, 16]}}
%r = dsv4.index_select %v#0, %v#1, %v#2, %v#3 {factor = 0.5 : f32, k = 16 : i64} : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x8xi32>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<4, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C2: expected sink f32 [8]}}
%r = dsv4.attention %v#0, %v#1, %v#2, %v#3 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>, rope = #dsv4.rope<dims = 64, theta = 10000>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<4, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x8x128xbf16>

// -----

%v:10 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>
// expected-error @+1 {{C1: expected routed w2 fp4 [8, 256, 128]}}
%r = dsv4.moe %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7, %v#8, %v#9 {k = 2 : i64, limit = 10.0 : f32, scale = 1.5 : f32} : (tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>

// -----

%v:10 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x128, fp8>
// expected-error @+1 {{C1: expected shared w2 fp8 [256, 128]}}
%r = dsv4.moe %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7, %v#8, %v#9 {k = 2 : i64, limit = 10.0 : f32, scale = 1.5 : f32} : (tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x128, fp8>) -> tensor<?x256xbf16>

// -----

%v:10 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x128, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>
// expected-error @+1 {{C1: expected gate bf16 [8, 256]}}
%r = dsv4.moe %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7, %v#8, %v#9 {k = 2 : i64, limit = 10.0 : f32, scale = 1.5 : f32} : (tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x128, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>

// -----

%v:10 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<4, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>
// expected-error @+1 {{C1: expected route f32 [8] or i64 [V, 2]}}
%r = dsv4.moe %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7, %v#8, %v#9 {k = 2 : i64, limit = 10.0 : f32, scale = 1.5 : f32} : (tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<4, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>

// -----

%v:10 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>
// expected-error @+1 {{C3: expected 1 to 8 experts, got 9}}
%r = dsv4.moe %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7, %v#8, %v#9 {k = 9 : i64, limit = 10.0 : f32, scale = 1.5 : f32} : (tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>

// -----

%v:10 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>
// expected-error @+1 {{C2: expected the result to have the type of x}}
%r = dsv4.moe %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6, %v#7, %v#8, %v#9 {k = 2 : i64, limit = 10.0 : f32, scale = 1.5 : f32} : (tensor<?x256xbf16>, tensor<?xi32>, !qfmt.weight<8x256, bf16>, !qfmt.weight<8, f32>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x128x256, fp4>, !qfmt.weight<8x256x128, fp4>, !qfmt.weight<128x256, fp8>, !qfmt.weight<128x256, fp8>, !qfmt.weight<256x128, fp8>) -> tensor<?x128xbf16>
