// RUN: kern-opt %s --kern-assign-packing --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights that cannot have one layout.

kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{no phase reads w}}
  %w = kern.weight "w" : !qfmt.weight<24x256, bf16>
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 256, bf16>
  %y = kern.buffer "y" : <token, 512, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{phases ask for different layouts of w}}
  %w = kern.weight "w" : !qfmt.weight<512x256, bf16>
  kern.embed "e" table(%w : !qfmt.weight<512x256, bf16>)
    streams(%s : !kern.buffer<token, 256, bf16>)
  kern.linear "l.w" tokens {
    %x, %w, %y groups 1 : !kern.buffer<token, 256, bf16>,
      !qfmt.weight<512x256, bf16>, !kern.buffer<token, 512, bf16>
  }
  kern.return %logits : <output, 512, f32>
}
