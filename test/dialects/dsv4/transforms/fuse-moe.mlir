// RUN: dsv4-opt %s --split-input-file --pass-pipeline="builtin.module(dsv4.model(dsv4-fuse-moe))" | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Router, routed experts and the shared expert become one op.

// CHECK: dsv4.moe
// CHECK-SAME: k = 2
// CHECK-NOT: dsv4.expert_linear
// CHECK-NOT: dsv4.swiglu
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %x = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %g = dsv4.weight "gate.weight" : !qfmt.weight<8x256, bf16>
  %lg = dsv4.linear %x, %g : (tensor<?x256xbf16>, !qfmt.weight<8x256, bf16>) -> tensor<?x8xf32>
  %sc = dsv4.router_scores %lg : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %tb = dsv4.weight "bias" : !qfmt.weight<8, f32>
  %ids, %wt = dsv4.route_top_k %sc, %tb {scale = 1.5 : f32} : (tensor<?x8xf32>, !qfmt.weight<8, f32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %rw1 = dsv4.weight "e.{e}.rw1.weight" scale "e.{e}.rw1.scale" : !qfmt.weight<8x128x256, fp4>
  %rq1 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %r1 = dsv4.expert_linear %rq1, %ids, %rw1 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>
  %rw3 = dsv4.weight "e.{e}.rw3.weight" scale "e.{e}.rw3.scale" : !qfmt.weight<8x128x256, fp4>
  %rq3 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %r3 = dsv4.expert_linear %rq3, %ids, %rw3 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>
  %rh = dsv4.swiglu %r1, %r3, %wt {limit = 10.0 : f32} : (tensor<?x2x128xbf16>, tensor<?x2x128xbf16>, tensor<?x2xf32>) -> tensor<?x2x128xbf16>
  %rhq = dsv4.quantize %rh : (tensor<?x2x128xbf16>) -> tensor<?x2x128xbf16>
  %rw2 = dsv4.weight "e.{e}.rw2.weight" scale "e.{e}.rw2.scale" : !qfmt.weight<8x256x128, fp4>
  %ry = dsv4.expert_linear %rhq, %ids, %rw2 : (tensor<?x2x128xbf16>, tensor<?x2xi32>, !qfmt.weight<8x256x128, fp4>) -> tensor<?x2x256xbf16>
  %sum = dsv4.expert_sum %ry, %ids : (tensor<?x2x256xbf16>, tensor<?x2xi32>) -> tensor<?x256xf32>
  %sw1 = dsv4.weight "s.sw1.weight" scale "s.sw1.scale" : !qfmt.weight<128x256, fp8>
  %sq1 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %s1 = dsv4.linear %sq1, %sw1 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %sw3 = dsv4.weight "s.sw3.weight" scale "s.sw3.scale" : !qfmt.weight<128x256, fp8>
  %sq3 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %s3 = dsv4.linear %sq3, %sw3 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %sh = dsv4.swiglu %s1, %s3 {limit = 10.0 : f32} : (tensor<?x128xbf16>, tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %shq = dsv4.quantize %sh : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %sw2 = dsv4.weight "s.sw2.weight" scale "s.sw2.scale" : !qfmt.weight<256x128, fp8>
  %sy = dsv4.linear %shq, %sw2 : (tensor<?x128xbf16>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>
  %out = dsv4.add_shared %sum, %sy : (tensor<?x256xf32>, tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %u_out = builtin.unrealized_conversion_cast %out : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// By the table of the hash layers.
// CHECK: dsv4.moe
// CHECK-SAME: !qfmt.weight<512x2, i64>
// CHECK-NOT: dsv4.route_hash
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %x = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %g = dsv4.weight "gate.weight" : !qfmt.weight<8x256, bf16>
  %lg = dsv4.linear %x, %g : (tensor<?x256xbf16>, !qfmt.weight<8x256, bf16>) -> tensor<?x8xf32>
  %sc = dsv4.router_scores %lg : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %tb = dsv4.weight "tid2eid" : !qfmt.weight<512x2, i64>
  %ids, %wt = dsv4.route_hash %sc, %tokens, %tb {scale = 1.5 : f32} : (tensor<?x8xf32>, tensor<?xi32>, !qfmt.weight<512x2, i64>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %rw1 = dsv4.weight "e.{e}.rw1.weight" scale "e.{e}.rw1.scale" : !qfmt.weight<8x128x256, fp4>
  %rq1 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %r1 = dsv4.expert_linear %rq1, %ids, %rw1 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>
  %rw3 = dsv4.weight "e.{e}.rw3.weight" scale "e.{e}.rw3.scale" : !qfmt.weight<8x128x256, fp4>
  %rq3 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %r3 = dsv4.expert_linear %rq3, %ids, %rw3 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>
  %rh = dsv4.swiglu %r1, %r3, %wt {limit = 10.0 : f32} : (tensor<?x2x128xbf16>, tensor<?x2x128xbf16>, tensor<?x2xf32>) -> tensor<?x2x128xbf16>
  %rhq = dsv4.quantize %rh : (tensor<?x2x128xbf16>) -> tensor<?x2x128xbf16>
  %rw2 = dsv4.weight "e.{e}.rw2.weight" scale "e.{e}.rw2.scale" : !qfmt.weight<8x256x128, fp4>
  %ry = dsv4.expert_linear %rhq, %ids, %rw2 : (tensor<?x2x128xbf16>, tensor<?x2xi32>, !qfmt.weight<8x256x128, fp4>) -> tensor<?x2x256xbf16>
  %sum = dsv4.expert_sum %ry, %ids : (tensor<?x2x256xbf16>, tensor<?x2xi32>) -> tensor<?x256xf32>
  %sw1 = dsv4.weight "s.sw1.weight" scale "s.sw1.scale" : !qfmt.weight<128x256, fp8>
  %sq1 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %s1 = dsv4.linear %sq1, %sw1 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %sw3 = dsv4.weight "s.sw3.weight" scale "s.sw3.scale" : !qfmt.weight<128x256, fp8>
  %sq3 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %s3 = dsv4.linear %sq3, %sw3 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %sh = dsv4.swiglu %s1, %s3 {limit = 10.0 : f32} : (tensor<?x128xbf16>, tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %shq = dsv4.quantize %sh : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %sw2 = dsv4.weight "s.sw2.weight" scale "s.sw2.scale" : !qfmt.weight<256x128, fp8>
  %sy = dsv4.linear %shq, %sw2 : (tensor<?x128xbf16>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>
  %out = dsv4.add_shared %sum, %sy : (tensor<?x256xf32>, tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %u_out = builtin.unrealized_conversion_cast %out : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// Routing weights with another user: left alone.
// CHECK-NOT: dsv4.moe
// CHECK: dsv4.add_shared
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %x = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %g = dsv4.weight "gate.weight" : !qfmt.weight<8x256, bf16>
  %lg = dsv4.linear %x, %g : (tensor<?x256xbf16>, !qfmt.weight<8x256, bf16>) -> tensor<?x8xf32>
  %sc = dsv4.router_scores %lg : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %tb = dsv4.weight "bias" : !qfmt.weight<8, f32>
  %ids, %wt = dsv4.route_top_k %sc, %tb {scale = 1.5 : f32} : (tensor<?x8xf32>, !qfmt.weight<8, f32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %rw1 = dsv4.weight "e.{e}.rw1.weight" scale "e.{e}.rw1.scale" : !qfmt.weight<8x128x256, fp4>
  %rq1 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %r1 = dsv4.expert_linear %rq1, %ids, %rw1 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>
  %rw3 = dsv4.weight "e.{e}.rw3.weight" scale "e.{e}.rw3.scale" : !qfmt.weight<8x128x256, fp4>
  %rq3 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %r3 = dsv4.expert_linear %rq3, %ids, %rw3 : (tensor<?x256xbf16>, tensor<?x2xi32>, !qfmt.weight<8x128x256, fp4>) -> tensor<?x2x128xbf16>
  %rh = dsv4.swiglu %r1, %r3, %wt {limit = 10.0 : f32} : (tensor<?x2x128xbf16>, tensor<?x2x128xbf16>, tensor<?x2xf32>) -> tensor<?x2x128xbf16>
  %rhq = dsv4.quantize %rh : (tensor<?x2x128xbf16>) -> tensor<?x2x128xbf16>
  %rw2 = dsv4.weight "e.{e}.rw2.weight" scale "e.{e}.rw2.scale" : !qfmt.weight<8x256x128, fp4>
  %ry = dsv4.expert_linear %rhq, %ids, %rw2 : (tensor<?x2x128xbf16>, tensor<?x2xi32>, !qfmt.weight<8x256x128, fp4>) -> tensor<?x2x256xbf16>
  %sum = dsv4.expert_sum %ry, %ids : (tensor<?x2x256xbf16>, tensor<?x2xi32>) -> tensor<?x256xf32>
  %sw1 = dsv4.weight "s.sw1.weight" scale "s.sw1.scale" : !qfmt.weight<128x256, fp8>
  %sq1 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %s1 = dsv4.linear %sq1, %sw1 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %sw3 = dsv4.weight "s.sw3.weight" scale "s.sw3.scale" : !qfmt.weight<128x256, fp8>
  %sq3 = dsv4.quantize %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %s3 = dsv4.linear %sq3, %sw3 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>
  %sh = dsv4.swiglu %s1, %s3 {limit = 10.0 : f32} : (tensor<?x128xbf16>, tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %shq = dsv4.quantize %sh : (tensor<?x128xbf16>) -> tensor<?x128xbf16>
  %sw2 = dsv4.weight "s.sw2.weight" scale "s.sw2.scale" : !qfmt.weight<256x128, fp8>
  %sy = dsv4.linear %shq, %sw2 : (tensor<?x128xbf16>, !qfmt.weight<256x128, fp8>) -> tensor<?x256xbf16>
  %out = dsv4.add_shared %sum, %sy : (tensor<?x256xf32>, tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %u_wt = builtin.unrealized_conversion_cast %wt : tensor<?x2xf32> to !qfmt.weight<1, f32>
  %u_out = builtin.unrealized_conversion_cast %out : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
