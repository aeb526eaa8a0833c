#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Puts device code into the compiler: every file as a raw string, in the order
# of names, for targets/cuda/DeviceSources.cpp to include.
#
#   gen_device_sources.py ROOT OUTPUT FILE...   (FILEs relative to ROOT)
"""Writes {name, text} pairs of source files as C++."""

import os
import sys

DELIMITER = "dsv4src"  # of raw strings: at most 16 characters
PIECE = 16000          # characters; compilers promise 64 Ki per literal


def literal(name, text):
    if ")" + DELIMITER in text:
        sys.exit(f"gen_device_sources: {name} contains ')' + '{DELIMITER}', "
                 "which ends a raw string: reword it")
    pieces = [text[i:i + PIECE] for i in range(0, len(text), PIECE)] or [""]
    return "\n".join(f'R"{DELIMITER}({p}){DELIMITER}"' for p in pieces)


def main(root, output, names):
    lines = []
    for name in sorted(names):
        with open(os.path.join(root, name), encoding="utf-8") as file:
            lines.append(f'{{"{name}", {literal(name, file.read())}}},\n')
    with open(output, "w", encoding="utf-8") as file:
        file.write("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
