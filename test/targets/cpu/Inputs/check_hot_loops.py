#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Holds hot-loops.txt against itself and against kernels.s, in which LLVM has
# marked innermost loops and spills by its own means: every loop is there, at the
# line that it names, with the instructions that it quotes; sums are those of
# the lines; no instruction is without a class.
"""Usage: check_hot_loops.py FOLDER"""

import collections
import re
import sys
from pathlib import Path

START = re.compile(r"  (loop \d+ of \d+:|no loop,).*kernels\.s:(\d+)$")
COUNTS = re.compile(r"    instructions: (\d+) = (.*)$")
QUOTE = re.compile(r"      (\S.{35,}?) (\S.*)$")
INNER = re.compile(r"Inner Loop Header: Depth")


def pieces(text):
    """Loops and bodies as dictionaries, in order."""
    found = []
    for line in text.splitlines():
        if match := START.match(line):
            found.append({"line": int(match.group(2)), "quotes": [],
                          "loop": match.group(1) != "no loop,"})
        elif match := COUNTS.match(line):
            found[-1]["total"] = int(match.group(1))
            found[-1]["counts"] = dict(
                reversed(part.split(" ", 1)) for part in
                match.group(2).split(", "))
        elif line.startswith("    spills: "):
            found[-1]["spills"] = int(line.split(": ")[1])
        elif match := QUOTE.match(line):
            found[-1]["quotes"].append((match.group(1).strip(),
                                        match.group(2).strip()))
    return found


def code_of(line):
    """An assembly line as it is quoted."""
    return re.sub(r"\s*(#(?=[ =])|//).*", "", line).strip().replace("\t", " ")


def check(piece, assembly):
    where = f"kernels.s:{piece['line']}"
    at, spills = piece["line"] - 1, 0
    classes = collections.Counter()
    assert code_of(assembly[at]) == piece["quotes"][0][1], where
    for what, text in piece["quotes"]:
        while at < len(assembly) and code_of(assembly[at]) != text:
            at += 1
        assert at < len(assembly), (where, text)
        spills += len(re.findall(r"-byte (?:Folded )?(?:Spill|Reload)",
                                 assembly[at]))
        at += 1
        classes[re.split(" (?:of|to) ", what)[0]] += 1
    assert sum(classes.values()) == piece["total"], (where, classes)
    assert {k: str(v) for k, v in classes.items()} == piece["counts"], where
    assert "other" not in classes, where
    assert (spills > 0) == (piece["spills"] > 0), (where, spills)


def main():
    folder = Path(sys.argv[1])
    assembly = (folder / "kernels.s").read_text().splitlines()
    found = pieces((folder / "hot-loops.txt").read_text())
    loops = sum(piece["loop"] for piece in found)
    marked = sum(bool(INNER.search(line)) for line in assembly)
    assert loops == marked, f"{loops} loops, of which LLVM sees {marked}"
    assert loops > 100
    for piece in found:
        check(piece, assembly)


if __name__ == "__main__":
    main()
