#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Writes a model in the fused subset as IR, from a config.json or from small
# built-in dimensions: the input of the tests of the lowering, which must not
# depend on importer and fusion passes.
"""fused_model.py [CONFIG] [--layers N]"""

import argparse
import json

SMALL = dict(hidden_size=256, hc_mult=4, q_lora_rank=128, head_dim=128,
             num_attention_heads=8, qk_rope_head_dim=64, o_groups=2,
             o_lora_rank=128, index_n_heads=4, index_head_dim=128,
             index_topk=16, n_routed_experts=8, num_experts_per_tok=2,
             moe_intermediate_size=128, num_hidden_layers=3, num_hash_layers=1,
             compress_ratios=[0, 4, 128], sliding_window=64, vocab_size=512,
             max_position_embeddings=4096, rope_theta=10000,
             compress_rope_theta=160000)


class Writer:
    def __init__(self, c):
        self.c, self.n, self.lines, self.types = c, 0, [], {}

    def new(self, type_):
        self.n += 1
        self.types[f"%{self.n}"] = type_
        return f"%{self.n}"

    def weight(self, name, shape, fmt, plain=False):
        name = name if plain else name + ".weight"
        scale = ""
        if fmt in ("fp8", "fp4"):
            scale = f' scale "{name[:-7]}.scale"'
        dims = "x".join(str(d) for d in shape)
        v = self.new(f"!qfmt.weight<{dims}, {fmt}>")
        self.lines.append(
            f'{v} = dsv4.weight "{name}"{scale} : {self.types[v]}')
        return v

    def state(self, name, type_):
        v = self.new(f"!dsv4.state<{type_}>")
        self.lines.append(f'{v} = dsv4.state "{name}" : <{type_}>')
        return v

    def op(self, name, operands, results, attrs=""):
        out = [self.new(t) for t in results]
        types = ", ".join(self.types[o] for o in operands)
        lhs = ", ".join(out) + " = " if out else ""
        attrs = f" {{{attrs}}}" if attrs else ""
        self.lines.append(
            f"{lhs}dsv4.{name} {', '.join(operands)}{attrs} : ({types}) -> "
            f"({', '.join(results)})")
        return out[0] if len(out) == 1 else out


def tensor(*dims, element="bf16"):
    return f"tensor<?x{'x'.join(str(d) for d in dims)}x{element}>"


HC = ("sinkhorn_iters = 20 : i64, hc_eps = 1.0e-6 : f32, "
      "norm_eps = 1.0e-6 : f32")


def hyper(w, layer, part, before):
    """hc_entry or hc_boundary; answers streams, post, comb, x."""
    c = w.c
    streams, d = c["hc_mult"], c["hidden_size"]
    p = f"layers.{layer}.hc_{part}_"
    rows = streams * (2 + streams)
    ws = [w.weight(p + "fn", [rows, streams * d], "f32", True),
          w.weight(p + "scale", [3], "f32", True),
          w.weight(p + "base", [rows], "f32", True),
          w.weight(f"layers.{layer}.{part}_norm", [d], "bf16")]
    outs = [tensor(streams, element="f32"),
            tensor(streams, streams, element="f32"), tensor(d)]
    if len(before) == 1:
        return [before[0]] + w.op("hc_entry", before + ws, outs, HC)
    return w.op("hc_boundary", before + ws,
                [tensor(streams, d)] + outs, HC)


def compressor(w, p, ratio, width, state, rope, u, g, fmt):
    c = w.c
    wide = width * (2 if ratio == 4 else 1)
    carry = w.state(f"{p}.carry", f"carry, {ratio * wide // width}, {wide}")
    entries = w.state(f"{p}.entries", f"{state}, {ratio}, {width}, {fmt}")
    w.op("compress",
         [u, g, w.weight(p + ".ape", [ratio, wide], "f32", True),
          w.weight(p + ".norm", [width], "bf16"), "%positions", carry,
          entries], [], f"rope = {rope}, eps = 1.0e-6 : f32")
    return entries


