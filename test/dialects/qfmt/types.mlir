// RUN: dsv4-opt %s --verify-roundtrip | FileCheck %s
// RUN: kern-opt %s --verify-roundtrip | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stored formats: text round trip, under both tools.

// CHECK: !qfmt.weight<1024x4096, fp8>
// CHECK: !qfmt.weight<256x2048x4096, fp4>
// CHECK: !qfmt.weight<4096, bf16>
// CHECK: !qfmt.weight<24x16384, f32>
// CHECK: !qfmt.weight<129280x6, i64>
%a:5 = builtin.unrealized_conversion_cast to !qfmt.weight<1024x4096, fp8>,
  !qfmt.weight<256x2048x4096, fp4>, !qfmt.weight<4096, bf16>,
  !qfmt.weight<24x16384, f32>, !qfmt.weight<129280x6, i64>
// CHECK: #qfmt.rows<512, fp8_rope, 64>
// CHECK-SAME: #qfmt.rows<128, fp4>
%b = builtin.unrealized_conversion_cast to tensor<1xi32>
  {a = #qfmt.rows<512, fp8_rope, 64>, b = #qfmt.rows<128, fp4>}
