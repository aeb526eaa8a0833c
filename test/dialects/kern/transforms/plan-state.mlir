// RUN: kern-opt %s --kern-plan-state | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One layer of each kind of Flash: rows of 512 values are 448 codes + 128 bytes
// of RoPE values + 7 scales = 583, padded to 584 bytes; index rows 64 + 4 = 68.
//
//   window   256 x 584               = 149504 each, two of them
//   carry    8 x 1024 x 2 x 4        =  65536  (ratio 4)
//            128 x 512 x 2 x 4       = 524288  (ratio 128)
//   index    32 entries x 68         =   2176 per block of 128 tokens
//   entries  32 x 584                =  18688 per block (ratio 4)
//             1 x 584                =    584 per block (ratio 128)
//
// Fixed parts come first: 0, 149504 | 299008, 364544 | then at 888832 what
// grows: index at + 0, ratio 4 at + 2176, ratio 128 (rows of 584 bytes, no
// multiple of 64) last at + 2176 + 18688 = 20864; the end is + 21448 per block.

// CHECK-LABEL: kern.program @p
// CHECK-SAME: state_bytes = #kern.affine<888832, 21448>
// CHECK-SAME: state_classes = {carry = #kern.affine<589824, 0>, entries = #kern.affine<0, 19272>, index_entries = #kern.affine<0, 2176>, window = #kern.affine<299008, 0>}
// CHECK: kern.state "hca.entries" {bytes = #kern.affine<0, 584>, offset = #kern.affine<888832, 20864>}
// CHECK: kern.state "csa.window" {bytes = #kern.affine<149504, 0>, offset = #kern.affine<0, 0>}
// CHECK: kern.state "csa.carry" {bytes = #kern.affine<65536, 0>, offset = #kern.affine<299008, 0>}
// CHECK: kern.state "csa.entries" {bytes = #kern.affine<0, 18688>, offset = #kern.affine<888832, 2176>}
// CHECK: kern.state "csa.index" {bytes = #kern.affine<0, 2176>, offset = #kern.affine<888832, 0>}
// CHECK: kern.state "hca.window" {bytes = #kern.affine<149504, 0>, offset = #kern.affine<149504, 0>}
// CHECK: kern.state "hca.carry" {bytes = #kern.affine<524288, 0>, offset = #kern.affine<364544, 0>}
kern.program @p attributes {max_context = 1048576 : i64,
    max_sequences = 1 : i64, max_step_tokens = 128 : i64,
    max_outputs = 1 : i64, experts_per_token = 6 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
  %0 = kern.state "hca.entries"
    : <entries, ratio = 128, #qfmt.rows<512, fp8_rope, 64>>
  %1 = kern.state "csa.window"
    : <window, rows = 256, #qfmt.rows<512, fp8_rope, 64>>
  %2 = kern.state "csa.carry" : <carry, slots = 8, width = 1024>
  %3 = kern.state "csa.entries"
    : <entries, ratio = 4, #qfmt.rows<512, fp8_rope, 64>>
  %4 = kern.state "csa.index"
    : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
  %5 = kern.state "hca.window"
    : <window, rows = 256, #qfmt.rows<512, fp8_rope, 64>>
  %6 = kern.state "hca.carry" : <carry, slots = 128, width = 512>
  kern.return %logits : <output, 512, f32>
}
