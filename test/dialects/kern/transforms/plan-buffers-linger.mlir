// RUN: kern-opt %s --kern-plan-buffers | FileCheck %s --check-prefix=NONE
// RUN: kern-opt %s --kern-plan-buffers=linger=1 | FileCheck %s --check-prefix=ONE
// RUN: kern-opt %s --kern-plan-buffers=linger=2 | FileCheck %s --check-prefix=TWO
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A chain of buffers of 8192 bytes, each alive in two phases. Without lingering
// every second one has the same room; with one phase more every third, with two
// every fourth. The lifetimes say what uses them.

// NONE: buffer_bytes = #kern.affine<16384, 0>
// NONE: "a"{{.*}}lifetime = array<i64: 0, 0>, offset = #kern.affine<0, 0>
// NONE: "b"{{.*}}lifetime = array<i64: 0, 1>, offset = #kern.affine<8192, 0>
// NONE: "c"{{.*}}lifetime = array<i64: 1, 2>, offset = #kern.affine<0, 0>
// NONE: "d"{{.*}}lifetime = array<i64: 2, 3>, offset = #kern.affine<8192, 0>
// ONE: buffer_bytes = #kern.affine<24576, 0>
// ONE: "a"{{.*}}lifetime = array<i64: 0, 0>, offset = #kern.affine<0, 0>
// ONE: "b"{{.*}}lifetime = array<i64: 0, 1>, offset = #kern.affine<8192, 0>
// ONE: "c"{{.*}}lifetime = array<i64: 1, 2>, offset = #kern.affine<16384, 0>
// ONE: "d"{{.*}}lifetime = array<i64: 2, 3>, offset = #kern.affine<0, 0>
// TWO: buffer_bytes = #kern.affine<32768, 0>
// TWO: "d"{{.*}}lifetime = array<i64: 2, 3>, offset = #kern.affine<24576, 0>
kern.program @p attributes {max_context = 128 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %a = kern.buffer "a" : <token, 256, bf16>
  %b = kern.buffer "b" : <token, 256, bf16>
  %c = kern.buffer "c" : <token, 256, bf16>
  %d = kern.buffer "d" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 8, f32>
  kern.quantize "0" x(%a : !kern.buffer<token, 256, bf16>)
    xq(%b : !kern.buffer<token, 256, bf16>)
  kern.quantize "1" x(%b : !kern.buffer<token, 256, bf16>)
    xq(%c : !kern.buffer<token, 256, bf16>)
  kern.quantize "2" x(%c : !kern.buffer<token, 256, bf16>)
    xq(%d : !kern.buffer<token, 256, bf16>)
  kern.quantize "3" x(%d : !kern.buffer<token, 256, bf16>)
    xq(%d : !kern.buffer<token, 256, bf16>)
  kern.return %logits : <output, 8, f32>
}
