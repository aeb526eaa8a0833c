// RUN: dsv4-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: dsv4-opt %s --split-input-file | dsv4-opt --split-input-file | FileCheck %s
// RUN: dsv4-opt %s --split-input-file --mlir-print-op-generic | dsv4-opt --split-input-file | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the family "moe": each verifies and survives a round trip through text
// and bytecode.

// CHECK: dsv4.router_scores
%v = builtin.unrealized_conversion_cast to tensor<?x8xf32>
%r = dsv4.router_scores %v : (tensor<?x8xf32>) -> tensor<?x8xf32>

// -----

// CHECK: dsv4.route_top_k
%v:2 = builtin.unrealized_conversion_cast to tensor<?x8xf32>, !qfmt.weight<8, f32>
%r:2 = dsv4.route_top_k %v#0, %v#1 {scale = 1.5 : f32} : (tensor<?x8xf32>, !qfmt.weight<8, f32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)

// -----

// CHECK: dsv4.route_hash
%v:3 = builtin.unrealized_conversion_cast to tensor<?x8xf32>, tensor<?xi32>, !qfmt.weight<512x2, i64>
%r:2 = dsv4.route_hash %v#0, %v#1, %v#2 {scale = 1.5 : f32} : (tensor<?x8xf32>, tensor<?xi32>, !qfmt.weight<512x2, i64>) -> (tensor<?x2xi32>, tensor<?x2xf32>)

// -----

// CHECK: dsv4.expert_linear
%v:3 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>
%r = dsv4.expert_linear %v#0, %v#1, %v#2 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>

// -----

// CHECK: dsv4.swiglu
%v:3 = builtin.unrealized_conversion_cast to tensor<?x2x128xbf16>, tensor<?x2x128xbf16>, tensor<?x2xf32>
%r = dsv4.swiglu %v#0, %v#1, %v#2 {limit = 10.0 : f32} : (tensor<?x2x128xbf16>, tensor<?x2x128xbf16>, tensor<?x2xf32>) -> tensor<?x2x128xbf16>

// -----

// CHECK: dsv4.expert_sum
%v:2 = builtin.unrealized_conversion_cast to tensor<?x2x256xbf16>, tensor<?x2xi32>
%r = dsv4.expert_sum %v#0, %v#1 : (tensor<?x2x256xbf16>, tensor<?x2xi32>) -> tensor<?x256xf32>

// -----

// CHECK: dsv4.add_shared
%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xf32>, tensor<?x256xbf16>
%r = dsv4.add_shared %v#0, %v#1 : (tensor<?x256xf32>, tensor<?x256xbf16>) -> tensor<?x256xbf16>
