# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""isa_levels.py CASE_DIR WORKDIR

Compiles a golden checkpoint for every ISA level that this CPU runs, and with both
forms of dot products where it has the BF16 instruction, and demands that the logits
of each executable equal those of the interpreter bit for bit.
Levels that the CPU lacks are named; the portable one always runs.
"""
import os
import subprocess
import sys

BF16 = ["avx512_bf16", "avx512vbmi", "avx512_vnni"]
# target, CPU flags it needs (names of /proc/cpuinfo), configuration
LEVELS = [
    ("cpu:x86-64", [], []),
    ("cpu:x86-64-v3", ["avx2", "fma"], []),
    ("cpu:x86-64-v4", ["avx512f", "avx512bw", "avx512vl", "avx512dq"], []),
    ("native", BF16, ["dot=f32"]),
    ("native", BF16, ["dot=bf16"]),
    ("native", [], []),
]


def cpu_flags():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("flags"):
                return set(line.split(":")[1].split())
    return set()


def main():
    case, work = sys.argv[1:3]
    os.makedirs(work, exist_ok=True)
    checkpoint = os.path.join(case, "checkpoint")
    tokens = os.path.join(case, "tokens.safetensors")
    want = os.path.join(work, "interpreter")
    subprocess.run(["dsv4-ref", checkpoint, "--tokens", tokens, "--logits",
                    want], check=True, stdout=subprocess.DEVNULL)
    with open(want, "rb") as f:
        reference = f.read()
    flags, bad = cpu_flags(), 0
    for target, needs, choices in LEVELS:
        name = " ".join([target, *choices])
        missing = [n for n in needs if n not in flags]
        if missing:
            print(f"{name}: skipped, this CPU lacks {' '.join(missing)}")
            continue
        exe, got = os.path.join(work, "exe"), os.path.join(work, "logits")
        subprocess.run(["compile-model", checkpoint, "--no-tokenizer",
                        "--target", target, "-o", exe,
                        *(f"--config={c}" for c in choices)], check=True,
                       stderr=subprocess.DEVNULL)
        subprocess.run([exe, "logits", "--tokens", tokens, "-o", got],
                       check=True)
        with open(got, "rb") as f:
            same = f.read() == reference
        print(f"{name}: {'equal' if same else 'DIFFERENT'}")
        bad += not same
    sys.exit(1 if bad else 0)


main()
