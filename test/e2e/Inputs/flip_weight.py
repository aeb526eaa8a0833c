# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""flip_weight.py EXECUTABLE

Flips one bit of the embedded weights, which begin at a multiple of 2 MiB.
"""
import sys

with open(sys.argv[1], "r+b") as f:
    f.seek((2 << 20) + 1000000)
    byte = f.read(1)[0]
    f.seek(-1, 1)
    f.write(bytes([byte ^ 16]))
