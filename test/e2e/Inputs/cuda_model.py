# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_model.py CASE_DIR WORKDIR TOKENS SEEDS [compile flags]

A golden checkpoint for sm_90a, whole, under emulation: the first TOKENS tokens in any
chunking and the first few of them over SEEDS random schedules must give the same
bits; the executable for the CPU logits within the bound, and the oracle's as near.
Prints a line for each."""
import os
import sys

from emulated import (BOUND, Checks, Program, check_like_cpu, check_same_bits,
                      cut_tokens, distance)


def main():
    case, work, count, seeds = (*sys.argv[1:3], int(sys.argv[3]),
                                int(sys.argv[4]))
    checkpoint = os.path.join(case, "checkpoint")
    program = Program(checkpoint, work, *sys.argv[5:])
    tokens = cut_tokens(os.path.join(case, "tokens.safetensors"), count,
                        os.path.join(work, "tokens"))
    checks = Checks()
    whole = check_same_bits(checks, program, tokens, count, 3, seeds)
    cpu = check_like_cpu(checks, checkpoint, work, tokens, count, whole)
    with open(os.path.join(case, "logits.safetensors"), "rb") as f:
        oracle = f.read()
    ours, _ = distance(whole, oracle, count)
    theirs, _ = distance(cpu, oracle, count)
    checks.add("as near to the oracle as the CPU", ours < 1.5 * theirs + BOUND,
               f"(nmse {ours:.1e}, the CPU's {theirs:.1e})")
    checks.end()


main()
