// RUN: dsv4-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: dsv4-opt %s --split-input-file | dsv4-opt --split-input-file | FileCheck %s
// RUN: dsv4-opt %s --split-input-file --mlir-print-op-generic | dsv4-opt --split-input-file | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the family "hyper": each verifies and survives a round trip through text
// and bytecode.

// CHECK: dsv4.hc_mix
%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>
%r:3 = dsv4.hc_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)

// -----

// CHECK: dsv4.hc_pre
%v:2 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, tensor<?x4xf32>
%r = dsv4.hc_pre %v#0, %v#1 : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x256xbf16>

// -----

// CHECK: dsv4.hc_post
%v:4 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>
%r = dsv4.hc_post %v#0, %v#1, %v#2, %v#3 : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>) -> tensor<?x4x256xbf16>

// -----

// CHECK: dsv4.hc_head_mix
%v:4 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>, !qfmt.weight<4x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>
%r = dsv4.hc_head_mix %v#0, %v#1, %v#2, %v#3 {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32} : (tensor<?x4x256xbf16>, !qfmt.weight<4x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>) -> tensor<?x4xf32>
