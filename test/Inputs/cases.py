# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What scripts with many cases share: one line per case, and a count of those
that failed. FileCheck looks at the lines, lit at the exit code."""
import sys

failures = 0


def say(name, ok, text):
    global failures
    failures += not ok
    print(f"{name}: {'ok' if ok else 'FAILED'}: {text}")


def finish():
    print(f"{failures} failed")
    sys.exit(1 if failures else 0)
