// RUN: dsv4-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One input per constraint of the family "moe" that fails, and what is said.

%v = builtin.unrealized_conversion_cast to tensor<?x2x4xf32>
// expected-error @+1 {{C1: expected logits [T, E]}}
%r = dsv4.router_scores %v : (tensor<?x2x4xf32>) -> tensor<?x2x4xf32>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x8xf32>, !qfmt.weight<4, f32>
// expected-error @+1 {{C1: expected bias f32 [8]}}
%r:2 = dsv4.route_top_k %v#0, %v#1 {scale = 1.5 : f32} : (tensor<?x8xf32>, !qfmt.weight<4, f32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x8xf32>, !qfmt.weight<8, f32>
// expected-error @+1 {{C2: expected ids [T, K] with K <= 8}}
%r:2 = dsv4.route_top_k %v#0, %v#1 {scale = 1.5 : f32} : (tensor<?x8xf32>, !qfmt.weight<8, f32>) -> (tensor<?x9xi32>, tensor<?x2xf32>)

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x8xf32>, !qfmt.weight<8, f32>
// expected-error @+1 {{C2: expected weights [T, 2]}}
%r:2 = dsv4.route_top_k %v#0, %v#1 {scale = 1.5 : f32} : (tensor<?x8xf32>, !qfmt.weight<8, f32>) -> (tensor<?x2xi32>, tensor<?x3xf32>)

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x8xf32>, tensor<?xi32>, !qfmt.weight<512x2, f32>
// expected-error @+1 {{C1: expected table i64 [V, K]}}
%r:2 = dsv4.route_hash %v#0, %v#1, %v#2 {scale = 1.5 : f32} : (tensor<?x8xf32>, tensor<?xi32>, !qfmt.weight<512x2, f32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>
// expected-error @+1 {{C1: expected x [T, 256] or [T, 2, 256]}}
%r = dsv4.expert_linear %v#0, %v#1, %v#2 : (tensor<?x128xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<128x256, fp4>
// expected-error @+1 {{C1: expected weight [E, N, K]}}
%r = dsv4.expert_linear %v#0, %v#1, %v#2 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<128x256, fp4>) -> tensor<?x2x128xbf16>

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>
// expected-error @+1 {{C2: expected result [T, 2, 128]}}
%r = dsv4.expert_linear %v#0, %v#1, %v#2 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x3x128xbf16>

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x2x128xbf16>, tensor<?x2x64xbf16>, tensor<?x2xf32>
// expected-error @+1 {{C1: expected the result to have the type of gate}}
%r = dsv4.swiglu %v#0, %v#1, %v#2 {limit = 10.0 : f32} : (tensor<?x2x128xbf16>, tensor<?x2x64xbf16>, tensor<?x2xf32>) -> tensor<?x2x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x2x128xbf16>, tensor<?x2x128xbf16>
// expected-error @+1 {{C2: expected weights exactly for gate [T, K, I]}}
%r = dsv4.swiglu %v#0, %v#1 {limit = 10.0 : f32} : (tensor<?x2x128xbf16>, tensor<?x2x128xbf16>) -> tensor<?x2x128xbf16>

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x2x128xbf16>, tensor<?x2x128xbf16>, tensor<?x3xf32>
// expected-error @+1 {{C2: expected weights [T, 2]}}
%r = dsv4.swiglu %v#0, %v#1, %v#2 {limit = 10.0 : f32} : (tensor<?x2x128xbf16>, tensor<?x2x128xbf16>, tensor<?x3xf32>) -> tensor<?x2x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x2x256xbf16>, tensor<?x3xi32>
// expected-error @+1 {{C1: expected ids [T, 2]}}
%r = dsv4.expert_sum %v#0, %v#1 : (tensor<?x2x256xbf16>, tensor<?x3xi32>) -> tensor<?x256xf32>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x2xi32>
// expected-error @+1 {{C1: expected y [T, K, D]}}
%r = dsv4.expert_sum %v#0, %v#1 : (tensor<?x256xbf16>, tensor<?x2xi32>) -> tensor<?x256xf32>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x128xf32>, tensor<?x256xbf16>
// expected-error @+1 {{C1: expected routed [T, 256]}}
%r = dsv4.add_shared %v#0, %v#1 : (tensor<?x128xf32>, tensor<?x256xbf16>) -> tensor<?x256xbf16>

// -----

%v:3 = builtin.unrealized_conversion_cast to tensor<?x8xf32>, tensor<?xi32>, !qfmt.weight<512x2, i64>
// expected-error @+1 {{C2: expected weights [T, 2]}}
%r:2 = dsv4.route_hash %v#0, %v#1, %v#2 {scale = 1.5 : f32} : (tensor<?x8xf32>, tensor<?xi32>, !qfmt.weight<512x2, i64>) -> (tensor<?x2xi32>, tensor<?x3xf32>)
