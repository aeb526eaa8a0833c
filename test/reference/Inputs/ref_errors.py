# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ref_errors.py CHECKPOINT WORKDIR

Runs dsv4-ref with wrong flags, malformed token files and without a checkpoint;
one line per case. Code 2 is wrong usage, 1 bad input.
"""
import json
import os
import shutil
import struct
import subprocess
import sys

import cases
from cases import say

checkpoint, work = sys.argv[1:3]


def case(name, code, words, *arguments, source=checkpoint, logits=None):
    out = os.path.join(work, "out", "x")
    r = subprocess.run(["dsv4-ref", source, "--logits", logits or out,
                        "--trace", out + "t", *arguments],
                       capture_output=True, text=True, timeout=60)
    text = " ".join(r.stderr.split())
    say(name, r.returncode == code and not r.stdout and
        all(w in text for w in words.split("|")), f"[{r.returncode}] {text}")


def tensors(file, data, *, name="tokens", dtype="I32", shape=(3,), cut=0):
    """Writes a safetensors file of one tensor; cut drops bytes of its end."""
    path = os.path.join(work, file)
    header = json.dumps({name: {"dtype": dtype, "shape": shape,
                                "data_offsets": [0, len(data)]}}).encode()
    header += b" " * (-len(header) % 8)
    raw = struct.pack("<Q", len(header)) + header + data
    with open(path, "wb") as f:
        f.write(raw[:len(raw) - cut])
    return path


def usage_cases():
    ids = ["--tokens", "1,2"]
    for flag, low in (("--chunk", "1"), ("--decode", "0")):
        for value in ("-1", "1048577", "99999999999999999999"):
            case(f"{flag} {value}", 2, f"{flag}|{low} to 1048576", *ids, flag,
                 value)
        case(f"{flag} word", 2, f"{flag}", *ids, flag, "some")
    case("--chunk 0", 2, "--chunk|1 to 1048576", *ids, "--chunk", "0")
    case("no tokens", 2, "--tokens is required")
    for text in ("1,,2", ",", "99999999999", "1-2"):
        case(f"tokens {text}", 2, f"--tokens|ids as 1,2,3|'{text}'", "--tokens",
             text)
    case("unknown flag", 2, "--chunks", *ids, "--chunks", "1")
    case("two pipelines", 2, "--fused|--passes", *ids, "--fused", "--passes",
         "dsv4-fuse-moe")


def token_cases():
    three = struct.pack("<3i", 1, 2, 3)
    absent = os.path.join(work, "absent")
    case("no token file", 1, absent + "|No such file", "--tokens", absent)
    text = os.path.join(work, "text")
    with open(text, "w") as f:
        f.write("1,2,3 and more\n")
    case("text file", 1, text + ":", "--tokens", text)
    vector = "expected an I32 tensor tokens [count]"
    for file, words, options in (
            ("cut", "", {"cut": 4}),
            ("other-name", vector, {"name": "ids"}),
            ("floats", vector, {"dtype": "F32"}),
            ("matrix", vector, {"shape": (1, 3)}),
            ("scalar", vector, {"shape": (), "data": three[:4]}),
            ("empty", vector, {"shape": (0,), "data": b""})):
        path = tensors(file, options.pop("data", three), **options)
        case(file, 1, f"{path}: {words}", "--tokens", path, "--decode", "1")
    for bad in (-1, 2048):
        path = tensors("range", struct.pack("<3i", 1, bad, 2))
        words = f"token id {bad} is not in the vocabulary of 2048"
        case(f"id {bad} in a file", 1, words, "--tokens", path)
        case(f"id {bad} in the list", 1, words, "--tokens", f"1,{bad}")


def checkpoint_cases():
    ids = ["--tokens", "1,2"]
    absent = os.path.join(work, "absent")
    case("no checkpoint", 1, absent + ": expected a checkpoint directory", *ids,
         source=absent)
    empty = os.path.join(work, "empty-folder")
    os.mkdir(empty)
    case("empty folder", 1, "config.json", *ids, source=empty)
    config = os.path.join(work, "config-alone")
    os.mkdir(config)
    shutil.copy(os.path.join(checkpoint, "config.json"), config)
    case("config alone", 1, config, *ids, source=config)
    case("no trace to force", 1, absent + "|No such file", *ids, "--force",
         absent)
    case("unknown pass", 1, "the passes failed: none-such", *ids, "--passes",
         "none-such")
    case("logits not writable", 1, "/proc/none: cannot be written", *ids,
         logits="/proc/none")


def force_case():
    """A trace of another type is warned of, and not read as if it fitted."""
    ids = ["--tokens", "1,2", "--chunk", "1"]
    trace = os.path.join(work, "trace")
    subprocess.run(["dsv4-ref", checkpoint, *ids, "--trace", trace],
                   check=True, timeout=60)
    with open(trace, "rb") as f:
        raw = f.read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    ints = [n for n, t in header.items() if t["dtype"] == "I32"]
    for t in header.values():
        t["dtype"] = "F32"
    new = json.dumps(header).encode()
    with open(trace, "wb") as f:
        f.write(struct.pack("<Q", len(new)) + new + raw[8 + size:])
    r = subprocess.run(["dsv4-ref", checkpoint, *ids, "--force", trace],
                       capture_output=True, text=True, timeout=60)
    say("trace of another type", r.returncode == 0 and ints and all(
        f"{n}: the trace has another shape or type" in r.stderr for n in ints),
        f"[{r.returncode}] {r.stderr[-200:]}")


def main():
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.join(work, "out"))
    usage_cases()
    token_cases()
    checkpoint_cases()
    force_case()
    say("nothing written", not os.listdir(os.path.join(work, "out")), "")
    cases.finish()


main()
