#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Fails on files, functions and paths that have grown too long. Function bodies
# of C++ are found by matching braces, those of Python by its parser.
"""Checks the size budgets of docs/style.md."""

import ast
import re
import sys

import tree

# suffix: (warn, fail) lines of a file
FILE_BUDGETS = {
    ".h": (600, 1000), ".cpp": (600, 1000), ".c": (600, 1000),
    ".cuh": (600, 1000), ".cu": (600, 1000),
    ".S": (600, 1000), ".py": (600, 1000), ".sh": (600, 1000),
    ".cuh": (600, 1000), ".cu": (600, 1000),
    ".td": (700, 1000), ".mlir": (500, 800), ".test": (500, 800),
}
FUNCTION_BUDGET = (60, 120)
PATH_BUDGET = 75  # characters from the root

# Not written by hand, or taken over with a checkpoint.
EXEMPT = ("samples/", "test/data/", "runtime/text/unicode_tables")

COMMENT_OR_STRING = re.compile(
    r'R"([^(\s]*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
CONTAINER = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


def blank(match):
    """Keeps the line count and removes everything else."""
    return "\n" * match.group(0).count("\n")


def cpp_functions(text):
    """Yields (first line, lines) of every outermost function body."""
    text = COMMENT_OR_STRING.sub(blank, text)
    text = PREPROCESSOR.sub(blank, text)
    stack = []  # kind of every open brace
    start = 0   # of the text before the next brace
    line = 1
    opened = 0
    for at, char in enumerate(text):
        if char == "\n":
            line += 1
        elif char == "{":
            head = text[start:at]
            if "function" in stack:
                kind = "inner"
            elif "(" in head and not head.rstrip().endswith("="):
                kind = "function"
                opened = line
            elif CONTAINER.search(head):
                kind = "container"
            else:
                kind = "data"
            stack.append(kind)
            start = at + 1
        elif char == "}":
            if stack and stack.pop() == "function":
                yield opened, line - opened + 1
            start = at + 1
        elif char == ";":
            start = at + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


def compare(where, size, budget, what, warnings, errors):
    warn, fail = budget
    if size > fail:
        errors.append(f"{where}: {what} has {size} lines, at most {fail} are "
                      "allowed: split it")
    elif size > warn:
        warnings.append(f"{where}: {what} has {size} lines, aim below {warn}")


def check(root):
    warnings, errors = [], []
    checked = 0
    for name in tree.project_files(root):
        if len(name) >= PATH_BUDGET:
            errors.append(f"{name}: the path has {len(name)} characters, "
                          f"expected fewer than {PATH_BUDGET}")
        suffix = "." + name.rsplit(".", 1)[-1]
        if suffix not in FILE_BUDGETS or name.startswith(EXEMPT):
            continue
        checked += 1
        text = tree.read(root, name)
        compare(name, text.count("\n"), FILE_BUDGETS[suffix], "file", warnings,
                errors)
        if suffix in (".h", ".cpp", ".c", ".cuh", ".cu"):
            functions = cpp_functions(text)
        elif suffix == ".py":
            functions = python_functions(text)
        else:
            continue
        for line, size in functions:
            compare(f"{name}:{line}", size, FUNCTION_BUDGET, "function",
                    warnings, errors)
    return warnings, errors, checked


LONG_BODY = "  x();\n" * 130
CASES = [
    ("short files pass", {
        "a.cpp": "namespace n {\nvoid f() {\n}\n" + "void g() {\n}\n" * 100
                 + "} // namespace n\n",
        "t.cpp": "static const char *t[] = {\n" + '"{",\n' * 200 + "};\n",
    }, None),
    ("a long file", {"a.h": "int a;\n" * 1001}, "file has 1001 lines"),
    ("a long kernel", {"a.cuh": "__device__ void f() {\n" + LONG_BODY + "}\n"},
     "a.cuh:1: function has 132 lines"),
    ("a long lit file", {"a.mlir": "//\n" * 801}, "file has 801 lines"),
    ("a long function", {
        "a.cpp": "namespace n {\nint A::f(int x) const {\n" + LONG_BODY
                 + "}\n}\n",
    }, "a.cpp:2: function has 132 lines"),
    ("a long device function", {
        "a.cuh": "template <int n> DSV4_DEVICE void f() {\n" + LONG_BODY
                 + "}\n",
    }, "a.cuh:1: function has 132 lines"),
    ("braces in strings and comments do not count", {
        "a.cpp": 'void f() { // {\n  g("{", \'{\'); /* { */\n}\n'
                 "void h() {\n" + LONG_BODY + "}\n",
    }, "a.cpp:4: function has 132 lines"),
    ("a long Python function", {
        "a.py": "def f():\n" + "    x()\n" * 130,
    }, "a.py:1: function has 131 lines"),
    ("a long path", {"a" * 40 + "/" + "b" * 40: ""}, "the path has 81"),
]

if __name__ == "__main__":
    sys.exit(tree.main("check_budgets", check, CASES))