def attention(w, layer, x):
    c = w.c
    ratio = c["compress_ratios"][layer]
    d, heads, size = c["hidden_size"], c["num_attention_heads"], c["head_dim"]
    rank, dims = c["q_lora_rank"], c["qk_rope_head_dim"]
    p = f"layers.{layer}.attn."
    rows = f"#qfmt.rows<{size}, fp8_rope, {dims}>"
    rope = f"#dsv4.rope<dims = {dims}, theta = {c['rope_theta']}>"
    if ratio:
        rope = (f"#dsv4.rope<dims = {dims}, theta = "
                f"{c['compress_rope_theta']}, factor = 16, original = 65536, "
                "beta_fast = 32, beta_slow = 1>")
    ih, isize = c["index_n_heads"], c["index_head_dim"]
    ws = [w.weight(p + "wq_a", [rank, d], "fp8"),
          w.weight(p + "wkv", [size, d], "fp8")]
    outs, flags = [tensor(rank), tensor(size)], ["true", "true"]
    wide = size * (2 if ratio == 4 else 1)
    if ratio:
        ws += [w.weight(p + f"compressor.{n}", [wide, d], "bf16")
               for n in ("wkv", "wgate")]
        outs += [tensor(wide, element="f32")] * 2
    if ratio == 4:
        ws += [w.weight(p + f"indexer.compressor.{n}", [2 * isize, d], "bf16")
               for n in ("wkv", "wgate")]
        outs += [tensor(2 * isize, element="f32")] * 2
        ws.append(w.weight(p + "indexer.weights_proj", [ih, d], "bf16"))
        outs.append(tensor(ih))
    flags += ["false"] * (len(ws) - 2)
    stack = w.op("stacked_linear", [x] + ws, outs,
                 f"quantized = array<i1: {', '.join(flags)}>")
    qr = w.op("rms_norm", [stack[0], w.weight(p + "q_norm", [rank], "bf16")],
              [tensor(rank)], "eps = 1.0e-6 : f32")
    ws = [w.weight(p + "wq_b", [heads * size, rank], "fp8")]
    outs = [tensor(heads, size)]
    if ratio == 4:
        ws.append(w.weight(p + "indexer.wq_b", [ih * isize, rank], "fp8"))
        outs.append(tensor(ih, isize))
    qs = w.op("stacked_linear", [qr] + ws, outs,
              f"quantized = array<i1: {', '.join(['true'] * len(ws))}>")
    qs = qs if isinstance(qs, list) else [qs]
    q = w.op("query_heads", [qs[0], "%positions"], outs[:1],
             f"rope = {rope}, eps = 1.0e-6 : f32")
    window = w.state(p + "window",
                     f"window, {c['sliding_window']}, {size}, {rows}")
    w.op("store_kv", [stack[1], w.weight(p + "kv_norm", [size], "bf16"),
                      "%positions", window], [tensor(size)],
         f"rope = {rope}, eps = 1.0e-6 : f32")
    extra = []
    if ratio:
        extra = [compressor(w, p + "compressor", ratio, size, "entries", rope,
                            stack[2], stack[3], rows)]
    if ratio == 4:
        ix = compressor(w, p + "indexer.compressor", ratio, isize,
                        "index_entries", rope, stack[4], stack[5],
                        f"#qfmt.rows<{isize}, fp4>")
        iq = w.op("index_query", [qs[1], "%positions"], [tensor(ih, isize)],
                  f"rope = {rope}")
        extra.append(w.op("index_select", [iq, stack[6], "%positions", ix],
                          [tensor(c["index_topk"], element="i32")],
                          f"k = {c['index_topk']} : i64, "
                          "factor = 0.0110485433 : f32"))
    sink = w.weight(p + "attn_sink", [heads], "f32", True)
    segments = f"1, 1, 1, 1, {int(bool(extra))}, {int(len(extra) > 1)}"
    o = w.op("attention", [q, "%positions", sink, window] + extra,
             [tensor(heads, size)],
             f"operandSegmentSizes = array<i32: {segments}>, "
             f"scale = {size ** -0.5:.9e} : f32, rope = {rope}")
    groups, orank = c["o_groups"], c["o_lora_rank"]
    low = w.op("grouped_linear",
               [o, w.weight(p + "wo_a",
                            [groups * orank, heads * size // groups], "fp8")],
               [tensor(groups * orank)], f"groups = {groups} : i64")
    lowq = w.op("quantize", [low], [tensor(groups * orank)])
    return w.op("linear",
                [lowq, w.weight(p + "wo_b", [d, groups * orank], "fp8")],
                [tensor(d)])


def experts(w, layer, x):
    c = w.c
    d, e, k = c["hidden_size"], c["n_routed_experts"], c["num_experts_per_tok"]
    i = c["moe_intermediate_size"]
    p = f"layers.{layer}.ffn."
    if layer < c["num_hash_layers"]:
        route = w.weight(p + "gate.tid2eid", [c["vocab_size"], k], "i64", True)
    else:
        route = w.weight(p + "gate.bias", [e], "f32", True)
    ws = [w.weight(p + "gate", [e, d], "bf16"), route]
    for n, shape in (("w1", [i, d]), ("w3", [i, d]), ("w2", [d, i])):
        ws.append(w.weight(p + "experts.{e}." + n, [e] + shape, "fp4"))
    for n, shape in (("w1", [i, d]), ("w3", [i, d]), ("w2", [d, i])):
        ws.append(w.weight(p + "shared_experts." + n, shape, "fp8"))
    return w.op("moe", [x, "%tokens"] + ws, [tensor(d)],
                f"k = {k} : i64, scale = 1.5 : f32, limit = 10.0 : f32")


def model(c):
    w = Writer(c)
    d, streams, v = c["hidden_size"], c["hc_mult"], c["vocab_size"]
    w.types["%tokens"] = w.types["%positions"] = "tensor<?xi32>"
    x = w.op("embed", ["%tokens", w.weight("embed", [v, d], "bf16")],
             [tensor(d)])
    before = [w.op("expand_streams", [x], [tensor(streams, d)])]
    for layer in range(c["num_hidden_layers"]):
        for part, body in (("attn", attention), ("ffn", experts)):
            s, post, comb, x = hyper(w, layer, part, before)
            before = [body(w, layer, x), s, post, comb]
    x = w.op("hc_exit", before + [
        w.weight("hc_head_fn", [streams, streams * d], "f32", True),
        w.weight("hc_head_scale", [1], "f32", True),
        w.weight("hc_head_base", [streams], "f32", True),
        w.weight("norm", [d], "bf16")], [tensor(d)],
        "hc_eps = 1.0e-6 : f32, norm_eps = 1.0e-6 : f32")
    logits = w.op("linear", [x, w.weight("head", [v, d], "bf16")],
                  [tensor(v, element="f32")])
    w.lines.append(f"dsv4.return {logits} : {w.types[logits]}")
    longest = c["max_position_embeddings"]
    print("dsv4.model @model attributes {config = {max_position_embeddings = "
          f"{longest} : i64}}, identity = \"test\"}} {{")
    print("^bb0(%tokens: tensor<?xi32>, %positions: tensor<?xi32>):")
    print("\n".join("  " + line for line in w.lines))
    print("}")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("config", nargs="?")
    p.add_argument("--layers", type=int)
    args = p.parse_args()
    c = SMALL
    if args.config:
        with open(args.config) as f:
            c = json.load(f)
    if args.layers:
        c["num_hidden_layers"] = args.layers
    model(c)


main()
