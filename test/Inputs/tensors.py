# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads and writes the small safetensors files of the tests, with
the standard library alone."""
import array
import json
import struct

TYPES = {"F32": "f", "I32": "i"}


def read(path, name):
    """-> (shape, array) of one F32 or I32 tensor."""
    with open(path, "rb") as f:
        raw = f.read()
    size = struct.unpack("<Q", raw[:8])[0]
    info = json.loads(raw[8:8 + size])[name]
    begin, end = info["data_offsets"]
    values = array.array(TYPES[info["dtype"]])
    values.frombytes(raw[8 + size + begin:8 + size + end])
    return info["shape"], values


def write_tokens(path, ids):
    data = array.array("i", ids).tobytes()
    header = json.dumps({"tokens": {"dtype": "I32", "shape": [len(ids)],
                                    "data_offsets": [0, len(data)]}}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + data)


def argmax(row):
    best = max(row)
    return next(i for i, v in enumerate(row) if v == best)
