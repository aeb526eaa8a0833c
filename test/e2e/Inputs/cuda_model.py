# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_model.py CASE_DIR WORKDIR TOKENS SEEDS [compile flags]

A golden checkpoint for sm_90a, whole, under emulation: the first TOKENS tokens as
one prompt, in chunks, token by token, in two sequences, and the first few of them
over SEEDS random schedules must give the same bits; and the executable for the CPU
logits within the bound. Prints a line for each."""
import os
import sys

from emulated import Program, compile_model, cut_tokens, distance

# Of logits against the CPU target's. Both sum in their own order; what differs is
# BF16 roundings that flip (docs/cuda-phases.md).
BOUND = 2e-3


def main():
    case, work, count, seeds = (*sys.argv[1:3], int(sys.argv[3]),
                                int(sys.argv[4]))
    checkpoint = os.path.join(case, "checkpoint")
    program = Program(checkpoint, work, *sys.argv[5:])
    tokens = cut_tokens(os.path.join(case, "tokens.safetensors"), count,
                        os.path.join(work, "tokens"))
    bad = 0

    def check(name, good, remark=""):
        nonlocal bad
        bad += not good
        print(f"{name}: {'ok' if good else 'FAILED'} {remark}".rstrip(),
              flush=True)

    whole, text = program.logits(tokens)
    check("whole", whole is not None, text[:2000])
    if whole is None:
        sys.exit(1)
    for flags in (["--chunk", "7"], ["--chunk", "1"],
                  ["--chunk", "5", "--sequences", "2"],
                  ["--save-state-at", str(min(3, count - 1))]):
        got, text = program.logits(tokens, *flags, seed=2)
        check(" ".join(flags), got == whole, text[:2000])
    few = cut_tokens(tokens, min(3, count), os.path.join(work, "few"))
    first, text = program.logits(few)
    equal = sum(program.logits(few, seed=seed)[0] == first
                for seed in range(2, seeds + 1))
    check(f"{seeds} schedules", first is not None and equal == seeds - 1,
          text[:2000])

    cpu, logits = os.path.join(work, "cpu"), os.path.join(work, "cpu.logits")
    compile_model(checkpoint, cpu)
    os.system(f"'{cpu}' logits --tokens '{tokens}' -o '{logits}'")
    with open(logits, "rb") as f:
        error, same = distance(whole, f.read(), count)
    check("like the CPU", error < BOUND,
          f"(nmse {error:.1e}, {same} of {count} largest logits the same)")
    with open(os.path.join(case, "logits.safetensors"), "rb") as f:
        oracle = f.read()
    ours, _ = distance(whole, oracle, count)
    with open(logits, "rb") as f:
        theirs, _ = distance(f.read(), oracle, count)
    check("as near to the oracle as the CPU", ours < 1.5 * theirs + BOUND,
          f"(nmse {ours:.1e}, the CPU's {theirs:.1e})")
    print(f"{bad} failed")
    sys.exit(bad != 0)


main()
