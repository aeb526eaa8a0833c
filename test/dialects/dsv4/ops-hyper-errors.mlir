// RUN: dsv4-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One input per constraint of the family "hyper" that fails, and what is said.

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<20x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>
// expected-error @+1 {{C1: expected fn f32 [24, 1024]}}
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<20x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<2, f32>, !qfmt.weight<24, f32>
// expected-error @+1 {{C1: expected scale f32 [3]}}
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<2, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<4, f32>
// expected-error @+1 {{C1: expected base f32 [24]}}
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<4, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>
// expected-error @+1 {{C2: expected pre [T, 4]}}
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x3xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>
// expected-error @+1 {{C2: expected comb [T, 4, 4]}}
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x3x4xf32>)

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>
// expected-error @+1 {{C3: expected 1 to 999 sinkhorn_iters, got 0}}
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 0 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>
// expected-error @+1 {{C1: expected streams [T, C, D]}}
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, tensor<?x3xf32>
// expected-error @+1 {{C1: expected pre [T, 4]}}
%r = dsv4.hc_pre %v#0, %v#1 : (tensor<?x4x256xbf16>, tensor<?x3xf32>) -> tensor<?x256xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, tensor<?x4xf32>
// expected-error @+1 {{C1: expected result [T, 256]}}
%r = dsv4.hc_pre %v#0, %v#1 : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x128xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x3x4xf32>
// expected-error @+1 {{C1: expected comb [T, 4, 4]}}
%r = dsv4.hc_post %v#0, %v#1, %v#2, %v#3 : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x3x4xf32>) -> tensor<?x4x256xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x128xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>
// expected-error @+1 {{C1: expected out [T, 256]}}
%r = dsv4.hc_post %v#0, %v#1, %v#2, %v#3 : (tensor<?x128xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>) -> tensor<?x4x256xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>
// expected-error @+1 {{C1: expected the result to have the type of streams}}
%r = dsv4.hc_post %v#0, %v#1, %v#2, %v#3 : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>) -> tensor<?x2x256xbf16>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>
// expected-error @+1 {{C1: expected fn f32 [4, 1024]}}
%r = dsv4.hc_head_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>) -> tensor<?x4xf32>

// -----

%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<4x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>
// expected-error @+1 {{C2: expected pre [T, 4]}}
%r = dsv4.hc_head_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32} : (tensor<?x4x256xbf16>, !qfmt.weight<4x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>) -> tensor<?x3xf32>
