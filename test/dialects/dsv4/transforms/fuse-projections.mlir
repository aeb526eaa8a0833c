// RUN: dsv4-opt %s --split-input-file --pass-pipeline="builtin.module(dsv4.model(dsv4-fuse-projections))" | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Projections of one input become one op, which quantises the input once.

// CHECK: dsv4.stacked_linear
// CHECK-SAME: quantized = array<i1: true, false>
// CHECK-SAME: trace = ["a", ""]
// CHECK-NOT: dsv4.quantize
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %x = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %wa = dsv4.weight "a.weight" scale "a.scale" : !qfmt.weight<128x256, fp8>
  %qa = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %a = dsv4.linear %qa, %wa {trace = ["a"]} : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %wb = dsv4.weight "b.weight" : !qfmt.weight<64x256, bf16>
  %b = dsv4.linear %x, %wb : (tensor<?x256xbf16>, !qfmt.weight<64x256, bf16>) -> tensor<?x64xf32>
  %u_a = builtin.unrealized_conversion_cast %a : tensor<?x128xbf16> to !qfmt.weight<1, f32>
  %u_b = builtin.unrealized_conversion_cast %b : tensor<?x64xf32> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// A lone linear stays.
// CHECK-NOT: dsv4.stacked_linear
// CHECK: dsv4.linear
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %x = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %wa = dsv4.weight "a.weight" scale "a.scale" : !qfmt.weight<128x256, fp8>
  %qa = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %a = dsv4.linear %qa, %wa {trace = ["a"]} : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %u_a = builtin.unrealized_conversion_cast %a : tensor<?x128xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// A weight that an earlier linear of another input uses does not move down.
// CHECK: dsv4.weight "b.weight"
// CHECK: dsv4.linear
// CHECK: dsv4.stacked_linear
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %x = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %y = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %wa = dsv4.weight "a.weight" : !qfmt.weight<64x256, bf16>
  %wb = dsv4.weight "b.weight" : !qfmt.weight<64x256, bf16>
  %c = dsv4.linear %y, %wb : (tensor<?x256xbf16>, !qfmt.weight<64x256, bf16>) -> tensor<?x64xf32>
  %a = dsv4.linear %x, %wa : (tensor<?x256xbf16>, !qfmt.weight<64x256, bf16>) -> tensor<?x64xf32>
  %b = dsv4.linear %x, %wb : (tensor<?x256xbf16>, !qfmt.weight<64x256, bf16>) -> tensor<?x64xf32>
  %u:3 = builtin.unrealized_conversion_cast %a, %b, %c : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32> to !qfmt.weight<1, f32>, !qfmt.weight<1, f32>, !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
