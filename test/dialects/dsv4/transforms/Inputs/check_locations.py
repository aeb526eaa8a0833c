# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_locations.py MODEL

Gives every op of an unfused model a location of its own, "NUMBER op", runs each
fusion pass alone and prints what the fused ops are made of by their locations;
then all passes and the lowering, and what the phases come from. No location may
get lost in a fusion or come out twice.
"""
import re
import subprocess
import sys

FUSIONS = ("hyper-boundary", "moe", "query-kv", "index-select", "attention",
           "projections")
OP = re.compile(r"^\s*(?:%\S+(?:, %\S+)* = )?(dsv4|kern)\.(\w+)")


def mark(path):
    """-> the text with locations, and the locations."""
    lines, marks = [], []
    with open(path, encoding="utf-8") as f:
        for line in f.read().split("\n"):
            m = OP.match(line)
            if m and m[2] != "model":
                marks.append(f"{len(marks)} {m[2]}")
                line += f' loc("{marks[-1]}")'
            lines.append(line)
    return "\n".join(lines), marks


def run(text, *flags):
    """-> [(op, its locations)] of the result."""
    r = subprocess.run(["dsv4-opt", "--mlir-print-debuginfo",
                        "--mlir-print-local-scope", *flags], input=text,
                       capture_output=True, text=True, check=True)
    ops = []
    for line in r.stdout.split("\n"):
        if (m := OP.match(line)) and m[2] not in ("model", "program"):
            ops.append((m[2], []))
        if ops:  # the end of an op of several lines
            ops[-1][1].extend(re.findall(r'"(\d+ \w+)"', line))
    return ops


def kinds(marks):
    return " ".join(mark.split()[1] for mark in marks)


def table(name, ops):
    for line in sorted({f"{op}: {kinds(marks)}" for op, marks in ops}):
        print(f"{name}: {line}")


def main():
    text, marks = mark(sys.argv[1])
    lost = 0
    for fusion in FUSIONS:
        ops = run(text, "--pass-pipeline=builtin.module(dsv4.model(dsv4-fuse-"
                  f"{fusion}))")
        after = sorted(m for _, found in ops for m in found)
        lost += after != sorted(marks)
        table(fusion, [(op, found) for op, found in ops
                       if kinds(found) != op])
    ops = run(text, "--dsv4-phase-fuse", "--lower-dsv4-to-kern")
    table("lower", [(op, found) for op, found in ops if op != "buffer"])
    print(f"{lost} passes lose locations")


main()
