#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Runs a command, prints what it prints, and fails unless its exit code is the
# first argument.
"""exit_code.py CODE COMMAND..."""

import subprocess
import sys

done = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT, text=True, check=False)
print(done.stdout, end="")
if done.returncode != int(sys.argv[1]):
    sys.exit(f"expected exit code {sys.argv[1]}, got {done.returncode}")
