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

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
DRIVER = os.path.join(SOURCE, "build", "test", "emulated-driver")
STEP_TOKENS = 64


def compile_model(checkpoint, exe, *flags):
    subprocess.run(["compile-model", checkpoint, "-o", exe, "--no-tokenizer",
                    "--sequences", "4", "--step-tokens", str(STEP_TOKENS), "-q",
                    *flags], check=True)


class Program:
    """A checkpoint compiled for sm_90a, and its kernels for the host."""

    def __init__(self, checkpoint, work, *flags):
        os.makedirs(work, exist_ok=True)
        self.work = work
        self.exe = os.path.join(work, "gpu")
        self.dump = os.path.join(work, "kernels")
        compile_model(checkpoint, self.exe, "--target", "cuda:sm_90a",
                      "--dump-kernels-to", self.dump, *flags)
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

    def logits(self, tokens, *flags, kernels=None, seed=1, env=()):
        """The bytes of the logits, or None and what was said: (bytes, text)."""
        out = os.path.join(self.work, "logits")
        if os.path.exists(out):
            os.remove(out)
        surroundings = dict(os.environ, LD_LIBRARY_PATH=DRIVER,
                            DSV4_EMULATED_KERNELS=kernels or self.kernels,
                            DSV4_EMULATED_SEED=str(seed), **dict(env))
        done = subprocess.run([self.exe, "logits", "--tokens", tokens, "-o",
                               out, "-q", *flags], env=surroundings,
                              capture_output=True, text=True, timeout=600,
                              check=False)
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
        values = read_tensor(f.read())[2][:4 * count]
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
