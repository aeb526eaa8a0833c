# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_samples.py EXECUTABLE EXPECTED.json WORKDIR

Greedy continuations of a checkpoint's own samples, token by token: `run
--raw --temp 0` must print the expected text, and `logits` over prompt and
answer must choose every expected token. A step is a near-tie where the recorded
margin is below 0.3: there another choice is allowed (and printed), and the text
after it is not compared.
"""
import json
import os
import subprocess
import sys

import tensors

NEAR_TIE = 0.3

def rows_of(executable, ids, work):
    """The logits after each position of `ids`."""
    tokens, logits = os.path.join(work, "t.st"), os.path.join(work, "l.st")
    tensors.write_tokens(tokens, ids)
    subprocess.run([executable, "logits", "--tokens", tokens, "-o", logits],
                   check=True)
    shape, values = tensors.read(logits, "logits")
    vocab = shape[1]
    return [values[i * vocab:(i + 1) * vocab] for i in range(shape[0])]


def check(executable, sample, work):
    prompt, want = sample["prompt_ids"], sample["output_ids"]
    rows = rows_of(executable, prompt + want[:-1], work)[len(prompt) - 1:]
    parted = None
    for i, (row, expected) in enumerate(zip(rows, want)):
        got = tensors.argmax(row)
        if got == expected:
            continue
        text = (f"token {i}: chose {got}, expected {expected} (margin recorded "
                f"{sample['margins'][i]:.3f}, here {row[got] - row[expected]:.3f})")
        if sample["margins"][i] >= NEAR_TIE:
            return text
        print(f"{sample['name']}: near-tie, {text}")
        parted = i if parted is None else parted
    run = subprocess.run([executable, "run", "--raw", "--temp", "0", "-n",
                          str(len(want)), "-p", sample["prompt"]],
                         check=True, capture_output=True)
    text = run.stdout.decode()
    if parted is None and text.rstrip("\n") != sample["output"].rstrip("\n"):
        return f"run printed {text!r}, expected {sample['output']!r}"
    return None


def main():
    executable, expected, work = sys.argv[1:4]
    os.makedirs(work, exist_ok=True)
    with open(expected, encoding="utf-8") as f:
        samples = json.load(f)["samples"]
    errors = 0
    for sample in samples:
        error = check(executable, sample, work)
        print(f"{sample['name']}: {error or 'ok'}")
        errors += error is not None
    print(f"{len(samples) - errors} of {len(samples)} samples ok")
    sys.exit(1 if errors else 0)


main()
