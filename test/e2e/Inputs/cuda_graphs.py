# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_graphs.py CASE_DIR WORKDIR TOKENS CHUNK...

A golden checkpoint for sm_90a under emulation: the first TOKENS tokens in one step and
in steps of each CHUNK give the same bits, whichever graphs take them. Prints the sizes
of the graphs and a line for each."""
import os
import re
import sys

from emulated import Program, cut_tokens


def main():
    case, work, count, *chunks = sys.argv[1:]
    program = Program(os.path.join(case, "checkpoint"), work)
    with open(os.path.join(program.dump, "graphs.txt"), encoding="utf-8") as f:
        sizes = re.findall(r"^\w+ (\d+): \d+ nodes", f.read(), re.M)
    print("graphs:", *sizes, flush=True)
    tokens = cut_tokens(os.path.join(case, "tokens.safetensors"), int(count),
                        os.path.join(work, "tokens"))
    whole, text = program.logits(tokens)
    if whole is None:
        sys.exit(f"whole: FAILED {text[:2000]}")
    bad = 0
    for chunk in chunks:
        got, text = program.logits(tokens, "--chunk", chunk, seed=2)
        bad += got != whole
        print(f"--chunk {chunk}: {'ok' if got == whole else 'FAILED'} "
              f"{text[:2000]}".rstrip(), flush=True)
    print(f"{bad} failed")
    sys.exit(bad != 0)


main()
