// RUN: dsv4-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(kern.program(cuda-assign-packing))' | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in tiles of 64 rows, each at a line of 128 bytes, a stack with room for its
// escapes in every expert; what is no product as in the checkpoint.
// CHECK-LABEL: kern.program @places
// CHECK: kern.weight "norm.weight" {bytes = 512 : i64, offset = 0 : i64, packing = #kern.packing<raw>}
// CHECK: kern.weight "wq.weight"{{.*}}offset = 512 : i64, packing = #kern.packing<tile64>}
kern.program @places attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 1 : i64,
    experts_per_token = 2 : i64} {
  %n = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %w = kern.weight "wq.weight" scale "wq.scale" : !qfmt.weight<128x256, fp8>
  %r = kern.buffer "raw" : <token, 256, bf16>
  %q = kern.buffer "yq" : <token, 256, bf16>
  %y = kern.buffer "y" : <output, 128, f32>
  %z = kern.buffer "z" : <token, 128, bf16>
  kern.norm_quant "norm" raw(%r : !kern.buffer<token, 256, bf16>)
    weight(%n : !qfmt.weight<256, bf16>)
    yq(%q : !kern.buffer<token, 256, bf16>) {eps = 1.0e-6 : f32}
  kern.linear "wq" tokens {
    %q, %w, %z groups 1 : !kern.buffer<token, 256, bf16>,
      !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
  }
  kern.return %y : <output, 128, f32>
}

// -----

kern.program @unread attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 1 : i64,
    experts_per_token = 2 : i64} {
  // expected-error @+1 {{no phase reads lost.weight}}
  %n = kern.weight "lost.weight" : !qfmt.weight<256, bf16>
  %y = kern.buffer "y" : <output, 128, f32>
  kern.return %y : <output, 128, f32>
}
