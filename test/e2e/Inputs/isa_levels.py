# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""isa_levels.py CASE_DIR WORKDIR

Compiles a golden checkpoint for every ISA level that this CPU runs, with both forms
of dot products where it has the BF16 instruction, and in both orders of sums, and
demands that the logits of each executable equal those of the interpreter bit for
bit; with AMX, whose kernels differ by the number of rows, also in chunks. Levels that the CPU lacks are named; the
portable one always runs.
"""
import os
import subprocess
import sys

BF16 = ["avx512_bf16", "avx512vbmi", "avx512_vnni"]
AMX = [*BF16, "amx_tile", "amx_bf16"]
AVX2 = ["avx2", "fma"]
AVX512 = ["avx512f", "avx512bw", "avx512vl", "avx512dq"]
CHAIN, SPLIT = "chain", "split"
# target, CPU flags it needs (names of /proc/cpuinfo), order, configuration
LEVELS = [
    ("cpu:x86-64", [], CHAIN, []),
    ("cpu:x86-64", [], SPLIT, []),
    ("cpu:x86-64-v3", AVX2, CHAIN, []),
    ("cpu:x86-64-v3", AVX2, SPLIT, []),
    ("cpu:x86-64-v4", AVX512, CHAIN, []),
    ("cpu:x86-64-v4", AVX512, SPLIT, []),
    ("cpu:znver4", BF16, CHAIN, ["dot=f32"]),
    ("cpu:znver4", BF16, CHAIN, ["dot=bf16"]),
    ("cpu:znver4", BF16, SPLIT, []),
    ("cpu:sapphirerapids", AMX, SPLIT, []),
    ("native", [], CHAIN, []),
]


def cpu_flags():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("flags"):
                return set(line.split(":")[1].split())
    return set()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def main():
    case, work = sys.argv[1:3]
    os.makedirs(work, exist_ok=True)
    checkpoint = os.path.join(case, "checkpoint")
    tokens = os.path.join(case, "tokens.safetensors")
    reference = {}
    for order in (CHAIN, SPLIT):
        want = os.path.join(work, order)
        subprocess.run(["dsv4-ref", checkpoint, "--tokens", tokens, "--logits",
                        want, "--dot-order", order], check=True,
                       stdout=subprocess.DEVNULL)
        reference[order] = read(want)
    differ = reference[CHAIN] != reference[SPLIT]
    print(f"orders: {'two results' if differ else 'THE SAME RESULT'}")
    flags, bad = cpu_flags(), not differ
    for target, needs, order, choices in LEVELS:
        name = " ".join([target, order, *choices])
        missing = [n for n in needs if n not in flags]
        if missing:
            print(f"{name}: skipped, this CPU lacks {' '.join(missing)}")
            continue
        exe, got = os.path.join(work, "exe"), os.path.join(work, "logits")
        subprocess.run(["compile-model", checkpoint, "--no-tokenizer",
                        "--target", target, "-o", exe, "--dot-order", order,
                        *(f"--config={c}" for c in choices)], check=True,
                       stderr=subprocess.DEVNULL)
        same = True
        chunks = [["--chunk", "19"], ["--chunk", "3"]] if needs == AMX else []
        for chunk in ([], *chunks):
            subprocess.run([exe, "logits", "--tokens", tokens, "-o", got,
                            *chunk], check=True)
            same &= read(got) == reference[order]
        print(f"{name}: {'equal' if same else 'DIFFERENT'}")
        bad |= not same
    sys.exit(1 if bad else 0)


main()
