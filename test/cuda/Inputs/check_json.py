#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Sums of cubin-report's JSON must agree with each other.
"""Checks the JSON of cubin-report on standard input."""

import json
import sys

report = json.load(sys.stdin)
mixes = []
for function in report["functions"]:
    mixes.append(function["instructions"])
    mixes += function["loops"]
assert len(mixes) > len(report["functions"]), "no loops"
for mix in mixes:
    assert sum(mix["by_name"].values()) == mix["total"], mix
    assert sum(mix["by_class"].values()) == mix["total"], mix
    assert 0 < mix["alu"] < mix["total"], mix
