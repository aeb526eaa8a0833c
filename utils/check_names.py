#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Names and words: the chain from a pass's flag to its definition, source file
# and test; licence headers; header guards; nothing unfinished; nothing that is
# only true on the machine where it was written.
"""Checks naming chains, licence headers and forbidden words."""

import re
import sys

import tree

SPDX = ["SPDX-FileCopyrightText: dsv4c authors",
        "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception"]
SPDX_SUFFIXES = (".h", ".cpp", ".c", ".cuh", ".cu", ".td", ".S", ".py", ".sh")
TEXT_SUFFIXES = SPDX_SUFFIXES + (
    ".md", ".txt", ".cmake", ".json", ".in", ".toml", ".mlir", ".test", ".yml",
    "run")
EXEMPT = ("samples/", "test/data/", "LICENSE")

# Written in pieces so that this file passes its own check.
WORDS = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"),
     "unfinished work is an issue, not a comment"),
    (re.compile(r"\.\./sha" r"red\b"), "the project stands alone"),
    (re.compile(r"(?<![\w.$%}])/(?:wo" r"rk|ro" r"ot|ho" r"me)/"),
     "a path of one machine"),
    (re.compile(r"/tmp/ds" r"v4\b"), "a path of one machine"),
]

# A layer's prefix in a flag says where a pass belongs; files go without it.
FLAG_PREFIXES = ("dsv4-", "kern-", "qfmt-", "cpu-")
PASS = re.compile(r'^def\s+(\w+)\s*:\s*(?:Pass|InterfacePass)<\s*"([^"]+)"',
                  re.M)


def camel(flag):
    return "".join(part[:1].upper() + part[1:] for part in flag.split("-"))


def has_test(names, stem, flag, base):
    """A file by the pass's name, or for a conversion (LowerAToB) a folder AToB
    with one file per family."""
    folder = re.sub(r"^[A-Z][a-z]+", "", base)
    for name in names:
        parts = name.split("/")
        if parts[0] != "test" or not name.endswith(".mlir"):
            continue
        if parts[-1] in (f"{stem}.mlir", f"{flag}.mlir"):
            return True
        if "To" in folder and folder in parts[:-1]:
            return True
    return False


def check_passes(root, names, errors):
    for name in names:
        if not name.endswith("Passes.td"):
            continue
        folder = name.rsplit("/", 1)[0] + "/"
        text = tree.read(root, name)
        for match in PASS.finditer(text):
            definition, flag = match.groups()
            where = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
            stem = flag
            for prefix in FLAG_PREFIXES:
                stem = stem.removeprefix(prefix)
            if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", flag):
                errors.append(f"{where}: flag {flag}: expected lower-case words "
                              "joined by dashes")
                continue
            wanted = {camel(stem), camel(flag)}
            base = definition.removesuffix("Pass")
            if base not in wanted:
                errors.append(f"{where}: flag {flag} belongs to def "
                              f"{camel(stem)}Pass, found {definition}")
                continue
            if not any(n.startswith(folder) and n.endswith(f"/{base}.cpp")
                       for n in names):
                errors.append(f"{where}: expected {folder}{base}.cpp for pass "
                              f"{flag}")
                continue
            if not has_test(names, stem, flag, base):
                errors.append(f"{where}: expected a test {stem}.mlir for pass "
                              f"{flag}")


def check_header(name, text, errors):
    head = text[:600]
    if not all(line in head for line in SPDX):
        errors.append(f"{name}:1: expected the two SPDX lines in the header")
    if name.endswith((".h", ".cuh")):
        guard = "DSV4_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
        if f"#ifndef {guard}\n" not in text:
            errors.append(f"{name}:1: expected the header guard {guard}")


def check(root):
    errors = []
    checked = 0
    names = tree.project_files(root)
    check_passes(root, names, errors)
    for name in names:
        if name.startswith(EXEMPT) or not name.endswith(TEXT_SUFFIXES):
            continue
        checked += 1
        text = tree.read(root, name)
        if name.endswith(SPDX_SUFFIXES):
            check_header(name, text, errors)
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, why in WORDS:
                match = pattern.search(line)
                if match:
                    errors.append(f"{name}:{number}: found "
                                  f"'{match.group(0)}': {why}")
    return [], errors, checked


HEAD = "".join(f"// {line}\n" for line in SPDX)
PASS_TD = HEAD + 'def PlanBuffersPass : Pass<"kern-plan-buffers"> {}\n'
CASES = [
    ("a clean tree passes", {
        "k/Passes.td": PASS_TD, "k/PlanBuffers.cpp": HEAD,
        "test/k/plan-buffers.mlir": "",
        "a/b.h": HEAD + "#ifndef DSV4_A_B_H\n",
        "c.md": "runs in $HOME/work/ and ./root/\n",
    }, None),
    ("a conversion is tested by a folder", {
        "c/Passes.td": HEAD + 'def LowerAToBPass : Pass<"lower-a-to-b"> {}\n',
        "c/LowerAToB.cpp": HEAD, "test/c/AToB/moe.mlir": "",
    }, None),
    ("a pass without its source file", {
        "k/Passes.td": PASS_TD, "test/k/plan-buffers.mlir": "",
    }, "expected k/PlanBuffers.cpp for pass kern-plan-buffers"),
    ("a pass without its test", {
        "k/Passes.td": PASS_TD, "k/PlanBuffers.cpp": HEAD,
    }, "expected a test plan-buffers.mlir"),
    ("a pass with another name", {
        "k/Passes.td": PASS_TD.replace("def PlanBuffers", "def Planner"),
    }, "belongs to def PlanBuffersPass, found PlannerPass"),
    ("no licence header", {"a.cpp": "int a;\n"}, "expected the two SPDX lines"),
    ("a wrong header guard", {
        "a/b.h": HEAD + "#ifndef B_H\n",
    }, "expected the header guard DSV4_A_B_H"),
    ("a wrong header guard of device code", {
        "a/b.cuh": HEAD + "#ifndef DSV4_A_B_H\n",
    }, "expected the header guard DSV4_A_B_CUH"),
    ("unfinished work", {"a.cpp": HEAD + "// TO" "DO: later\n"},
     "a.cpp:3: found 'TO" "DO'"),
    ("a path of one machine", {"a.md": "see /ro" "ot/x\n"},
     "a path of one machine"),
    ("a neighbour of the project", {"a.md": "in ../sha" "red/x\n"},
     "the project stands alone"),
]

if __name__ == "__main__":
    sys.exit(tree.main("check_names", check, CASES))
