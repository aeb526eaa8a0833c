// RUN: dsv4-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(dsv4.model(dsv4-verify-model))"
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The whole-model contract, V1 to V5 of the pass.

dsv4.model @m attributes {config = {vocab_size = 512 : i64}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %a = dsv4.weight "a.weight" : !qfmt.weight<256, bf16>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %a = dsv4.weight "a.weight" : !qfmt.weight<256, bf16>
  // expected-error @+1 {{V1: expected a.weight once}}
  %b = dsv4.weight "a.weight" : !qfmt.weight<256, bf16>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

dsv4.model @m attributes {config = {vocab_size = 300 : i64}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  // expected-error @+1 {{V2: expected 300 logits, got 512}}
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// expected-error @+1 {{V3: expected 2 hc_post for 1 layers, got 0}}
dsv4.model @m attributes {config = {num_hidden_layers = 1 : i64}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// expected-error @+1 {{V4: expected layer 1 to compress by 4, got 0}}
dsv4.model @m attributes {config = {compress_ratios = array<i64: 0, 4>}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  // expected-error @+1 {{V5: expected w to be written and read}}
  %s = dsv4.state "w" : <window, 64, 128, #qfmt.rows<128, fp8_rope, 64>>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
