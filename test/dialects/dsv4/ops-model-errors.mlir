// RUN: dsv4-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One input per constraint of the family "model" that fails, and what is said.

%v:2 = builtin.unrealized_conversion_cast to tensor<?xi32>, !qfmt.weight<512x256, bf16>
// expected-error @+1 {{C1: expected result [T, 256]}}
%r = dsv4.embed %v#0, %v#1 : (tensor<?xi32>, !qfmt.weight<512x256, bf16>) -> tensor<?x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?xi32>, !qfmt.weight<512x256, f32>
// expected-error @+1 {{C1: expected table bf16 [V, D]}}
%r = dsv4.embed %v#0, %v#1 : (tensor<?xi32>, !qfmt.weight<512x256, f32>) -> tensor<?x256xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
// expected-error @+1 {{C1: expected result [T, C, D] of x [T, D]}}
%r = dsv4.expand_streams %v : (tensor<?x256xbf16>) -> tensor<?x4x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<128, bf16>
// expected-error @+1 {{C1: expected weight bf16 [256]}}
%r = dsv4.rms_norm %v#0, %v#1 {eps = 1.0e-6 : f32} : (tensor<?x256xbf16>, !qfmt.weight<128, bf16>) -> tensor<?x256xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<256, bf16>
// expected-error @+1 {{C1: expected the result to have the type of x}}
%r = dsv4.rms_norm %v#0, %v#1 {eps = 1.0e-6 : f32} : (tensor<?x256xbf16>, !qfmt.weight<256, bf16>) -> tensor<?x128xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x100xbf16>
// expected-error @+1 {{C2: expected a multiple of 128 elements, got 100}}
%r = dsv4.quantize %v : (tensor<?x100xbf16>) -> tensor<?x100xbf16>

// -----

%v = builtin.unrealized_conversion_cast to tensor<?x256xbf16>
// expected-error @+1 {{C1: expected the result}}
%r = dsv4.quantize %v : (tensor<?x256xbf16>) -> tensor<?x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x512xbf16>, !qfmt.weight<128x256, fp8>
// expected-error @+1 {{C1: expected x [T, 256]}}
%r = dsv4.linear %v#0, %v#1 : (tensor<?x512xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x128xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>
// expected-error @+1 {{C2: expected 128 bf16 or f32 values per token}}
%r = dsv4.linear %v#0, %v#1 : (tensor<?x256xbf16>, !qfmt.weight<128x256, fp8>) -> tensor<?x64xbf16>

// -----

%v:2 = builtin.unrealized_conversion_cast to tensor<?x256xbf16>, !qfmt.weight<128, bf16>
// expected-error @+1 {{C1: expected weight [N, K]}}
%r = dsv4.linear %v#0, %v#1 : (tensor<?x256xbf16>, !qfmt.weight<128, bf16>) -> tensor<?x128xbf16>

// -----

// expected-error @+1 {{C1: expected a scale tensor for fp8}}
%w = dsv4.weight "layers.0.attn.wq_a.weight" : !qfmt.weight<128x256, fp8>

// -----

// expected-error @+1 {{C1: expected no scale tensor for bf16}}
%w = dsv4.weight "a.weight" scale "a.scale" : !qfmt.weight<128x256, bf16>

// -----

// expected-error @+1 {{C2: expected {e} in the names exactly for [E, N, K]}}
%w = dsv4.weight "a.weight" : !qfmt.weight<8x128x256, bf16>

// -----

// expected-error @+1 {{C1: expected a name}}
%s = dsv4.state "" : <carry, 8, 1024>

// -----

// expected-error @+1 {{C1: expected arguments (tensor<?xi32>, tensor<?xi32>)}}
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>):
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// expected-error @+1 {{C2: expected dsv4.return at the end}}
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  "test.end"() : () -> ()
}

// -----

dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %l = builtin.unrealized_conversion_cast to tensor<?x512xbf16>
  // expected-error @+1 {{operand #0 must be ranked tensor of 32-bit float values}}
  dsv4.return %l : tensor<?x512xbf16>
}

// -----

dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %l = builtin.unrealized_conversion_cast to tensor<?x2x512xf32>
  // expected-error @+1 {{C1: expected logits [T, V]}}
  dsv4.return %l : tensor<?x2x512xf32>
}
