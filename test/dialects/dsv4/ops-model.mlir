// RUN: dsv4-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: dsv4-opt %s --split-input-file | dsv4-opt --split-input-file | FileCheck %s
// RUN: dsv4-opt %s --split-input-file --mlir-print-op-generic | dsv4-opt --split-input-file | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the family "model": each verifies and survives a round trip through text
// and bytecode.

// CHECK: dsv4.embed
%v:2 = builtin.unrealized_conversion_cast to tensor<?xi32>, !qfmt.weight<512x256, bf16>
%r = dsv4.embed %v#0, %v#1 : (tensor<?xi32>, !qfmt.weight<512x256, bf16>) -> tensor<?x256xbf16>

// -----

// CHECK: dsv4.expand_streams
%v = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
%r = dsv4.expand_streams %v : (tensor<?x256xbf16>) -> tensor<?x4x256xbf16>

// -----

// CHECK: dsv4.rms_norm
%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<256, bf16>
%r = dsv4.rms_norm %v#0, %v#1 {eps = 1.0e-6 : f32} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>

// -----

// CHECK: dsv4.quantize
%v = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
%r = dsv4.quantize %v : (tensor<?x256xbf16>) -> tensor<?x256xbf16>

// -----

// CHECK: dsv4.linear
%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>
%r = dsv4.linear %v#0, %v#1 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>

// -----

// CHECK: dsv4.weight "layers.0.attn.wq_a.weight" scale "layers.0.attn.wq_a.scale"
%w = dsv4.weight "layers.0.attn.wq_a.weight" scale "layers.0.attn.wq_a.scale"
  : !qfmt.weight<128x256, fp8>
// CHECK: dsv4.weight "e.{e}.w1.weight" scale "e.{e}.w1.scale"
%e = dsv4.weight "e.{e}.w1.weight" scale "e.{e}.w1.scale"
  : !qfmt.weight<8x128x256, fp4>

// -----

// CHECK: dsv4.state "layers.2.attn.carry"
%s = dsv4.state "layers.2.attn.carry" : <carry, 8, 1024>

// -----

// CHECK: dsv4.model @m
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
