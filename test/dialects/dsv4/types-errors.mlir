// RUN: dsv4-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// State types and rotary attributes that are refused.

// expected-error @+1 {{C1: expected positive extent and width, got 0 and 128}}
%s = dsv4.state "a" : <window, 0, 128, #qfmt.rows<128, fp8_rope, 64>>

// -----

// expected-error @+1 {{C2: expected no row format for a carry}}
%s = dsv4.state "a" : <carry, 8, 128, #qfmt.rows<128, fp4>>

// -----

// expected-error @+1 {{C2: expected a row format of width 256}}
%s = dsv4.state "a" : <entries, 4, 256, #qfmt.rows<128, fp8_rope, 64>>

// -----

// expected-error @+1 {{C3: expected fp4 rows exactly for index_entries}}
%s = dsv4.state "a" : <entries, 4, 128, #qfmt.rows<128, fp4>>

// -----

// expected-error @+1 {{C1: expected positive even dims and positive theta, got 63 and 10000}}
%x = builtin.unrealized_conversion_cast to tensor<?xi32> {r = #dsv4.rope<dims = 63, theta = 10000>}

// -----

// expected-error @+1 {{C2: expected positive original, beta_fast and beta_slow with a factor}}
%x = builtin.unrealized_conversion_cast to tensor<?xi32> {r = #dsv4.rope<dims = 64, theta = 10000, factor = 16>}

// -----

// expected-error @+1 {{C2: expected a row format of width 128}}
%s = dsv4.state "a" : <window, 64, 128>

// -----

// expected-error @+1 {{C3: expected fp4 rows exactly for index_entries}}
%s = dsv4.state "a" : <index_entries, 4, 128, #qfmt.rows<128, fp8_rope, 64>>

// -----

// expected-error @+1 {{C1: expected positive even dims and positive theta, got 64 and 0}}
%x = builtin.unrealized_conversion_cast to tensor<?xi32> {r = #dsv4.rope<dims = 64, theta = 0>}
