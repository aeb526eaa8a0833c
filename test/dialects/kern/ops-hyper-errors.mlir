// RUN: kern-opt %s --split-input-file --verify-diagnostics
// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constraints that the verifiers of this family state.

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected streams_in to be a token buffer of a multiple of 384 bf16}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 3 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected at least one stream, got 0}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 0 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected fn to be}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%norm : !qfmt.weight<256, bf16>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected out, post, comb and streams_out together, got 3 of them}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected streams_out to be another buffer than streams_in}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%s : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected out to be a token buffer of 256 bf16}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%s : !kern.buffer<token, 1024, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected comb to be a token buffer of 16 f32}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%post : !kern.buffer<token, 4, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%p : !kern.buffer<token, 64, f32>) {streams = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %t = kern.buffer "t" : <token, 1024, bf16>
  %out = kern.buffer "out" : <token, 256, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %fn = kern.weight "fn.weight" : !qfmt.weight<24x1024, f32>
  %ph = kern.buffer "ph" : <token, 32, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected partials to be a token buffer of 64 f32}}
  kern.hc_mix "m" streams_in(%s : !kern.buffer<token, 1024, bf16>)
    out(%out : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    fn(%fn : !qfmt.weight<24x1024, f32>)
    streams_out(%t : !kern.buffer<token, 1024, bf16>)
    partials(%ph : !kern.buffer<token, 32, f32>) {streams = 4 : i64}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %ph = kern.buffer "ph" : <token, 32, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected partials to be a token buffer of 64 f32}}
  kern.hc_pre "m" partials(%ph : !kern.buffer<token, 32, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %scale1 = kern.weight "scale1.weight" : !qfmt.weight<1, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected scale to be}}
  kern.hc_pre "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale1 : !qfmt.weight<1, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %base4 = kern.weight "base4.weight" : !qfmt.weight<4, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected base to be}}
  kern.hc_pre "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base4 : !qfmt.weight<4, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected norm to be}}
  kern.hc_pre "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%base : !qfmt.weight<24, f32>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected x to be a token buffer of 256 bf16}}
  kern.hc_pre "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%post : !kern.buffer<token, 4, f32>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected xq to have the type of x}}
  kern.hc_pre "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%s : !kern.buffer<token, 1024, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected post to be a token buffer of 4 f32}}
  kern.hc_pre "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%comb : !kern.buffer<token, 16, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %post = kern.buffer "post" : <token, 4, f32>
  %comb = kern.buffer "comb" : <token, 16, f32>
  %p = kern.buffer "p" : <token, 64, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %base = kern.weight "base.weight" : !qfmt.weight<24, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %xq = kern.buffer "xq" : <token, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C4: expected positive sinkhorn_iters, got 0}}
  kern.hc_pre "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base : !qfmt.weight<24, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    xq(%xq : !kern.buffer<token, 256, bf16>)
    post(%post : !kern.buffer<token, 4, f32>)
    comb(%comb : !kern.buffer<token, 16, f32>)
    {streams = 4 : i64, sinkhorn_iters = 0 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %p = kern.buffer "p" : <token, 64, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %scale1 = kern.weight "scale1.weight" : !qfmt.weight<1, f32>
  %base4 = kern.weight "base4.weight" : !qfmt.weight<4, f32>
  %xo = kern.buffer "xo" : <output, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C1: expected partials to be a token buffer of 32 f32}}
  kern.hc_head "m" partials(%p : !kern.buffer<token, 64, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale1 : !qfmt.weight<1, f32>) base(%base4 : !qfmt.weight<4, f32>)
    norm(%norm : !qfmt.weight<256, bf16>)
    x(%xo : !kern.buffer<output, 256, bf16>)
    {streams = 4 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %ph = kern.buffer "ph" : <token, 32, f32>
  %scale = kern.weight "scale.weight" : !qfmt.weight<3, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %base4 = kern.weight "base4.weight" : !qfmt.weight<4, f32>
  %xo = kern.buffer "xo" : <output, 256, bf16>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C2: expected scale to be}}
  kern.hc_head "m" partials(%ph : !kern.buffer<token, 32, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale : !qfmt.weight<3, f32>) base(%base4 : !qfmt.weight<4, f32>)
    norm(%norm : !qfmt.weight<256, bf16>)
    x(%xo : !kern.buffer<output, 256, bf16>)
    {streams = 4 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}

// -----

kern.program @p attributes {max_context = 256 : i64, max_sequences = 2 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %s = kern.buffer "s" : <token, 1024, bf16>
  %ph = kern.buffer "ph" : <token, 32, f32>
  %norm = kern.weight "norm.weight" : !qfmt.weight<256, bf16>
  %x = kern.buffer "x" : <token, 256, bf16>
  %scale1 = kern.weight "scale1.weight" : !qfmt.weight<1, f32>
  %base4 = kern.weight "base4.weight" : !qfmt.weight<4, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  // expected-error @+1 {{C3: expected x to be a output buffer of 256 bf16}}
  kern.hc_head "m" partials(%ph : !kern.buffer<token, 32, f32>)
    streams_in(%s : !kern.buffer<token, 1024, bf16>)
    scale(%scale1 : !qfmt.weight<1, f32>) base(%base4 : !qfmt.weight<4, f32>)
    norm(%norm : !qfmt.weight<256, bf16>) x(%x : !kern.buffer<token, 256, bf16>)
    {streams = 4 : i64, hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32}
  kern.return %logits : <output, 512, f32>
}
