// RUN: dsv4-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One input per constraint of the family "attention" that fails, and what is said.

%v = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
// expected-error @+1 {{C1: expected x [T, H, N]}}
%r = dsv4.head_norm %v {eps = 1.0e-6 : f32} : (tensor<?x256xbf16>) -> tensor<?x256xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x8x100xbf16>
// expected-error @+1 {{C1: expected heads of a multiple of 16 elements, got 100}}
%r = dsv4.head_norm %v {eps = 1.0e-6 : f32} : (tensor<?x8x100xbf16>) -> tensor<?x8x100xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x32xbf16>, tensor<?xi32>
// expected-error @+1 {{C2: expected at most 32 rotary dims, got 64}}
%r = dsv4.rope %v#0, %v#1 {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x32xbf16>, tensor<?xi32>) -> tensor<?x32xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>
// expected-error @+1 {{C1: expected the result}}
%r = dsv4.rope %v#0, %v#1 {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x8x128xbf16>, tensor<?xi32>) -> tensor<?x4x128xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x128xbf16>
// expected-error @+1 {{C2: expected a multiple of 64 elements before the rotary dims, got 96}}
%r = dsv4.quantize_kv %v {rope_dims = 32 : i64} : (tensor<?x128xbf16>) -> tensor<?x128xbf16>

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>
// expected-error @+1 {{C1: expected a window state of width 128}}
dsv4.store_window %v#0, %v#1, %v#2 : (tensor<?x128xbf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C1: expected an entries or index_entries state}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x384xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C1: expected values of 128 or 256 per token, got 384}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x384xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x128xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C1: expected gates [T, 256]}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xf32>, tensor<?x128xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<8x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C2: expected ape f32 [4, 256]}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<8x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<64, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C2: expected norm bf16 [128]}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<64, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 4, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C3: expected a carry of 8 slots}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 4, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 128>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C3: expected a carry state of width 256}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 128>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v:7 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C4: expected the 64 rotary dims of the row format, got 32}}
dsv4.compress %v#0, %v#1, %v#2, %v#3, %v#4, %v#5, %v#6 {eps = 1.0e-6 : f32, rope = #dsv4.rope<dims = 32, theta = 10000>} : (tensor<?x256xf32>, tensor<?x256xf32>, !qfmt.weight<4x256, f32>, !qfmt.weight<128, bf16>, tensor<?xi32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> ()

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x4x96xbf16>
// expected-error @+1 {{C2: expected a power of two of at least 16 elements, got 96}}
%r = dsv4.hadamard %v : (tensor<?x4x96xbf16>) -> tensor<?x4x96xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x4x48xbf16>
// expected-error @+1 {{C2: expected a multiple of 32 elements, got 48}}
%r = dsv4.quantize_fp4 %v : (tensor<?x4x48xbf16>) -> tensor<?x4x48xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x4xbf16>
// expected-error @+1 {{C1: expected the result to have the type of x}}
%r = dsv4.scale_weights %v {factor = 0.5 : f32} : (tensor<?x4xbf16>) -> tensor<?x8xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>
// expected-error @+1 {{C1: expected a index_entries state of width 128}}
%r = dsv4.index_score %v#0, %v#1, %v#2, %v#3 : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>) -> tensor<?x?xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>, tensor<?x8xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>
// expected-error @+1 {{C1: expected weights [T, 4]}}
%r = dsv4.index_score %v#0, %v#1, %v#2, %v#3 : (tensor<?x4x128xbf16>, tensor<?x8xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x?xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>
// expected-error @+1 {{C2: expected scores [T, ?]}}
%r = dsv4.index_score %v#0, %v#1, %v#2, %v#3 : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x16xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x?xbf16>, tensor<?xi32>
// expected-error @+1 {{C1: expected ids [T, 16]}}
%r = dsv4.top_k %v#0, %v#1 {k = 16 : i64, ratio = 4 : i64} : (tensor<?x?xbf16>, tensor<?xi32>) -> tensor<?x8xi32>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x?xbf16>, tensor<?xi32>
// expected-error @+1 {{C2: expected positive k and ratio}}
%r = dsv4.top_k %v#0, %v#1 {k = 0 : i64, ratio = 4 : i64} : (tensor<?x?xbf16>, tensor<?xi32>) -> tensor<?x16xi32>

// -----

%v:6 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<4, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>
// expected-error @+1 {{C2: expected sink f32 [8]}}
%r = dsv4.sparse_attention %v#0, %v#1, %v#2, %v#3, %v#4, %v#5 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<4, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>) -> tensor<?x8x128xbf16>

// -----

%v:6 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>
// expected-error @+1 {{C3: expected a window state of width 128}}
%r = dsv4.sparse_attention %v#0, %v#1, %v#2, %v#3, %v#4, %v#5 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<carry, 8, 256>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>) -> tensor<?x8x128xbf16>

// -----

%v:6 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>, tensor<?x16xi32>
// expected-error @+1 {{C3: expected a entries state of width 128}}
%r = dsv4.sparse_attention %v#0, %v#1, %v#2, %v#3, %v#4, %v#5 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>, tensor<?x16xi32>) -> tensor<?x8x128xbf16>

// -----

%v:6 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>
// expected-error @+1 {{C1: expected the result}}
%r = dsv4.sparse_attention %v#0, %v#1, %v#2, %v#3, %v#4, %v#5 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, !dsv4.state<entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>) -> tensor<?x4x128xbf16>

// -----

%v:5 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>
// expected-error @+1 {{C4: expected ids only together with entries}}
%r = dsv4.sparse_attention %v#0, %v#1, %v#2, %v#3, %v#4 {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 1>, scale = 0.125 : f32} : (tensor<?x8x128xbf16>, tensor<?xi32>, !qfmt.weight<8, f32>, !dsv4.state<window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>, tensor<?x16xi32>) -> tensor<?x8x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, !qfmt.weight<256x256, fp8>
// expected-error @+1 {{C1: expected weight [2 R, 512]}}
%r = dsv4.grouped_linear %v#0, %v#1 {groups = 2 : i64} : (tensor<?x8x128xbf16>, !qfmt.weight<256x256, fp8>) -> tensor<?x256xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x8x128xbf16>, !qfmt.weight<256x512, fp8>
// expected-error @+1 {{C2: expected result [T, 256]}}
%r = dsv4.grouped_linear %v#0, %v#1 {groups = 2 : i64} : (tensor<?x8x128xbf16>, !qfmt.weight<256x512, fp8>) -> tensor<?x128xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x128xbf16>
// expected-error @+1 {{C1: expected the result to have the type of}}
%r = dsv4.quantize_kv %v {rope_dims = 64 : i64} : (tensor<?x128xbf16>) -> tensor<?x64xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
// expected-error @+1 {{C1: expected the result to have the type of}}
%r = dsv4.hadamard %v : (tensor<?x4x128xbf16>) -> tensor<?x4x64xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
// expected-error @+1 {{C1: expected the result to have the type of}}
%r = dsv4.quantize_fp4 %v : (tensor<?x4x128xbf16>) -> tensor<?x4x64xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x2x2x128xbf16>, tensor<?xi32>
// expected-error @+1 {{C1: expected x [T, N] or [T, H, N]}}
%r = dsv4.rope %v#0, %v#1 {rope = #dsv4.rope<dims = 64, theta = 10000>} : (tensor<?x2x2x128xbf16>, tensor<?xi32>) -> tensor<?x2x2x128xbf16>
