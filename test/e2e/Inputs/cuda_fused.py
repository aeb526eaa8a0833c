# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_fused.py CASE_DIR WORKDIR TOKENS SEEDS

A golden checkpoint for sm_90a under emulation, without fused launches, with rows
fused (the default) and with tails of products too:
the first TOKENS tokens as one prompt and the first two of them one by one must
give the same bits, over SEEDS schedules. Prints a line for each."""
import os
import sys

from emulated import Program, cut_tokens


def launches(program):
    """Nodes of the graph of one token."""
    with open(os.path.join(program.dump, "graphs.txt"), encoding="utf-8") as f:
        return int(f.readline().split()[2])


def main():
    case, work, count, seeds = (*sys.argv[1:3], int(sys.argv[3]),
                                int(sys.argv[4]))
    checkpoint = os.path.join(case, "checkpoint")
    plain = Program(checkpoint, os.path.join(work, "plain"),
                    "--fuse-launches=false")
    fused = [Program(checkpoint, os.path.join(work, "rows")),
             Program(checkpoint, os.path.join(work, "tails"),
                     "--config", "tails=1")]
    counts = [launches(program) for program in (plain, *fused)]
    print("launches: {}, rows fused {}, with tails {}".format(*counts))
    prompts = {n: cut_tokens(os.path.join(case, "tokens.safetensors"), n,
                             os.path.join(work, f"tokens{n}"))
               for n in (2, count)}
    bad = counts != sorted(set(counts), reverse=True)
    for n, flags in ((count, ["--chunk", "8"]), (2, ["--chunk", "1"]),
                     (count, [])):
        wanted, text = plain.logits(prompts[n], *flags)
        same = wanted is not None
        for seed in range(1, seeds + 1):
            for program in fused:
                got, said = program.logits(prompts[n], *flags, seed=seed)
                same = same and got == wanted
                text += said
        bad += not same
        print(f"{n} tokens {' '.join(flags) or 'whole'}: "
              f"{'ok' if same else 'FAILED ' + text[:2000]}", flush=True)
    print(f"{bad} failed")
    sys.exit(bad != 0)


main()
