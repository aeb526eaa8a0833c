// RUN: kern-opt %s --kern-plan-buffers | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps of 16 tokens, at most 2 context blocks. Bytes: wide, wide2 16 x 512 x 2
// = 16384; a, b, c, d 16 x 256 x 2 = 8192; logits 4 x 512 x 4 = 8192; ids, ids2
// 16 x 16 x 4 = 1024; s, s2 16 x 32 x 2 = 1024 per block.
//
// Fixed sizes first, largest first. wide (alive in phase 0) at 0, wide2 (0)
// behind it at 16384. a (1) meets neither: 0. b (1-2) meets a: 8192. c (2-3)
// meets b at 8192..16384: the 8192 bytes below it fit exactly. d (3) meets c:
// 8192. logits (7, the return) meets nothing: 0. ids (4-5) and ids2 (6): 0.
// Then what grows: s (4-6) meets ids and ids2 at 0..1024: 1024, at every
// context. s2 (5) meets ids and s: behind s at 1024 + 1024 per block.
//
// Peak: with one block the largest end is wide2's 32768 (s2 ends at 1024 + 2 x
// 1024 = 3072), with two still 32768: nothing to add per block.

// CHECK-LABEL: kern.program @p
// CHECK-SAME: buffer_bytes = #kern.affine<32768, 0>
// CHECK-NEXT: "a" {bytes = #kern.affine<8192, 0>, lifetime = array<i64: 1, 1>, offset = #kern.affine<0, 0>}
// CHECK-NEXT: "b" {bytes = #kern.affine<8192, 0>, lifetime = array<i64: 1, 2>, offset = #kern.affine<8192, 0>}
// CHECK-NEXT: "c" {bytes = #kern.affine<8192, 0>, lifetime = array<i64: 2, 3>, offset = #kern.affine<0, 0>}
// CHECK-NEXT: "d" {bytes = #kern.affine<8192, 0>, lifetime = array<i64: 3, 3>, offset = #kern.affine<8192, 0>}
// CHECK-NEXT: "wide" {bytes = #kern.affine<16384, 0>, lifetime = array<i64: 0, 0>, offset = #kern.affine<0, 0>}
// CHECK-NEXT: "wide2" {bytes = #kern.affine<16384, 0>, lifetime = array<i64: 0, 0>, offset = #kern.affine<16384, 0>}
// CHECK-NEXT: "s" {bytes = #kern.affine<0, 1024>, lifetime = array<i64: 4, 6>, offset = #kern.affine<1024, 0>}
// CHECK-NEXT: "s2" {bytes = #kern.affine<0, 1024>, lifetime = array<i64: 5, 5>, offset = #kern.affine<1024, 1024>}
// CHECK-NEXT: "ids" {bytes = #kern.affine<1024, 0>, lifetime = array<i64: 4, 5>, offset = #kern.affine<0, 0>}
// CHECK-NEXT: "ids2" {bytes = #kern.affine<1024, 0>, lifetime = array<i64: 6, 6>, offset = #kern.affine<0, 0>}
// CHECK-NEXT: "logits" {bytes = #kern.affine<8192, 0>, lifetime = array<i64: 7, 7>, offset = #kern.affine<0, 0>}
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %a = kern.buffer "a" : <token, 256, bf16>
  %b = kern.buffer "b" : <token, 256, bf16>
  %c = kern.buffer "c" : <token, 256, bf16>
  %d = kern.buffer "d" : <token, 256, bf16>
  %wide = kern.buffer "wide" : <token, 512, bf16>
  %wide2 = kern.buffer "wide2" : <token, 512, bf16>
  %unused = kern.buffer "unused" : <token, 512, bf16>
  %s = kern.buffer "s" : <token, 0 + 32 per_block, bf16>
  %s2 = kern.buffer "s2" : <token, 0 + 32 per_block, bf16>
  %ids = kern.buffer "ids" : <token, 16, i32>
  %ids2 = kern.buffer "ids2" : <token, 16, i32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.quantize "0" x(%wide : !kern.buffer<token, 512, bf16>)
    xq(%wide2 : !kern.buffer<token, 512, bf16>)
  kern.quantize "1" x(%a : !kern.buffer<token, 256, bf16>)
    xq(%b : !kern.buffer<token, 256, bf16>)
  kern.quantize "2" x(%b : !kern.buffer<token, 256, bf16>)
    xq(%c : !kern.buffer<token, 256, bf16>)
  kern.quantize "3" x(%c : !kern.buffer<token, 256, bf16>)
    xq(%d : !kern.buffer<token, 256, bf16>)
  kern.top_k "4"
    scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.top_k "5"
    scores(%s2 : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.top_k "6"
    scores(%s : !kern.buffer<token, 0 + 32 per_block, bf16>)
    ids(%ids2 : !kern.buffer<token, 16, i32>) {k = 16 : i64, ratio = 4 : i64}
  kern.return %logits : <output, 512, f32>
}
