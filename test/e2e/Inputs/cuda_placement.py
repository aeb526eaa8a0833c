# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""cuda_placement.py CASE_DIR WORKDIR TOKENS

A golden checkpoint for GPUs that lack up to one and up to two MiB, under emulation: the logits are
those of the program that is all on the GPU, bit for bit, and the parts that `info`
names are as small as was asked. The last one is compiled once more with a usage
that sends other experts to the host, and once with no pinned memory, where the GPU
reads the registered pages of the file. Prints a line for each."""
import json
import os
import subprocess
import sys

from emulated import Program, compile_model, cut_tokens

# What runtime/device adds to the parts, in MiB (compiler/driver/CudaBackend.cpp).
DRIVER = 512
SEQUENCES = 4  # of emulated.compile_model


def plan(exe):
    """Bytes on the GPU for all sequences, and of cold weights: pinned, mapped."""
    text = subprocess.run([exe, "info", "--json"], check=True,
                          capture_output=True, text=True).stdout
    cuda = json.loads(text)["cuda"]
    parts = {part["name"]: part for part in cuda["parts"]}
    state = (parts["state"]["bytes"] + 255) // 256 * 256
    cold = {"pinned": 0, "mapped": 0}
    for name, part in parts.items():
        if part["kind"] == "weights" and part["tier"] != "device":
            if (part["tier"] == "mapped") != name.startswith("mapped "):
                sys.exit(f"{name} in tier {part['tier']}")
            cold[part["tier"]] += part["bytes"]
    return (cuda["plan"]["device_bytes"] + (SEQUENCES - 1) * state,
            cold["pinned"], cold["mapped"])


def main():
    case, work, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    checkpoint = os.path.join(case, "checkpoint")
    program = Program(checkpoint, work)
    tokens = cut_tokens(os.path.join(case, "tokens.safetensors"), count,
                        os.path.join(work, "tokens"))
    whole, text = program.logits(tokens)
    if whole is None:
        sys.exit("without a limit: " + text)
    with open(os.path.join(checkpoint, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    experts = config["n_routed_experts"]
    usage = os.path.join(work, "usage.txt")
    with open(usage, "w", encoding="utf-8") as f:
        f.write("# the upper half of every layer is wanted\n")
        for layer in range(config["num_hidden_layers"]):
            for expert in range(experts // 2, experts):
                f.write(f"layers.{layer}.ffn.experts.{expert} {9 + expert}\n")
    bad = before = 0
    room = (plan(program.exe)[0] - 1 >> 20) + DRIVER
    in_file = ["--host-memory", "0"]
    cases = [(1, []), (2, []), (2, ["--expert-usage", usage]), (2, in_file)]
    for lacking, flags in cases:
        mib = room + 1 - lacking
        program.exe = os.path.join(work, "placed")
        compile_model(checkpoint, program.exe, "--target", "cuda:sm_90a",
                      "--device-memory", str(mib), *flags)
        device, pinned, mapped = plan(program.exe)
        fits = device <= (mib - DRIVER) << 20
        got, text = program.logits(tokens, seed=2)
        there = pinned == 0 and mapped > 0 if flags == in_file else pinned > before
        good = fits and there and got == whole
        bad += not good
        before = 0 if lacking > 1 else pinned
        name = " ".join([str(lacking), *flags[:1]])
        print(f"{name}: {'ok' if good else 'FAILED'} ({device} bytes on the GPU, "
              f"{pinned} pinned, {mapped} in the file) {text[:2000]}", flush=True)
    print(f"{bad} failed")
    sys.exit(bad != 0)


main()
