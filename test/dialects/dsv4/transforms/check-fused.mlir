// RUN: dsv4-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(dsv4.model(dsv4-check-fused))"
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a lowering does not know is refused by name; the fused subset passes.

dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %e = dsv4.weight "embed.weight" : !qfmt.weight<512x256, bf16>
  %x = dsv4.embed %tokens, %e : (tensor<?xi32>, !qfmt.weight<512x256, bf16>) -> tensor<?x256xbf16>
  %h = dsv4.weight "head.weight" : !qfmt.weight<512x256, bf16>
  %l = dsv4.linear %x, %h : (tensor<?x256xbf16>, !qfmt.weight<512x256, bf16>) -> tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %e = dsv4.weight "embed.weight" : !qfmt.weight<512x256, bf16>
  %x = dsv4.embed %tokens, %e : (tensor<?xi32>, !qfmt.weight<512x256, bf16>) -> tensor<?x256xbf16>
  // expected-error @+1 {{'dsv4.hadamard' op is outside the fused subset}}
  %y = dsv4.hadamard %x : (tensor<?x256xbf16>) -> tensor<?x256xbf16>
  %h = dsv4.weight "head.weight" : !qfmt.weight<512x256, bf16>
  %l = dsv4.linear %y, %h : (tensor<?x256xbf16>, !qfmt.weight<512x256, bf16>) -> tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
