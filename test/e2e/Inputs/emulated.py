# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Executables for a GPU under emulation: what several tests share.

The executable is the compiler's own; its driver is build/test/emulated-driver, and
its kernels are the dumped kernels.cu, compiled by the host's compiler."""
import json
import os
import shutil
import struct
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
DRIVER = os.path.join(SOURCE, "build", "test", "emulated-driver")
STEP_TOKENS = 64


# Of logits against the CPU target's. Both sum in their own order; what differs is
# BF16 roundings that flip (docs/cuda-phases.md).
BOUND = 2e-3


def compile_model(checkpoint, exe, *flags, tokenizer=False):
    subprocess.run(["compile-model", checkpoint, "-o", exe,
                    *([] if tokenizer else ["--no-tokenizer"]),
                    "--sequences", "4", "--step-tokens", str(STEP_TOKENS), "-q",
                    *flags], check=True)


class Program:
    """A checkpoint compiled for sm_90a, and its kernels for the host."""

    def __init__(self, checkpoint, work, *flags, tokenizer=False):
        os.makedirs(work, exist_ok=True)
        self.work = work
        self.exe = os.path.join(work, "gpu")
        self.dump = os.path.join(work, "kernels")
        compile_model(checkpoint, self.exe, "--target", "cuda:sm_90a",
                      "--dump-kernels-to", self.dump, *flags,
                      tokenizer=tokenizer)
        self.kernels = self.build("kernels.so", SOURCE)

    def build(self, name, headers):
        """The kernels' library, with device headers below `headers`."""
        library = os.path.join(self.work, name)
        compiler = shutil.which("clang++-22") or "c++"
        subprocess.run([compiler, "-x", "c++", "-std=c++20", "-O2",
                        "-ffp-contract=off", "-fPIC", "-shared",
                        "-DDSV4_CPU_EMU", "-I", headers,
                        os.path.join(self.dump, "kernels.cu"), "-o", library,
                        "-L", DRIVER, "-l:libcuda.so.1"], check=True)
        return library

    def run(self, *command, kernels=None, seed=1, env=()):
        surroundings = dict(os.environ, LD_LIBRARY_PATH=DRIVER,
                            DSV4_EMULATED_KERNELS=kernels or self.kernels,
                            DSV4_EMULATED_SEED=str(seed), **dict(env))
        return subprocess.run([self.exe, *command], env=surroundings,
                              capture_output=True, text=True, timeout=900,
                              check=False)

    def logits(self, tokens, *flags, kernels=None, seed=1, env=()):
        """The bytes of the logits, or None and what was said: (bytes, text)."""
        out = os.path.join(self.work, "logits")
        if os.path.exists(out):
            os.remove(out)
        done = self.run("logits", "--tokens", tokens, "-o", out, "-q", *flags,
                        kernels=kernels, seed=seed, env=env)
        if done.returncode:
            return None, done.stderr
        with open(out, "rb") as f:
            return f.read(), ""


def read_tensor(data):
    """(dtype, shape, bytes) of the only tensor of a safetensors file."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    (entry,) = header.values()
    begin, end = entry["data_offsets"]
    return entry["dtype"], entry["shape"], data[8 + size + begin:8 + size + end]


def cut_tokens(path, count, to):
    with open(path, "rb") as f:
        return write_tokens(read_tensor(f.read())[2][:4 * count], to)


def write_tokens(values, to):
    count = len(values) // 4
    header = json.dumps({"tokens": {"dtype": "I32", "shape": [count],
                                    "data_offsets": [0, 4 * count]}}).encode()
    header += b" " * (-len(header) % 8)
    with open(to, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + values)
    return to


def distance(a, b, rows):
    """Normalised mean square error of the first rows, and how many of them
    have the same largest logit."""
    shape = read_tensor(a)[1]
    width = shape[1]
    x, y = (struct.unpack(f"<{rows * width}f",
                          read_tensor(one)[2][:4 * rows * width])
            for one in (a, b))
    error = sum((p - q) ** 2 for p, q in zip(x, y))
    size = sum(q * q for q in y)
    same = 0
    for row in range(rows):
        p = x[row * width:(row + 1) * width]
        q = y[row * width:(row + 1) * width]
        same += p.index(max(p)) == q.index(max(q))
    return error / size, same


class Checks:
    """Lines that say what was found, and how many of them are bad."""

    def __init__(self):
        self.bad = 0

    def add(self, name, good, remark=""):
        self.bad += not good
        print(f"{name}: {'ok' if good else 'FAILED'} {remark}".rstrip(),
              flush=True)
        return good

    def end(self):
        print(f"{self.bad} failed")
        sys.exit(self.bad != 0)


def check_same_bits(checks, program, tokens, count, few, seeds):
    """`count` tokens as one prompt, in chunks, token by token, in two sequences
    and continued, and the first `few` of them over random schedules: the logits
    of the whole prompt, or the test ends."""
    whole, text = program.logits(tokens)
    if not checks.add("whole", whole is not None, text[:2000]):
        checks.end()
    for flags in (["--chunk", "7"], ["--chunk", "1"],
                  ["--chunk", "5", "--sequences", "2"],
                  ["--save-state-at", str(min(3, count - 1))]):
        got, text = program.logits(tokens, *flags, seed=2)
        checks.add(" ".join(flags), got == whole, text[:2000])
    few = cut_tokens(tokens, min(few, count), os.path.join(program.work, "few"))
    first, text = program.logits(few)
    equal = sum(program.logits(few, seed=seed)[0] == first
                for seed in range(2, seeds + 1))
    checks.add(f"{seeds} schedules", first is not None and equal == seeds - 1,
               text[:2000])
    return whole


def check_like_cpu(checks, checkpoint, work, tokens, count, whole):
    """Logits against the CPU target's, which are returned."""
    cpu, logits = os.path.join(work, "cpu"), os.path.join(work, "cpu.logits")
    compile_model(checkpoint, cpu)
    subprocess.run([cpu, "logits", "--tokens", tokens, "-o", logits],
                   check=True)
    with open(logits, "rb") as f:
        theirs = f.read()
    error, same = distance(whole, theirs, count)
    checks.add("like the CPU", error < BOUND,
               f"(nmse {error:.1e}, {same} of {count} largest logits the same)")
    return theirs
