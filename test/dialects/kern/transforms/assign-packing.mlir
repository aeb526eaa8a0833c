// RUN: kern-opt %s --kern-assign-packing | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes of a tile of 16 rows with K = 256 inputs, and of the weight:
//   b  bf16 K x 32 = 8192; 24 rows are 2 tiles (8 zero rows)     = 16384
//   f  fp8  64 (two scale bytes, padded) + 2 x 2048 = 4160; 8 tiles = 33280
//   e  fp4  2 x (16 x 64 + 64) = 2176; 8 tiles x 8 experts          = 139264
//   n  raw  128 x 2                                              = 256
// Offsets add up: 0, 16384, 49664, 188928; the end is 189184.

// CHECK-LABEL: kern.program @p
// CHECK-SAME: weight_bytes = 189184 : i64
// CHECK: kern.weight "b" {bytes = 16384 : i64, offset = 0 : i64, packing = #kern.packing<tile16>}
// CHECK: kern.weight "f" scale "f.scale" {bytes = 33280 : i64, offset = 16384 : i64, packing = #kern.packing<tile16>}
// CHECK: kern.weight "e.{e}" scale "e.{e}.scale" {bytes = 139264 : i64, offset = 49664 : i64, packing = #kern.packing<tile16>}
// CHECK: kern.weight "n" {bytes = 256 : i64, offset = 188928 : i64, packing = #kern.packing<raw>}
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %y24 = kern.buffer "y24" : <token, 24, bf16>
  %y128 = kern.buffer "y128" : <token, 128, bf16>
  %lists = kern.buffer "lists" : <program, 50, i32>
  %g = kern.buffer "g" : <slot, 128, bf16>
  %raw = kern.buffer "raw" : <token, 128, bf16>
  %yn = kern.buffer "yn" : <token, 128, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  %b = kern.weight "b" : !qfmt.weight<24x256, bf16>
  %f = kern.weight "f"
    scale "f.scale" : !qfmt.weight<128x256, fp8>
  %e = kern.weight "e.{e}"
    scale "e.{e}.scale" : !qfmt.weight<8x128x256, fp4>
  %n = kern.weight "n" : !qfmt.weight<128, bf16>
  kern.linear "l.b" tokens {
    %x, %b, %y24 groups 1 : !kern.buffer<token, 256, bf16>,
      !qfmt.weight<24x256, bf16>, !kern.buffer<token, 24, bf16>
  }
  kern.linear "l.f" tokens {
    %x, %f, %y128 groups 1 : !kern.buffer<token, 256, bf16>,
      !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
  }
  kern.expert_linear "e" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 50, i32>)
    w(%e : !qfmt.weight<8x128x256, fp4>) y(%g : !kern.buffer<slot, 128, bf16>)
  kern.norm_quant "n" raw(%raw : !kern.buffer<token, 128, bf16>)
    weight(%n : !qfmt.weight<128, bf16>) y(%yn : !kern.buffer<token, 128, bf16>)
    {eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}
