// RUN: %python %S/Inputs/fused_model.py > %t.mlir
// RUN: dsv4-opt %t.mlir --lower-dsv4-to-kern=max-context=1000 | FileCheck %s
// RUN: dsv4-opt %t.mlir --lower-dsv4-to-kern | kern-opt --verify-roundtrip \
// RUN:   | FileCheck %s --check-prefix=CLEAN
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model of three layers (window only, ratio 4, ratio 128) in the order of its
// phases. 1000 tokens of context round up to 8 blocks of 128. Nothing of the
// graph dialect is left: kern-opt, which does not know it, parses the result.

// CLEAN-NOT: dsv4.
// CLEAN: max_context = 4096 : i64

// CHECK: kern.program @model attributes
// CHECK-SAME: experts_per_token = 2 : i64
// CHECK-SAME: max_context = 1024 : i64
// CHECK-SAME: max_outputs = 128 : i64

// One window row more than it needs would do for single tokens; a step of 128
// needs 64 + 128 - 1 = 191 rows, rounded up to 192.
// CHECK: kern.state "layers.0.attn.window" : <window, rows = 576, #qfmt.rows<128, fp8_rope, 64>>
// CHECK: kern.state "layers.1.attn.compressor.carry" : <carry, slots = 8, width = 256>
// CHECK: kern.state "layers.1.attn.indexer.compressor.entries" : <index_entries, ratio = 4, #qfmt.rows<128, fp4>>
// CHECK: kern.state "layers.2.attn.compressor.carry" : <carry, slots = 128, width = 128>

// Layer 0: no compressor; the embedding fills the streams directly.
// CHECK: kern.embed "model.embed"
// CHECK-NEXT: kern.hc_mix "layers.0.attn.hc_mix" streams_in({{[^)]*}}) fn(
// CHECK-NEXT: kern.hc_pre "layers.0.attn.hc_pre" {{.*}} xq(
// CHECK-NEXT: kern.linear "layers.0.attn.wq_a" tokens {
// CHECK: kern.norm_quant "layers.0.attn.norm" raw({{[^)]*}}) weight({{[^)]*}}) yq(
// CHECK-NEXT: kern.linear "layers.0.attn.wq_b"
// CHECK: kern.rope_table "rope.10000"
// CHECK-NEXT: kern.query_heads "layers.0.attn.query_heads"
// CHECK-NEXT: kern.store_kv "layers.0.attn.store_kv"
// CHECK-NEXT: kern.attend "layers.0.attn.attend" {{.*}} window({{[^)]*}}) heads_out(
// CHECK-NEXT: kern.linear "layers.0.attn.wo_a" tokens {
// CHECK-NEXT: groups 2 :
// CHECK: kern.quantize "layers.0.attn.quantize"
// CHECK-NEXT: kern.linear "layers.0.attn.wo_b"
// CHECK: kern.hc_mix "layers.0.ffn.hc_mix" streams_in({{[^)]*}}) out({{[^)]*}}) post({{[^)]*}}) comb({{[^)]*}}) fn({{[^)]*}}) streams_out(
// CHECK-NEXT: kern.hc_pre "layers.0.ffn.hc_pre"

// Gate on the plain input, the shared expert on its quantised copy, in one
// phase. Layer 0 routes by table, the others by biased score.
// CHECK-NEXT: kern.linear "layers.0.ffn.gate_shared_w13" tokens {
// CHECK-NEXT: [[X:%[0-9]+]], %{{[0-9]+}}, %{{[0-9]+}} groups 1 : {{.*}} !kern.buffer<token, 8, f32>
// CHECK-NEXT: [[XQ:%[0-9]+]], %{{[0-9]+}}, %{{[0-9]+}} groups 1 :
// CHECK-NEXT: [[XQ]], %{{[0-9]+}}, %{{[0-9]+}} groups 1 :
// CHECK: kern.route "layers.0.ffn.route" logits({{[^)]*}}) table(
// CHECK-NEXT: kern.dispatch "layers.0.ffn.dispatch" {{.*}} lists({{.*}} : !kern.buffer<program, 1042, i32>) {experts = 8 : i64}
// CHECK-NEXT: kern.expert_linear "layers.0.ffn.experts.w13" x([[XQ]] : {{.*}} w_other(
// CHECK-NEXT: kern.swiglu "layers.0.ffn.experts.swiglu" {{.*}} weights(
// CHECK-NEXT: kern.swiglu "layers.0.ffn.shared.swiglu"
// CHECK-NEXT: kern.expert_linear "layers.0.ffn.experts.w2"
// CHECK-NEXT: kern.linear "layers.0.ffn.shared.w2"
// CHECK: kern.combine "layers.0.ffn.combine"

// Layer 1: all seven projections of one input are one phase; the second rope
// base gets its own table; the carry is written after compress has read it.
// CHECK: kern.linear "layers.1.attn.wq_a" tokens {
// CHECK-COUNT-7: groups 1 :
// CHECK: kern.norm_quant "layers.1.attn.norm"
// CHECK-NEXT: kern.linear "layers.1.attn.wq_b" tokens {
// CHECK-COUNT-2: groups 1 :
// CHECK: kern.rope_table "rope.160000"
// CHECK-NEXT: kern.query_heads
// CHECK-NEXT: kern.store_kv
// CHECK-NEXT: kern.compress "layers.1.attn.compress"
// CHECK-NEXT: kern.carry "layers.1.attn.carry"
// CHECK-NEXT: kern.compress "layers.1.attn.index.compress"
// CHECK-NEXT: kern.carry "layers.1.attn.index.carry"
// CHECK-NEXT: kern.index_query "layers.1.attn.index.query"
// CHECK-NEXT: kern.index_score "layers.1.attn.index.score" {{.*}} scores({{.*}} : !kern.buffer<token, 0 + 32 per_block, bf16>)
// CHECK-NEXT: kern.top_k "layers.1.attn.index.top_k" {{.*}} {k = 16 : i64, ratio = 4 : i64}
// CHECK-NEXT: kern.attend "layers.1.attn.attend" {{.*}} entries({{[^)]*}}) ids(
// CHECK: kern.route "layers.1.ffn.route" logits({{[^)]*}}) bias(

// Layer 2: every visible entry, so no ids; no third table.
// CHECK-NOT: kern.rope_table
// CHECK: kern.attend "layers.2.attn.attend" {{.*}} entries({{[^)]*}}) heads_out(

// The head works on the wanted rows alone.
// CHECK: kern.hc_mix "head.hc_mix"
// CHECK-NEXT: kern.hc_head "head.hc_head" {{.*}} x({{.*}} : !kern.buffer<output, 256, bf16>)
// CHECK-NEXT: kern.linear "head" outputs {
// CHECK: kern.return {{.*}} : <output, 512, f32>
