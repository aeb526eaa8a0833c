// RUN: dsv4-opt %s --lower-dsv4-to-kern --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the lowering refuses.

dsv4.model @m attributes {config = {max_position_embeddings = 256 : i64},
                          identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %w = dsv4.weight "embed.weight" : !qfmt.weight<512x256, bf16>
  %x = dsv4.embed %tokens, %w : (tensor<?xi32>, !qfmt.weight<512x256, bf16>)
    -> tensor<?x256xbf16>
  %X = dsv4.expand_streams %x : (tensor<?x256xbf16>) -> tensor<?x4x256xbf16>
  %p = dsv4.weight "p" : !qfmt.weight<4x1024, f32>
  %s = dsv4.weight "s" : !qfmt.weight<1, f32>
  %b = dsv4.weight "b" : !qfmt.weight<4, f32>
  // expected-error @+1 {{is outside the fused subset: run the fusion passes before lowering}}
  %pre = dsv4.hc_head_mix %X, %p, %s, %b {hc_eps = 1.0e-6 : f32,
    norm_eps = 1.0e-6 : f32} : (tensor<?x4x256xbf16>, !qfmt.weight<4x1024, f32>,
    !qfmt.weight<1, f32>, !qfmt.weight<4, f32>) -> tensor<?x4xf32>
  %y = dsv4.hc_pre %X, %pre : (tensor<?x4x256xbf16>, tensor<?x4xf32>)
    -> tensor<?x256xbf16>
  %h = dsv4.weight "head.weight" : !qfmt.weight<512x256, bf16>
  %l = dsv4.linear %y, %h : (tensor<?x256xbf16>, !qfmt.weight<512x256, bf16>)
    -> tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// expected-error @+1 {{expected a positive context, got 0}}
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %w = dsv4.weight "embed.weight" : !qfmt.weight<512x256, bf16>
  %x = dsv4.embed %tokens, %w : (tensor<?xi32>, !qfmt.weight<512x256, bf16>)
    -> tensor<?x256xbf16>
  %l = dsv4.linear %x, %w : (tensor<?x256xbf16>, !qfmt.weight<512x256, bf16>)
    -> tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

dsv4.model @m attributes {config = {max_position_embeddings = 256 : i64},
                          identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %w = dsv4.weight "embed.weight" : !qfmt.weight<512x256, bf16>
  // expected-error @+1 {{expected only dsv4.expand_streams to use it}}
  %x = dsv4.embed %tokens, %w : (tensor<?xi32>, !qfmt.weight<512x256, bf16>)
    -> tensor<?x256xbf16>
  %l = dsv4.linear %x, %w : (tensor<?x256xbf16>, !qfmt.weight<512x256, bf16>)
    -> tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// expected-error @+1 {{expected one dsv4.model, got 0}}
module {
}
