# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_synthetic.py A B: two synthetic checkpoints hold the same tensors, byte
for byte, whatever their shards; every code is a number, matrices have about the
deviation 1 / sqrt(K), and hash routing rows name distinct experts.

check_synthetic.py --logits FOLDER: the logits there are finite, differ, and are
of a size that a model has. With the standard library alone."""
import array
import glob
import json
import math
import os
import statistics
import struct
import sys

SAMPLE = 20000  # elements of which a deviation is taken
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]


def read(folder):
    """-> {name: (dtype, shape, bytes)}"""
    out = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        with open(path, "rb") as file:
            raw = file.read()
        size = struct.unpack("<Q", raw[:8])[0]
        for name, t in json.loads(raw[8:8 + size]).items():
            begin, end = t["data_offsets"]
            data = raw[8 + size + begin:8 + size + end]
            out[name] = (t["dtype"], t["shape"], data)
    return out


def floats(dtype, data):
    if dtype == "F32":
        return list(array.array("f", data))
    return [struct.unpack("<f", b"\0\0" + data[i:i + 2])[0]
            for i in range(0, len(data), 2)]


def e4m3(code):
    exponent, mantissa = code >> 3 & 15, code & 7
    value = (8 + mantissa) * 2.0 ** (exponent - 10) if exponent else \
        mantissa * 2.0 ** -9
    return -value if code & 128 else value


def codes(dtype, data):
    data = data[:SAMPLE]
    if dtype == "F8_E4M3":
        return [e4m3(c) for c in data]
    nibbles = [n for c in data for n in (c & 15, c >> 4)]
    return [-E2M1[n & 7] if n & 8 else E2M1[n & 7] for n in nibbles]


def check(name, dtype, shape, data, tensors, experts):
    if dtype == "F8_E4M3":
        assert not {0x7F, 0xFF} & set(data), f"{name}: NaN code"
    if dtype == "I64":
        ids = array.array("q", data)
        for i in range(0, len(ids), shape[1]):
            row = ids[i:i + shape[1]]
            assert len(set(row)) == len(row), f"{name}: experts repeat"
            assert 0 <= min(row) and max(row) < experts, f"{name}: range"
    if dtype in ("F8_E4M3", "I8"):
        k = shape[1] * (2 if dtype == "I8" else 1)
        scales = tensors[name.replace(".weight", ".scale")][2]
        scale = statistics.fmean(2.0 ** (s - 127) for s in scales)
        spread = statistics.pstdev(codes(dtype, data)) * scale * math.sqrt(k)
        assert 0.5 < spread < 2.5, f"{name}: deviation {spread}"
    if dtype in ("BF16", "F32"):
        values = floats(dtype, data[:SAMPLE])
        assert all(map(math.isfinite, values)), f"{name}: not finite"
        assert len(values) < 8 or len(set(values)) > 1, f"{name}: constant"


def check_logits(folder):
    _, shape, data = read(folder)["logits"]
    values = floats("F32", data)
    assert all(map(math.isfinite, values)), "logits: not finite"
    for i in range(0, len(values), shape[1]):
        spread = statistics.pstdev(values[i:i + shape[1]])
        assert 0.1 < spread < 10, f"logits: deviation {spread}"
        assert i == 0 or values[:shape[1]] != values[i:i + shape[1]], "equal"
    print(f"{shape[0]} rows of logits are sound")


def main():
    if sys.argv[1] == "--logits":
        return check_logits(sys.argv[2])
    a, b = read(sys.argv[1]), read(sys.argv[2])
    assert a.keys() == b.keys(), "tensors differ"
    with open(os.path.join(sys.argv[1], "config.json")) as file:
        experts = json.load(file)["n_routed_experts"]
    for name, (dtype, shape, data) in a.items():
        assert data == b[name][2], f"{name}: bytes differ"
        check(name, dtype, shape, data, a, experts)
    print(f"{len(a)} tensors equal and sound")


main()
