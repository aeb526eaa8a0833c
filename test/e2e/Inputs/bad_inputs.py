# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""bad_inputs.py CHECKPOINT WORKDIR

Everything that a user can do wrong, or a disk can do to them, must end in a
message that names the thing, a non-zero exit code, and no half-written file.
Each case prints one line; FileCheck looks at the messages.
"""
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

import cases
from cases import say

checkpoint, work = sys.argv[1:3]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True,
                          errors="replace", timeout=300, **options)


def refused(name, command, *words, absent=None, **options):
    """The command must fail by itself (not by a signal) and say `words`."""
    r = run(command, **options)
    text = " ".join((r.stderr or r.stdout).split())
    ok = 0 < r.returncode < 126 and all(w in text for w in words)
    if absent:
        left = [f for f in os.listdir(os.path.dirname(absent))
                if f.startswith(os.path.basename(absent))]
        ok, text = ok and not left, text + (f" [left {left}]" if left else "")
    say(name, ok, f"[{r.returncode}] {text[-300:]}")


def copy(name):
    target = os.path.join(work, name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(checkpoint, target,
                    ignore=shutil.ignore_patterns("train", "samples"))
    for f in os.listdir(target):
        os.chmod(os.path.join(target, f), 0o644)
    return target


def shard(directory, n=2):
    name = next(f for f in sorted(os.listdir(directory))
                if f.startswith(f"model-{n:05d}"))
    return os.path.join(directory, name)


def header(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        return json.loads(f.read(size)), 8 + size


def replace_header(path, value):
    """Writes another header in front of the same data."""
    _, start = header(path)
    with open(path, "rb") as f:
        data = f.read()[start:]
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    raw += b" " * (-len(raw) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(raw)) + raw + data)


def edit_header(directory, change, n=2):
    path = shard(directory, n)
    h, _ = header(path)
    change(h)
    replace_header(path, h)


def set_expert_id(directory, value):
    """The first id of the first table of experts."""
    for n in range(1, 100):
        path = shard(directory, n)
        h, start = header(path)
        for name in sorted(h):
            if name.endswith("tid2eid"):
                with open(path, "r+b") as f:
                    f.seek(start + h[name]["data_offsets"][0])
                    f.write(struct.pack("<q", value))
                return


def edit_config(directory, **values):
    path = os.path.join(directory, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config.update(values)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)


def compile_refused(name, directory, *words):
    out = os.path.join(work, "out-" + name.replace(" ", "-"))
    refused(name, ["compile-model", directory, "-o", out], *words, absent=out)


def first(h, ending):
    return next(k for k in sorted(h) if k.endswith(ending))


def checkpoint_cases():
    d = copy("truncated")
    os.truncate(shard(d), os.path.getsize(shard(d)) - 1000)
    compile_refused("truncated shard", d, os.path.basename(shard(d)))

    def overlap(h):
        a, b = first(h, "wq_a.weight"), first(h, "wq_b.weight")
        size = h[b]["data_offsets"][1] - h[b]["data_offsets"][0]
        begin = h[a]["data_offsets"][0]
        h[b]["data_offsets"] = [begin, begin + size]
    d = copy("overlap")
    edit_header(d, overlap)
    compile_refused("overlapping offsets", d, "overlap")

    def beyond(h):
        h[first(h, "wq_a.weight")]["data_offsets"] = [2**40, 2**40 + 32768]
    d = copy("beyond")
    edit_header(d, beyond)
    compile_refused("out-of-range offsets", d, "wq_a.weight")

    d = copy("length")
    with open(shard(d), "r+b") as f:
        f.write(struct.pack("<Q", 2**63))
    compile_refused("header length 2^63", d, os.path.basename(shard(d)))

    d = copy("duplicate")
    h, _ = header(shard(d))
    name = first(h, "wq_a.weight")
    text = json.dumps(h)
    entry = json.dumps({name: h[name]})[1:-1]
    replace_header(shard(d), (text[:-1] + ", " + entry + "}").encode())
    compile_refused("duplicate tensor", d, name)

    def shape(h):
        t = h[first(h, "wq_a.weight")]
        t["shape"] = [t["shape"][0] * 2, t["shape"][1] // 2]
    d = copy("shape")
    edit_header(d, shape)
    compile_refused("wrong shape", d, "wq_a.weight", "shape")

    def dtype(h):
        h[first(h, "wq_a.weight")]["dtype"] = "I8"
    d = copy("dtype")
    edit_header(d, dtype)
    compile_refused("wrong dtype", d, "wq_a.weight", "I8")

    d = copy("expert id")
    set_expert_id(d, 1 << 20)
    compile_refused("expert id out of range", d, "tid2eid",
                    "expected indices from 0 to", "found 1048576")

    d = copy("missing")
    path = os.path.join(d, "model.safetensors.index.json")
    with open(path, encoding="utf-8") as f:
        index = json.load(f)
    del index["weight_map"]["layers.1.attn.wkv.weight"]
    with open(path, "w", encoding="utf-8") as f:
        json.dump(index, f)
    compile_refused("missing tensor", d, "layers.1.attn.wkv.weight")

    d = copy("nan")
    h, start = header(shard(d))
    name = first(h, "wq_a.scale")
    with open(shard(d), "r+b") as f:
        f.seek(start + h[name]["data_offsets"][0])
        f.write(b"\xff")
    compile_refused("NaN scale", d, name)

    d = copy("noshard")
    lost = os.path.basename(shard(d, 3))
    os.remove(shard(d, 3))
    compile_refused("missing shard", d, lost)

    d = copy("index")
    with open(os.path.join(d, "model.safetensors.index.json"), "w") as f:
        f.write('{"weight_map": {"a": ')
    compile_refused("corrupt index", d, "model.safetensors.index.json")

    d = copy("absurd")
    edit_config(d, hidden_size=2**62)
    compile_refused("absurd size", d, "hidden_size")

    d = copy("type")
    edit_config(d, model_type="deepseek_v41",
                architectures=["DeepseekV41ForCausalLM"])
    compile_refused("unknown model type", d, "deepseek_v41")


def output_cases():
    refused(
        "unknown target", ["compile-model", checkpoint, "--target",
                           "cpu:znver99", "-o", os.path.join(work, "x")],
        "znver99", absent=os.path.join(work, "x"))
    refused("output not writable",
            ["compile-model", checkpoint, "-o", "/proc/nowhere/out"],
            "/proc/nowhere")
    small = os.path.join(work, "small")
    os.makedirs(small, exist_ok=True)
    if os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", small],
            capture_output=True).returncode == 0:
        refused("disk full", ["compile-model", checkpoint, "-o", small + "/o"],
                "space", absent=small + "/o")
        subprocess.run(["umount", small], check=True)
    else:
        print("disk full: skipped, mounting a small file system needs root")
    toml = os.path.join(work, "bad.toml")
    with open(toml, "w") as f:
        f.write("target = \"cpu:x86-64\"\ndate = \"x\"\nspeeed = 3\n")
    refused("profile key", ["compile-model", checkpoint, "--profile", toml,
                            "-o", os.path.join(work, "x")],
            "bad.toml:3", "speeed", absent=os.path.join(work, "x"))


def interrupt_case(name, command, wait, absent=None):
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    time.sleep(wait)
    p.send_signal(signal.SIGINT)
    code = p.wait(timeout=60)
    left = [] if absent is None else [
        f for f in os.listdir(os.path.dirname(absent))
        if f.startswith(os.path.basename(absent))]
    say(name, code == 130 and not left, f"[{code}] left {left}")


def cpu_flags():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next((x for x in f if x.startswith("flags")), "").split()


def executable_cases():
    exe = os.path.join(work, "exe")
    subprocess.run(["compile-model", checkpoint, "-o", exe, "--context",
                    "1024"], check=True, stderr=subprocess.DEVNULL)
    with open(exe, "rb") as f:
        image = f.read()
    broken = os.path.join(work, "broken")
    for size in (len(image) - 1, len(image) // 2, 70000):
        with open(broken, "wb") as f:
            f.write(image[:size])
        os.chmod(broken, 0o755)
        r = run([broken, "info"])
        if r.returncode < 0:  # too short for the loader itself
            say("executable truncated", size < 100000, f"loader: {size}")
        else:
            say("executable truncated", r.returncode != 0 and
                "truncated" in r.stderr, f"[{r.returncode}] {r.stderr[-200:]}")
    refused("context longer than planned",
            [exe, "run", "-p", "hi", "--context", "2048"], "1024", "2048")
    refused("prompt longer than context",
            [exe, "run", "--raw", "-p", "word " * 3000], "context")
    refused("too little memory",
            ["bash", "-c", f"ulimit -v 20000; {exe} run -p hi"], "memory")
    feature = "avx512f" if "avx512f" in cpu_flags() else "avx2"
    refused("CPU without a feature", [exe, "run", "-p", "hi"], feature,
            "--target", env={**os.environ, "DSV4_HIDE_CPU_FEATURES": feature})
    side = os.path.join(work, "side")
    subprocess.run(["compile-model", checkpoint, "--weights", "sidecar", "-o",
                    side], check=True, stderr=subprocess.DEVNULL)
    say("sidecar runs", run([side, "run", "-p", "Hello!"]).returncode == 0, "")
    # With the model's whole context: 900 tokens took less than 0.3 s.
    interrupt_case("Ctrl-C while generating",
                   [side, "run", "--raw", "-n", "14000", "--temp", "0.0",
                    "--ignore-eos", "-p", "ROMEO:\n"], 0.3)
    with open(side + ".weights", "r+b") as f:
        f.seek(3 << 20)
        byte = f.read(1)
        f.seek(3 << 20)
        f.write(bytes([byte[0] ^ 4]))
    refused("sidecar with one bit flipped", [side, "run", "-p", "Hello!"],
            "weights")
    other = os.path.join(work, "other")
    d = copy("changed")
    h, start = header(shard(d))
    with open(shard(d), "r+b") as f:
        f.seek(start + h[first(h, "wq_a.weight")]["data_offsets"][0])
        f.write(b"\x01")
    subprocess.run(["compile-model", d, "--weights", "sidecar", "-o", other],
                   check=True, stderr=subprocess.DEVNULL)
    shutil.copy(other + ".weights", side + ".weights")
    refused("sidecar swapped", [side, "run", "-p", "Hello!"], "weights")
    os.remove(side + ".weights")
    refused("sidecar missing", [side, "run", "-p", "Hello!"], "side.weights")


def main():
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    checkpoint_cases()
    output_cases()
    interrupt_case("Ctrl-C while compiling",
                   ["compile-model", checkpoint, "-o",
                    os.path.join(work, "stopped")], 0.2,
                   os.path.join(work, "stopped"))
    executable_cases()
    cases.finish()


main()
