# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_faults.py CASE_DIR WORKDIR

What the tests of whole models under emulation are worth: faults seeded into the
kernels' sources or the graph of a golden checkpoint must each change the logits, or
be reported, within a few schedules."""
import os
import re
import shutil
import sys

from emulated import SOURCE, Program, cut_tokens

PHASES = "targets/cuda/device/phases/"
# name, header, what is there, what is there instead
SOURCES = [
    ("removed wait", PHASES + "norms.cuh",
     r"(void normQuant\(.*?)  view\.begin\(\);\n", r"\1"),
    ("removed wait of a product", PHASES + "linear.cuh",
     r"(return;\n  }\n)  gridDepWait\(\);\n(  if \(thread >= Plan)", r"\1\2"),
    ("wrong expert stride", PHASES + "matrix_items.cuh",
     r"p\.stride\[job\];", "p.stride[job] / 2;"),
    ("missing barrier", PHASES + "attend_scores.cuh",
     r"(loadRows\(first, end\);\n)      syncThreads\(\);\n", r"\1"),
    ("missing wait for a ring", PHASES + "matrix_consumer.cuh",
     r"mbarWait\(S::xFull\(\) \+ x\.stage, x\.phase\);", ";"),
    ("swapped scales", PHASES + "matrix_consumer.cuh",
     r"float s = scales\[\(8 \* j \+ i\) \* 4\];",
     "float s = scales[(8 * j + 1 - i) * 4];"),
    ("scale of another strip", PHASES + "matrix_consumer.cuh",
     r"strip : strip / 2;", "strip : 0;"),
]
SEEDS = (1, 2, 3)


def with_fault(work, header, pattern, instead):
    """A copy of the headers with one fault in it."""
    root = os.path.join(work, "faulty")
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("targets/cuda/device", "runtime/abi", "runtime/numerics"):
        shutil.copytree(os.path.join(SOURCE, folder),
                        os.path.join(root, folder))
    path = os.path.join(root, header)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    changed, count = re.subn(pattern, instead, text, count=1, flags=re.S)
    if count != 1:
        sys.exit(f"{header}: expected {pattern}, which is no longer there")
    with open(path, "w", encoding="utf-8") as f:
        f.write(changed)
    return root


def main():
    case, work = sys.argv[1:3]
    program = Program(os.path.join(case, "checkpoint"), work,
                      "--fuse-launches=false")
    tokens = cut_tokens(os.path.join(case, "tokens.safetensors"), 8,
                        os.path.join(work, "tokens"))
    good, text = program.logits(tokens)
    if good is None:
        sys.exit("without a fault: " + text)
    missed = 0

    def report(name, outcomes):
        nonlocal missed
        seen = [text.split("\n")[0][:90] if got is None else "other logits"
                for got, text in outcomes if got != good]
        missed += not seen
        print(f"{name}: {'seen' if seen else 'NOT SEEN'} "
              f"({seen[0] if seen else 'equal logits'})", flush=True)

    def runs(**what):
        for seed in SEEDS:
            got = program.logits(tokens, seed=seed, **what)
            yield got
            if got[0] != good:
                return

    for name, header, pattern, instead in SOURCES:
        headers = with_fault(work, header, pattern, instead)
        kernels = program.build("faulty.so", headers)
        report(name, list(runs(kernels=kernels)))
    report("dropped dependency",
           list(runs(env=[("DSV4_EMULATED_DROP_EDGE", "5")])))
    print(f"{missed} not seen")
    sys.exit(missed != 0)


main()
