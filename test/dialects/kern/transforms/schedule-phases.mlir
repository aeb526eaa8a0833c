// RUN: kern-opt %s --kern-schedule-phases | FileCheck %s
// RUN: kern-opt %s --kern-schedule-phases=claim-bytes=256 | FileCheck %s --check-prefix=SMALL
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// quantize: tokens x 256 / 128 = 2 items; one reads 512 / 2 = 256 bytes, so a
// claim of 16384 would take 64, capped at the 2 of a token; a claim of 256
// takes one. linear: ceil(24 / 16) = 2 tiles of 8192 bytes of weights: 16384 /
// (8192 + 512 / 2) = 1. index_score: blocks of 256 entries, claimed one by one.
// Scratch: the linear's accumulators 16 tokens x 16 rows x 4 = 1024; the last
// phase states 4000 + 100 per block, rounded up to 4032 + 128.

// CHECK-LABEL: kern.program @p
// CHECK-SAME: num_phases = 4 : i64
// CHECK-SAME: scratch_bytes = #kern.affine<960064, 128>
// CHECK: kern.quantize "q" {{.*}}#kern.schedule<phase = 0, rule = tokens, factor = 2, operand = 0, ratio = 0, block = 0, grain = 2>
// CHECK: #kern.schedule<phase = 1, rule = one, factor = 2, operand = 0, ratio = 0, block = 0, grain = 1>
// CHECK: kern.index_score {{.*}}#kern.schedule<phase = 2, rule = entries, factor = 1, operand = 0, ratio = 4, block = 256, grain = 1>
// CHECK: kern.quantize "scratchy" {{.*}}phase = 3
// SMALL: kern.quantize "q" {{.*}}grain = 1>
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %y = kern.buffer "y" : <token, 256, bf16>
  %y24 = kern.buffer "y24" : <token, 24, bf16>
  %iq = kern.buffer "iq" : <token, 512, bf16>
  %iw = kern.buffer "iw" : <token, 4, bf16>
  %s = kern.buffer "s" : <token, 0 + 32 per_block, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  %b = kern.weight "b" : !qfmt.weight<24x256, bf16>
  %ix = kern.state "ix" : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  kern.quantize "q" x(%x : !kern.buffer<token, 256, bf16>)
    xq(%y : !kern.buffer<token, 256, bf16>)
  kern.linear "l.b" tokens {
    %y, %b, %y24 groups 1 : !kern.buffer<token, 256, bf16>,
      !qfmt.weight<24x256, bf16>, !kern.buffer<token, 24, bf16>
  }
  kern.index_score "s" q(%iq : !kern.buffer<token, 512, bf16>)
    weights(%iw : !kern.buffer<token, 4, bf16>)
    entries(%ix : !kern.state<index_entries, ratio = 4, #qfmt.rows<128, fp4>>)
    scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>)
    {heads = 4 : i64, factor = 0.04 : f32}
  kern.quantize "scratchy" x(%x : !kern.buffer<token, 256, bf16>)
    xq(%y : !kern.buffer<token, 256, bf16>) {scratch = #kern.affine<960010, 100>}
  kern.return %logits : <output, 512, f32>
}
