// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes on the model graph. Each fusion is proven by interpreter equality.

#ifndef DSV4_DIALECTS_DSV4_TRANSFORMS_PASSES_TD
#define DSV4_DIALECTS_DSV4_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseHyperBoundaryPass : Pass<"dsv4-fuse-hyper-boundary", "::dsv4::graph::ModelOp"> {
  let summary = "joins the end of a sublayer with the start of the next";
  let description = [{
    hc_mix, the hc_pre of the same streams and the rms_norm of its result
    become hc_entry, or hc_boundary where the streams come from hc_post;
    hc_head_mix likewise hc_exit. Left alone: parts with other users, a norm
    with another epsilon.

        %X1 = hc_post ...; %pre, %post, %comb = hc_mix %X1 ...
          %y = hc_pre %X1, %pre; %x = rms_norm %y
        becomes %X1, %post, %comb, %x = hc_boundary ...
  }];
  let statistics = [
    Statistic<"numFused", "num-fused", "fused ops made">,
  ];
}

def FuseMoePass : Pass<"dsv4-fuse-moe", "::dsv4::graph::ModelOp"> {
  let summary = "joins router, routed experts and the shared expert";
  let description = [{
    The operations from the gate's linear to add_shared become one moe. Left
    alone: anything that does not have exactly this form, or whose parts
    have other users.

        %l = linear %x, %gate ... %y = add_shared %routed, %shared
        becomes %y = moe %x, ...
  }];
  let statistics = [
    Statistic<"numFused", "num-fused", "fused ops made">,
  ];
}

def FuseQueryKvPass : Pass<"dsv4-fuse-query-kv", "::dsv4::graph::ModelOp"> {
  let summary = "joins norms, RoPE, quantisation and store";
  let description = [{
    rope(head_norm) becomes query_heads, store_window(quantize_kv(rope(
    rms_norm))) becomes store_kv, quantize_fp4(hadamard(rope)) becomes
    index_query. Left alone: parts with other users, inverse RoPE.

        %n = head_norm %raw; %q = rope %n, %p
        becomes %q = query_heads %raw, %p
  }];
  let statistics = [
    Statistic<"numFused", "num-fused", "fused ops made">,
  ];
}

def FuseIndexSelectPass : Pass<"dsv4-fuse-index-select", "::dsv4::graph::ModelOp"> {
  let summary = "joins indexer score and top-k";
  let description = [{
    top_k(index_score(q, scale_weights(w))) becomes index_select. Left
    alone: scores or weights with other users, a ratio other than that of
    the entries.

        %w1 = scale_weights %w; %s = index_score %q, %w1 ...; %i = top_k %s
        becomes %i = index_select %q, %w ...
  }];
  let statistics = [
    Statistic<"numFused", "num-fused", "fused ops made">,
  ];
}

def FuseAttentionPass : Pass<"dsv4-fuse-attention", "::dsv4::graph::ModelOp"> {
  let summary = "joins sparse attention and inverse RoPE";
  let description = [{
    rope(sparse_attention) with `inverse` becomes attention. Left alone:
    heads with other users.

        %h = sparse_attention ...; %o = rope %h, %p {inverse}
        becomes %o = attention ...
  }];
  let statistics = [
    Statistic<"numFused", "num-fused", "fused ops made">,
  ];
}

def FuseProjectionsPass : Pass<"dsv4-fuse-projections", "::dsv4::graph::ModelOp"> {
  let summary = "stacks projections of one input";
  let description = [{
    Two or more linears of one tensor, or of its quantize, become one
    stacked_linear, which quantises once. A lone linear stays. Weights move
    up to the stack.

        %q1 = quantize %x; %a = linear %q1, %wa; %b = linear %x, %wb
        becomes %a, %b = stacked_linear %x, %wa, %wb {quantized = [1, 0]}
  }];
  let statistics = [
    Statistic<"numFused", "num-fused", "fused ops made">,
  ];
}

def VerifyModelPass : Pass<"dsv4-verify-model", "::dsv4::graph::ModelOp"> {
  let summary = "checks the whole model before anything is changed";
  let description = [{
    Constraints: V1. every tensor and state is named once. V2. the logits
    have vocab_size values. V3. two hc_post per layer. V4. the compressors
    of a layer match compress_ratios. V5. every state is written and read.
    Changes nothing.

        dsv4.model @m -> the same, or an error that names layer, tensor or state
  }];
}

def CheckFusedPass : Pass<"dsv4-check-fused", "::dsv4::graph::ModelOp"> {
  let summary = "checks that only the fused subset remains";
  let description = [{
    The contract of the lowering: embed, expand_streams, rms_norm, quantize,
    linear, grouped_linear, compress and the fused ops. Changes nothing.

        dsv4.model @m -> the same, or an error at the op that is left
  }];
}

#endif
