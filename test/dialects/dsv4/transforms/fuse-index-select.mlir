// RUN: dsv4-opt %s --split-input-file --pass-pipeline="builtin.module(dsv4.model(dsv4-fuse-index-select))" | FileCheck %s
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Indexer score and top-k become one op; the score matrix disappears.

// CHECK: dsv4.index_select
// CHECK-SAME: k = 16
// CHECK-SAME: trace = ["topk"]
// CHECK-NOT: dsv4.index_score
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %q = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
  %wr = builtin.unrealized_conversion_cast to tensor<?x4xbf16>
  %s = dsv4.state "i" : <index_entries, 4, 128, #qfmt.rows<128, fp4>>
  %w = dsv4.scale_weights %wr {factor = 0.5 : f32} : (tensor<?x4xbf16>) -> tensor<?x4xbf16>
  %sc = dsv4.index_score %q, %w, %positions, %s : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x?xbf16>
  %ids = dsv4.top_k %sc, %positions {k = 16 : i64, ratio = 4 : i64, trace = ["topk"]} : (tensor<?x?xbf16>, tensor<?xi32>) -> tensor<?x16xi32>
  %u_ids = builtin.unrealized_conversion_cast %ids : tensor<?x16xi32> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// Another ratio than that of the entries: left alone.
// CHECK-NOT: dsv4.index_select
// CHECK: dsv4.index_score
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %q = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
  %wr = builtin.unrealized_conversion_cast to tensor<?x4xbf16>
  %s = dsv4.state "i" : <index_entries, 4, 128, #qfmt.rows<128, fp4>>
  %w = dsv4.scale_weights %wr {factor = 0.5 : f32} : (tensor<?x4xbf16>) -> tensor<?x4xbf16>
  %sc = dsv4.index_score %q, %w, %positions, %s : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x?xbf16>
  %ids = dsv4.top_k %sc, %positions {k = 16 : i64, ratio = 8 : i64, trace = ["topk"]} : (tensor<?x?xbf16>, tensor<?xi32>) -> tensor<?x16xi32>
  %u_ids = builtin.unrealized_conversion_cast %ids : tensor<?x16xi32> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}

// -----

// Scores with another user: left alone.
// CHECK-NOT: dsv4.index_select
// CHECK: dsv4.top_k
// CHECK: dsv4.return
dsv4.model @m attributes {config = {}, identity = "test"} {
^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):
  %q = builtin.unrealized_conversion_cast to tensor<?x4x128xbf16>
  %wr = builtin.unrealized_conversion_cast to tensor<?x4xbf16>
  %s = dsv4.state "i" : <index_entries, 4, 128, #qfmt.rows<128, fp4>>
  %w = dsv4.scale_weights %wr {factor = 0.5 : f32} : (tensor<?x4xbf16>) -> tensor<?x4xbf16>
  %sc = dsv4.index_score %q, %w, %positions, %s : (tensor<?x4x128xbf16>, tensor<?x4xbf16>, tensor<?xi32>, !dsv4.state<index_entries, 4, 128, #qfmt.rows<128, fp4>>) -> tensor<?x?xbf16>
  %ids = dsv4.top_k %sc, %positions {k = 16 : i64, ratio = 4 : i64, trace = ["topk"]} : (tensor<?x?xbf16>, tensor<?xi32>) -> tensor<?x16xi32>
  %u_ids = builtin.unrealized_conversion_cast %ids : tensor<?x16xi32> to !qfmt.weight<1, f32>
  %u_sc = builtin.unrealized_conversion_cast %sc : tensor<?x?xbf16> to !qfmt.weight<1, f32>
  %l = builtin.unrealized_conversion_cast to tensor<?x512xf32>
  dsv4.return %l : tensor<?x512xf32>
}
