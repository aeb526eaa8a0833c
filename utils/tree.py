# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# What the checks of this folder share: which files belong to the project, how
# findings are printed, and how a self-test runs a check on a temporary tree.
"""Lists the project's files and reports findings of the checks."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def project_files(root):
    """Tracked files of a git checkout; every file of a tree without git."""
    root = pathlib.Path(root)
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z"],
            check=True, capture_output=True).stdout.decode()
        names = [name for name in listed.split("\0") if name]
    else:
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders
                          if f not in ("__pycache__", ".git")
                          and not (folder == str(root)
                                   and f.startswith("build"))]
            names += [os.path.relpath(os.path.join(folder, f), root)
                      for f in files]
    return sorted(n for n in names if (root / n).is_file())


def read(root, name):
    return (pathlib.Path(root) / name).read_text(errors="replace")


def finish(tool, warnings, errors, checked):
    """Prints findings as `file:line: text`; returns the exit code."""
    for line in warnings:
        print(f"{line} (warning)")
    for line in errors:
        print(line)
    print(f"{tool}: {checked} files, {len(warnings)} warnings, "
          f"{len(errors)} errors")
    return 1 if errors else 0


def self_test(check, cases):
    """Runs `check(root) -> (warnings, errors, checked)` on small trees.

    `cases` are (title, {file: text}, expected) where expected is a part of the
    one error that must be found, or None when the tree must be clean.
    """
    failures = 0
    for title, files, expected in cases:
        root = pathlib.Path(tempfile.mkdtemp(prefix="dsv4-check-"))
        try:
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            errors = check(root)[1]
        finally:
            shutil.rmtree(root)
        if expected is None:
            good = not errors
        else:
            good = len(errors) == 1 and expected in errors[0]
        print(f"{'ok' if good else 'FAILED'}: {title}")
        if not good:
            print(f"  expected {expected!r}, got {errors}")
            failures += 1
    print(f"self-test: {len(cases) - failures} passed, {failures} failed")
    return 1 if failures else 0


def main(tool, check, cases):
    """The command line of a check: [--self-test] [ROOT]."""
    args = sys.argv[1:]
    if args == ["--self-test"]:
        return self_test(check, cases)
    if len(args) > 1 or (args and args[0].startswith("-")):
        print(f"usage: {tool} [--self-test | ROOT]", file=sys.stderr)
        return 2
    warnings, errors, checked = check(pathlib.Path(args[0]) if args else ROOT)
    return finish(tool, warnings, errors, checked)
