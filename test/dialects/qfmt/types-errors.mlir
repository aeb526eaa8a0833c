// RUN: dsv4-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights and row formats that are refused.

// expected-error @+1 {{C1: expected one to three positive dimensions}}
%a = builtin.unrealized_conversion_cast to !qfmt.weight<0x4, bf16>

// -----

// expected-error @+1 {{C1: expected one to three positive dimensions}}
%a = builtin.unrealized_conversion_cast to !qfmt.weight<1x2x3x4, bf16>

// -----

// expected-error @+1 {{C2: expected at least two dimensions for fp8}}
%a = builtin.unrealized_conversion_cast to !qfmt.weight<128, fp8>

// -----

// expected-error @+1 {{C2: expected K in multiples of 32 for fp4, got 40}}
%a = builtin.unrealized_conversion_cast to !qfmt.weight<16x40, fp4>

// -----

// expected-error @+1 {{C1: expected a positive width, got 0}}
%a = builtin.unrealized_conversion_cast to tensor<1xi32> {a = #qfmt.rows<0, fp4>}

// -----

// expected-error @+1 {{C2: expected even rope dims and a multiple of 64}}
%a = builtin.unrealized_conversion_cast to tensor<1xi32> {a = #qfmt.rows<100, fp8_rope, 64>}

// -----

// expected-error @+1 {{C3: expected a multiple of 32 values and no rope}}
%a = builtin.unrealized_conversion_cast to tensor<1xi32> {a = #qfmt.rows<128, fp4, 64>}

// -----

// expected-error @+1 {{C2: expected at least two dimensions for fp4}}
%a = builtin.unrealized_conversion_cast to !qfmt.weight<128, fp4>

// -----

// No rope dims at all.
// expected-error @+1 {{C2: expected even rope dims and a multiple of 64 other values, got 0 of 128}}
%a = builtin.unrealized_conversion_cast to tensor<1xi32> {a = #qfmt.rows<128, fp8_rope>}

// -----

// Odd ones.
// expected-error @+1 {{C2: expected even rope dims and a multiple of 64 other values, got 63 of 127}}
%a = builtin.unrealized_conversion_cast to tensor<1xi32> {a = #qfmt.rows<127, fp8_rope, 63>}

// -----

// Nothing but rope dims.
// expected-error @+1 {{C2: expected even rope dims and a multiple of 64 other values, got 64 of 64}}
%a = builtin.unrealized_conversion_cast to tensor<1xi32> {a = #qfmt.rows<64, fp8_rope, 64>}

// -----

// expected-error @+1 {{C3: expected a multiple of 32 values and no rope dims for fp4, got 40 and 0}}
%a = builtin.unrealized_conversion_cast to tensor<1xi32> {a = #qfmt.rows<40, fp4>}
