# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_golden.py CASE_DIR MANIFEST WORKDIR

A golden checkpoint for sm_90a under emulation, all of its tokens: logits as near to
those of the independent NumPy implementation as its own are with sums in another
order. Prints the figures."""
import json
import os
import sys

from emulated import Program

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             "..", "reference", "Inputs"))
from check_goldens import check_free  # noqa: E402


def main():
    case, manifest, work = sys.argv[1:4]
    with open(manifest, encoding="utf-8") as f:
        noise = json.load(f)["cases"][os.path.basename(case)]["noise"]
    program = Program(os.path.join(case, "checkpoint"), work)
    logits, text = program.logits(os.path.join(case, "tokens.safetensors"))
    if logits is None:
        sys.exit("FAILED: " + text)
    path = os.path.join(work, "whole")
    with open(path, "wb") as f:
        f.write(logits)
    bad = check_free(case, noise, path)
    print(*bad or ["within the noise"], sep="\n")
    sys.exit(len(bad) > 0)


main()
