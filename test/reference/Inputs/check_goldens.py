# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_goldens.py CASE_DIR MANIFEST WORKDIR

The interpreter against the traces and logits of an independent NumPy
implementation (test/data/goldens):
  forced   every op gets the trace's inputs; outputs within fixed bounds
  free     logits within a multiple of the noise of summation order
  chunks   the same bits for steps of 1, 7 and 64 tokens as for the whole prompt
  passes   the same bits after each fusion pass alone, and after all of them
"""
import json
import lzma
import os
import statistics
import subprocess
import sys

import tensors

# NMSE that BF16 and F32 outputs may have when inputs are equal.
BF16_BOUND, F32_BOUND = 2e-5, 1e-9
# Values on a quantised grid: this share must be equal.
QUANTISED, QUANTISED_SHARE = (".kv", ".index.q"), 0.999
# Names of F32 values; all other floats are BF16.
F32_NAMES = (".pre", ".post", ".comb", ".scores", ".weights", ".routed")
PASSES = ["hyper-boundary", "moe", "query-kv", "index-select", "attention",
          "projections"]


def ref(case, *arguments):
    return subprocess.run(
        ["dsv4-ref", os.path.join(case, "checkpoint"), "--tokens",
         os.path.join(case, "tokens.safetensors"), *arguments],
        check=True, capture_output=True, text=True).stdout


def check_op(op):
    """The complaint about one line of --force, or None."""
    name = op["name"]
    if name.endswith((".ids", ".topk")):
        # Ids may differ where scores are equal or one BF16 step apart.
        return None if op["equal"] >= 0.999 else "ids differ"
    if name.endswith(QUANTISED) and op["equal"] < QUANTISED_SHARE:
        return f"only {op['equal']:.5f} of the quantised values are equal"
    # Indexer weights are BF16, routing weights F32.
    is_f32 = name.endswith(F32_NAMES) and not name.endswith("index.weights")
    bound = F32_BOUND if is_f32 else BF16_BOUND
    return None if op["nmse"] < bound else f"NMSE {op['nmse']:.2e} >= {bound}"


def check_forced(case, work):
    trace = os.path.join(work, "trace.safetensors")
    with lzma.open(os.path.join(case, "trace.safetensors.xz")) as f:
        data = f.read()
    with open(trace, "wb") as f:
        f.write(data)
    lines = ref(case, "--force", trace, "--json").splitlines()
    ops = [json.loads(line) for line in lines]
    bad = [f"{op['name']}: {c}" for op in ops if (c := check_op(op))]
    # Counts of entries are implied by the position; all else is compared.
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    names = {n for n in header if not n.endswith((".entries", "_metadata__"))}
    bad += [f"{n}: not compared" for n in names - {op["name"] for op in ops}]
    worst = max(op["nmse"] for op in ops)
    print(f"forced: {len(ops)} values, worst NMSE {worst:.1e}, {len(bad)} out "
          "of bounds")
    return bad


def nmse(a, b):
    power = sum(y * y for y in b)
    return sum((x - y) ** 2 for x, y in zip(a, b)) / power


def check_free(case, noise, logits):
    shape, got = tensors.read(logits, "logits")
    _, want = tensors.read(os.path.join(case, "logits.safetensors"), "logits")
    rows, vocab = shape
    row = lambda v, i: v[i * vocab:(i + 1) * vocab]
    total = nmse(got, want)
    median = statistics.median(nmse(row(got, i), row(want, i))
                               for i in range(rows))
    same = sum(tensors.argmax(row(got, i)) == tensors.argmax(row(want, i))
               for i in range(rows)) / rows
    print(f"free: NMSE {total:.2e}, median {median:.2e}, argmax {same:.3f}")
    ok = (total <= 3 * noise["nmse"] and
          median <= 2 * noise["position_nmse_median"] and
          same >= noise["argmax_equal"] - 0.06)
    return [] if ok else ["free-running logits are out of bounds"]


def check_equal(case, work, whole):
    """Complaints of all runs that must give the bits of `whole`."""
    runs = {f"chunk {n}": ["--chunk", str(n)] for n in (1, 7, 64)}
    runs |= {p: ["--passes", f"dsv4.model(dsv4-fuse-{p})"] for p in PASSES}
    runs["all passes, chunk 7"] = ["--fused", "--chunk", "7"]
    with open(whole, "rb") as f:
        want = f.read()
    bad = []
    for name, flags in runs.items():
        path = os.path.join(work, "logits")
        ref(case, "--logits", path, *flags)
        with open(path, "rb") as f:
            if f.read() != want:
                bad.append(f"{name}: other bits than the whole prompt unfused")
    print(f"equal: {len(runs) - len(bad)} of {len(runs)} runs")
    return bad


def main():
    case, manifest, work = sys.argv[1:4]
    os.makedirs(work, exist_ok=True)
    with open(manifest, encoding="utf-8") as f:
        noise = json.load(f)["cases"][os.path.basename(case)]["noise"]
    whole = os.path.join(work, "whole")
    ref(case, "--logits", whole)
    bad = check_forced(case, work)
    bad += check_free(case, noise, whole)
    bad += check_equal(case, work, whole)
    for complaint in bad:
        print("FAILED:", complaint)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
