// RUN: dsv4-opt %s --split-input-file --pass-pipeline="builtin.module(dsv4.model(dsv4-fuse-hyper-boundary))" | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The end of a sublayer and the start of the next become one op; trace names stay.

// CHECK: hc_boundary
// CHECK-SAME: trace = ["streams", "post", "comb", "in"]
// CHECK-NOT: dsv4.hc_mix
// CHECK-NOT: dsv4.hc_post
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %out = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %s0 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>
  %p0 = builtin.unrealized_conversion_cast to tensor<?x4xf32>
  %c0 = builtin.unrealized_conversion_cast to tensor<?x4x4xf32>
  %s1 = dsv4.hc_post %out, %s0, %p0, %c0 {trace = ["streams"]} : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>) -> tensor<?x4x256xbf16>
  %fn = builtin.unrealized_conversion_cast to !qfmt.weight<24x1024, f32>
  %sc = builtin.unrealized_conversion_cast to !qfmt.weight<3, f32>
  %ba = builtin.unrealized_conversion_cast to !qfmt.weight<24, f32>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<256, bf16>
  %pre, %post1, %comb1 = dsv4.hc_mix %s1, %fn, %sc, %ba {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64, trace = ["pre", "post", "comb"]} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)
  %y = dsv4.hc_pre %s1, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x256xbf16>
  %x = dsv4.rms_norm %y, %nw {eps = 1.0e-6 : f32, trace = ["in"]} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>
  %u_x = builtin.unrealized_conversion_cast %x : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %u_post1 = builtin.unrealized_conversion_cast %post1 : tensor<?x4xf32> to !qfmt.weight<1, f32>
  %u_comb1 = builtin.unrealized_conversion_cast %comb1 : tensor<?x4x4xf32> to !qfmt.weight<1, f32>
  %u_s1 = builtin.unrealized_conversion_cast %s1 : tensor<?x4x256xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// The first sublayer has no post before it.
// CHECK: dsv4.hc_entry
// CHECK-NOT: dsv4.hc_pre
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %s1 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>
  %fn = builtin.unrealized_conversion_cast to !qfmt.weight<24x1024, f32>
  %sc = builtin.unrealized_conversion_cast to !qfmt.weight<3, f32>
  %ba = builtin.unrealized_conversion_cast to !qfmt.weight<24, f32>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<256, bf16>
  %pre, %post1, %comb1 = dsv4.hc_mix %s1, %fn, %sc, %ba {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64, trace = ["pre", "post", "comb"]} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)
  %y = dsv4.hc_pre %s1, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x256xbf16>
  %x = dsv4.rms_norm %y, %nw {eps = 1.0e-6 : f32, trace = ["in"]} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>
  %u_x = builtin.unrealized_conversion_cast %x : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// CHECK: dsv4.hc_exit
// CHECK-NOT: dsv4.hc_post
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %out = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %s0 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>
  %p0 = builtin.unrealized_conversion_cast to tensor<?x4xf32>
  %c0 = builtin.unrealized_conversion_cast to tensor<?x4x4xf32>
  %s1 = dsv4.hc_post %out, %s0, %p0, %c0 {trace = ["streams"]} : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>) -> tensor<?x4x256xbf16>
  %fn = builtin.unrealized_conversion_cast to !qfmt.weight<4x1024, f32>
  %sc = builtin.unrealized_conversion_cast to !qfmt.weight<1, f32>
  %ba = builtin.unrealized_conversion_cast to !qfmt.weight<4, f32>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<256, bf16>
  %pre = dsv4.hc_head_mix %s1, %fn, %sc, %ba {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32} : (tensor<?x4x256xbf16>, !qfmt.weight<4x1024, f32>, !qfmt.weight<1, f32>, !qfmt.weight<4, f32>) -> tensor<?x4xf32>
  %y = dsv4.hc_pre %s1, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x256xbf16>
  %x = dsv4.rms_norm %y, %nw {eps = 1.0e-6 : f32} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>
  %u_x = builtin.unrealized_conversion_cast %x : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// Another epsilon in the norm: left alone.
// CHECK-NOT: dsv4.hc_entry
// CHECK: dsv4.hc_mix
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %s1 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>
  %fn = builtin.unrealized_conversion_cast to !qfmt.weight<24x1024, f32>
  %sc = builtin.unrealized_conversion_cast to !qfmt.weight<3, f32>
  %ba = builtin.unrealized_conversion_cast to !qfmt.weight<24, f32>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<256, bf16>
  %pre, %post1, %comb1 = dsv4.hc_mix %s1, %fn, %sc, %ba {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64, trace = ["pre", "post", "comb"]} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)
  %y = dsv4.hc_pre %s1, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x256xbf16>
  %x = dsv4.rms_norm %y, %nw {eps = 1.0e-5 : f32, trace = ["in"]} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>
  %u_x = builtin.unrealized_conversion_cast %x : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// pre with another user: left alone.
// CHECK-NOT: dsv4.hc_entry
// CHECK: dsv4.hc_mix
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %s1 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>
  %fn = builtin.unrealized_conversion_cast to !qfmt.weight<24x1024, f32>
  %sc = builtin.unrealized_conversion_cast to !qfmt.weight<3, f32>
  %ba = builtin.unrealized_conversion_cast to !qfmt.weight<24, f32>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<256, bf16>
  %pre, %post1, %comb1 = dsv4.hc_mix %s1, %fn, %sc, %ba {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64, trace = ["pre", "post", "comb"]} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)
  %y = dsv4.hc_pre %s1, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x256xbf16>
  %x = dsv4.rms_norm %y, %nw {eps = 1.0e-6 : f32, trace = ["in"]} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>
  %u_x = builtin.unrealized_conversion_cast %x : tensor<?x256xbf16> to !qfmt.weight<1, f32>
  %u_pre = builtin.unrealized_conversion_cast %pre : tensor<?x4xf32> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// The streams are read before the norm, where the fused op would come too late:
// left alone.
// CHECK-NOT: dsv4.hc_boundary
// CHECK: dsv4.hc_post
// CHECK: dsv4.hc_mix
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %out = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
  %s0 = builtin.unrealized_conversion_cast to tensor<?x4x256xbf16>
  %p0 = builtin.unrealized_conversion_cast to tensor<?x4xf32>
  %c0 = builtin.unrealized_conversion_cast to tensor<?x4x4xf32>
  %fn = builtin.unrealized_conversion_cast to !qfmt.weight<24x1024, f32>
  %sc = builtin.unrealized_conversion_cast to !qfmt.weight<3, f32>
  %ba = builtin.unrealized_conversion_cast to !qfmt.weight<24, f32>
  %nw = builtin.unrealized_conversion_cast to !qfmt.weight<256, bf16>
  %s1 = dsv4.hc_post %out, %s0, %p0, %c0 : (tensor<?x256xbf16>, tensor<?x4x256xbf16>, tensor<?x4xf32>, tensor<?x4x4xf32>) -> tensor<?x4x256xbf16>
  %u = builtin.unrealized_conversion_cast %s1 : tensor<?x4x256xbf16> to !qfmt.weight<1, f32>
  %pre, %post1, %comb1 = dsv4.hc_mix %s1, %fn, %sc, %ba {hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32, sinkhorn_iters = 20 : i64} : (tensor<?x4x256xbf16>, !qfmt.weight<24x1024, f32>, !qfmt.weight<3, f32>, !qfmt.weight<24, f32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4x4xf32>)
  %y = dsv4.hc_pre %s1, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>) -> tensor<?x256xbf16>
  %x = dsv4.rms_norm %y, %nw {eps = 1.0e-6 : f32} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x256xbf16>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
