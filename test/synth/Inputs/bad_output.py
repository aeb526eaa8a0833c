# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""bad_output.py usage|output CHECKPOINT WORKDIR

Where dsv4-synth cannot or must not write, it says so, leaves alone what it did
not write, and takes away what it has begun. One line per case.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cases
from cases import say

checkpoint, work = sys.argv[2:4]
config = os.path.join(checkpoint, "config.json")


def synth(*arguments):
    return subprocess.run(["dsv4-synth", config, "-q", *arguments],
                          capture_output=True, text=True, timeout=300)


def refused(name, arguments, *words, code=1):
    r = synth(*arguments)
    text = " ".join(r.stderr.split())
    say(name, r.returncode == code and all(w in text for w in words),
        f"[{r.returncode}] {text[-300:]}")


def make(name, **files):
    path = os.path.join(work, name)
    os.makedirs(path)
    for file, text in files.items():
        with open(os.path.join(path, file.replace("__", ".")), "w") as f:
            f.write(text)
    return path


def content(path):
    return sorted((name, os.path.getsize(os.path.join(path, name)))
                  for name in os.listdir(path))


def usage_cases():
    out = os.path.join(work, "e")
    refused("no output", [], "expected -o DIRECTORY or --bytes", code=2)
    refused("no '='", ["-o", out, "--set", "vocab_size"], "KEY=VALUE", code=2)
    refused("no key", ["-o", out, "--set", "=3"], "KEY=VALUE", code=2)
    refused("no value", ["-o", out, "--set", "vocab_size="], "KEY=VALUE",
            code=2)
    refused("layers", ["-o", out, "--layers", "0"], "--layers", code=2)
    refused("shards", ["-o", out, "--shard-bytes", "0"], "--shard-bytes",
            code=2)
    refused("unit", ["-o", out, "--shard-bytes", "3XB"], "--shard-bytes",
            code=2)
    refused("cut draft", ["-o", out, "--layers", "2", "--draft-heads"],
            "--layers", code=2)
    refused("seed", ["-o", out, "--seed", "-1"], "--seed", code=2)
    refused("unknown flag", ["-o", out, "--sead", "1"], "--sead", code=2)
    say("nothing written", not os.path.exists(out), "")


def keeps(name, path, arguments, *words):
    """Refused, and the directory is as it was."""
    before = content(path)
    refused(name, ["-o", path, *arguments], *words)
    say(name + " stays", content(path) == before, str(content(path)))


def directory_cases():
    path = make("full", notes__txt="x")
    keeps("files without --force", path, [], "expected an empty or a new",
          "found notes.txt", "--force")
    say("files with --force", synth("-o", path, "-f").returncode == 0 and
        ("notes.txt", 1) in content(path), "")
    path = make("weights", model__safetensors="x", config__json="{}")
    keeps("weights of others", path, ["--force"], "found model.safetensors",
          "has not written")
    path = make("index", config__json="{}")
    with open(os.path.join(path, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {}, "weight_map": {"a": "b.safetensors"}}, f)
    keeps("index of others", path, ["--force"], "index.json",
          "has not written")
    path = os.path.join(work, "again")
    shutil.copytree(os.path.join(work, "full"), path)
    with open(os.path.join(path, "more.safetensors"), "w") as f:
        f.write("x")
    keeps("one more file of weights", path, ["--force"],
          "found more.safetensors")
    before = content(os.path.join(work, "full"))
    r = subprocess.run(["dsv4-synth", os.path.join(work, "full/config.json"),
                        "-f", "-o", os.path.join(work, "full")],
                       capture_output=True, text=True)
    say("from its own config", r.returncode == 1 and "another directory" in
        r.stderr and content(os.path.join(work, "full")) == before, r.stderr)
    refused("a file", ["-o", config], "expected a directory, found a file")
    refused("no parent", ["-o", "/proc/nowhere/out"], "/proc/nowhere")


def large(path):
    """A command whose 250 MB take long enough to be interrupted."""
    return ["dsv4-synth", config, "-q", "-o", path, "--shard-bytes", "4MB",
            "--set", "n_routed_experts=1000"]


def interrupt_case(name, path, number, left):
    process = subprocess.Popen(large(path))
    done = 0
    while process.poll() is None and done < 3:
        time.sleep(0.001)
        if os.path.isdir(path):
            done = sum(n.endswith(".safetensors") for n in os.listdir(path))
    process.send_signal(number)
    code = process.wait(timeout=60)
    found = os.listdir(path) if os.path.isdir(path) else None
    say(name, code == 130 and found == left, f"[{code}] left {found}")


def small_disk_cases():
    small = os.path.join(work, "small")
    os.makedirs(small)
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", small],
            capture_output=True).returncode != 0:
        print("full disk: skipped, mounting a small file system needs root")
        return
    refused("full disk", ["-o", small + "/new/out"], "bytes are to be written",
            "are free", "are missing")
    say("full disk stays empty", not os.path.exists(small + "/new/out"), "")
    subprocess.run(["umount", small], check=True)


def main():
    if sys.argv[1] == "usage":
        usage_cases()
    else:
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        directory_cases()
        interrupt_case("Ctrl-C", os.path.join(work, "stopped"), signal.SIGINT,
                       None)
        interrupt_case("termination", make("there"), signal.SIGTERM, [])
        small_disk_cases()
        shutil.rmtree(work, ignore_errors=True)
    cases.finish()


main()
