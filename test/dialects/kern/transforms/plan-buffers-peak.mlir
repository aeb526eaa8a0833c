// RUN: kern-opt %s --kern-plan-buffers | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An arena that grows: s (16 x 32 x 2 = 1024 per block, phases 0-1) and s2 (1)
// above ids (0..1024), s at 1024, s2 at 1024 + 1024 per block. Ends: logits 8192
// at every context; s2 1024 + 2048 x blocks, 3072 at one block, 33792 at 16.
// The chord from 8192 (1 block) to 33792 (16) has a slope of 25600 / 15 = 1706.7,
// rounded up to 1728 (a multiple of 64); it starts at 8192 - 1728 = 6464.

// CHECK: buffer_bytes = #kern.affine<6464, 1728>
// CHECK: "s2" {{.*}}offset = #kern.affine<1024, 1024>
kern.program @p attributes {max_context = 2048 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 0 + 32 per_block, bf16>
  %s2 = kern.buffer "s2" : <token, 0 + 32 per_block, bf16>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %ids2 = kern.buffer "ids2" : <token, 16, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.top_k "0"
    scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.top_k "1"
    scores(%s2 : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.top_k "2"
    scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids2 : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.return %logits : <output, 512, f32>
}
