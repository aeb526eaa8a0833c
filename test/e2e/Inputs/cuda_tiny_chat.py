# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_tiny_chat.py CHECKPOINT WORKDIR SEEDS NAME...

The sample model for sm_90a, whole, under emulation: self-test generates the recorded
answers of the samples called NAME, token for token; prompt and answer of the first
one give the same bits in any chunking, its first tokens over SEEDS random schedules,
and logits within the bound of the CPU's. Prints a line for each."""
import json
import os
import struct
import sys

from emulated import (Checks, Program, check_like_cpu, check_same_bits,
                      write_tokens)


def with_samples(checkpoint, names, to):
    """The checkpoint with the samples called so alone: (its folder, they)."""
    os.makedirs(os.path.join(to, "samples"))
    for name in os.listdir(checkpoint):
        if name != "samples":
            os.symlink(os.path.join(checkpoint, name), os.path.join(to, name))
    path = os.path.join("samples", "expected.json")
    with open(os.path.join(checkpoint, path), encoding="utf-8") as f:
        expected = json.load(f)
    by_name = {sample["name"]: sample for sample in expected["samples"]}
    expected["samples"] = [by_name[name] for name in names]
    with open(os.path.join(to, path), "w", encoding="utf-8") as f:
        json.dump(expected, f)
    return to, expected["samples"]


def main():
    checkpoint, work, seeds = *sys.argv[1:3], int(sys.argv[3])
    folder, samples = with_samples(checkpoint, sys.argv[4:],
                                   os.path.join(work, "checkpoint"))
    program = Program(folder, work, tokenizer=True)
    checks = Checks()
    done = program.run("self-test", "-q")
    checks.add("self-test", done.returncode == 0,
               (done.stdout + done.stderr)[:2000])
    ids = samples[0]["prompt_ids"] + samples[0]["output_ids"]
    tokens = write_tokens(struct.pack(f"<{len(ids)}i", *ids),
                          os.path.join(work, "tokens"))
    whole = check_same_bits(checks, program, tokens, len(ids), 8, seeds)
    check_like_cpu(checks, folder, work, tokens, len(ids), whole)
    checks.end()


main()
