#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Fails when a file includes what its layer may not see. Includes are written
# from the root of the repository, so an include line names its layer; the
# include path alone would forbid nothing. docs/architecture.md explains the
# table.
"""Checks every #include against the table of layers."""

import re
import sys

import tree

FREE = ["runtime/abi", "runtime/numerics"]  # may be included by everybody
IR = ["mlir", "llvm"]

# layer: what it may include besides itself. The longest prefix of a path
# decides its layer. "mlir", "llvm", "lld" and so on are third-party roots.
LAYERS = {
    "runtime/abi": [],
    "runtime/numerics": [],
    "runtime/base": FREE,
    "runtime/text": FREE + ["runtime/base"],
    "runtime/device": FREE + ["runtime/base"],
    "runtime/core": FREE + ["runtime/base", "runtime/device"],
    # device: for what info and bench say about it.
    "runtime/serve": FREE + ["runtime/base", "runtime/text", "runtime/core",
                             "runtime/device"],
    "dialects/qfmt": FREE + IR,
    "dialects/dsv4": FREE + IR + ["dialects/qfmt"],
    "dialects/kern": FREE + IR + ["dialects/qfmt"],
    "targets/common": FREE + IR + ["dialects/qfmt", "dialects/kern", "toml++"],
    "targets/cpu": FREE + IR + ["dialects/qfmt", "dialects/kern",
                                "targets/common"],
    # Device code is freestanding: NVRTC compiles it without an include folder,
    # and what it shares with the host comes from memory (DeviceSources).
    "targets/cuda/device": FREE,
    # Runs device code on the CPU; no MLIR and no LLVM.
    "targets/cuda/emulation": ["targets/cuda/device"],
    # No kern here: the toolchain knows CUDA and files, not programs.
    "targets/cuda/toolchain": FREE + ["llvm", "targets/common",
                                      "targets/cuda/CudaTarget.h"],
    "targets/cuda": FREE + IR + ["dialects/qfmt", "dialects/kern",
                                 "targets/common", "targets/cuda"],
    # The compiler sees the runtime only through formats that both sides share
    # and the tokenizer's compiled form.
    "compiler": FREE + IR + ["dialects", "targets", "compiler", "lld",
                             "nlohmann", "toml++", "runtime/base/hash.h",
                             "runtime/core/payload_format.h", "runtime/text"],
    # Measures on the runtime's own workers, beside the machine's limits.
    "compiler/tune": FREE + IR + ["targets", "compiler/tune",
                                  "runtime/base", "runtime/core/ceiling.h"],
    "compiler/tools": FREE + IR + ["dialects", "targets", "compiler", "CLI",
                                   "nlohmann", "runtime/text", "runtime/base",
                                   "runtime/core/ceiling.h"],
    "test": ["*"],
    "samples": ["runtime/core"],
}

# Nobody includes these, except files of the same folder.
PRIVATE = ["compiler/tools", "test", "samples"]

# C++ headers whose code needs the C++ library at run time, or memory after
# start; the generated executable links libc and libm alone.
RUNTIME_FORBIDDEN = set("""
any barrier condition_variable deque exception filesystem format forward_list
fstream functional future iomanip ios iostream istream list locale map memory
memory_resource mutex ostream queue random regex semaphore set shared_mutex
sstream stack stdexcept streambuf string syncstream system_error thread
unordered_map unordered_set variant vector
""".split())

THIRD_PARTY = ["mlir", "llvm", "llvm-c", "lld", "nlohmann", "toml++", "CLI",
               "gtest", "gmock", "benchmark"]
SUFFIXES = (".h", ".cpp", ".c", ".td", ".inc", ".S", ".cuh", ".cu")
INCLUDE = re.compile(r'^\s*#?\s*include\s+([<"])([^">]+)[">]')


def under(path, prefix):
    return path == prefix or path.startswith(prefix + "/")


def layer_of(path):
    found = [layer for layer in LAYERS if under(path, layer)]
    return max(found, key=len) if found else None


def judge(layer, kind, target):
    """Why `layer` may not include `target`, or None."""
    third = next((t for t in THIRD_PARTY if under(target, t)), None)
    allowed = LAYERS[layer]
    if third is None and kind == "<":
        if layer == "targets/cuda/device":
            return f"device code is freestanding, without <{target}>"
        if layer.startswith("runtime") and target in RUNTIME_FORBIDDEN:
            return (f"<{target}> needs the C++ library or memory at run time, "
                    "which the runtime does without")
        return None
    if "*" in allowed:
        return None
    if third is not None:
        if any(under(target, a) for a in allowed):
            return None
        return f"layer {layer} may not include {third}"
    target_layer = layer_of(target)
    if target_layer is None:
        return (f'"{target}" is not below a known layer: includes are written '
                "from the root of the repository")
    if target_layer == layer:
        return None
    if any(under(target_layer, p) for p in PRIVATE):
        return f"nobody may include {target_layer}"
    if any(under(target, a) for a in allowed):
        return None
    return f"layer {layer} may not include {target_layer}"


def check(root):
    errors = []
    checked = 0
    for name in tree.project_files(root):
        layer = layer_of(name)
        if layer is None or not name.endswith(SUFFIXES):
            continue
        checked += 1
        for number, line in enumerate(tree.read(root, name).splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            why = judge(layer, match.group(1), match.group(2))
            if why:
                errors.append(f"{name}:{number}: {why}")
    return [], errors, checked


CASES = [
    ("a clean tree passes", {
        "runtime/base/a.cpp": '#include "runtime/abi/program.h"\n'
                              "#include <string.h>\n",
        "dialects/kern/IR/K.h": '#include "mlir/IR/BuiltinTypes.h"\n'
                                '#include "dialects/qfmt/IR/QFmt.h"\n',
        "compiler/tools/t.cpp": '#include "compiler/link/L.h"\n',
    }, None),
    ("the runtime may not see LLVM", {
        "runtime/core/a.cpp": '#include "llvm/ADT/StringRef.h"\n',
    }, "a.cpp:1: layer runtime/core may not include llvm"),
    ("the runtime may not see the compiler", {
        "runtime/serve/a.cpp": '\n#include "compiler/link/L.h"\n',
    }, "a.cpp:2: layer runtime/serve may not include compiler"),
    ("arrows point down inside the runtime", {
        "runtime/base/a.h": '#include "runtime/core/engine.h"\n',
    }, "layer runtime/base may not include runtime/core"),
    ("the runtime does without the C++ library", {
        "runtime/core/a.cpp": "#include <vector>\n",
    }, "<vector> needs the C++ library"),
    ("numerics includes nothing of the project", {
        "runtime/numerics/a.h": '#include "runtime/abi/program.h"\n',
    }, "layer runtime/numerics may not include runtime/abi"),
    ("dsv4 and kern do not know each other", {
        "dialects/dsv4/IR/D.td": 'include "dialects/kern/IR/K.td"\n',
    }, "layer dialects/dsv4 may not include dialects/kern"),
    ("device code sees itself and the arithmetic", {
        "targets/cuda/device/a.cuh": '#include "targets/cuda/device/b.h"\n'
                                     '#include "runtime/numerics/formats.h"\n',
    }, None),
    ("device code sees nothing else of the runtime", {
        "targets/cuda/device/a.cuh": '#include "runtime/base/status.h"\n',
    }, "layer targets/cuda/device may not include runtime/base"),
    ("targets never see dsv4", {
        "targets/cpu/a.cpp": '#include "dialects/dsv4/IR/D.h"\n',
    }, "layer targets/cpu may not include dialects/dsv4"),
    ("device code is freestanding", {
        "targets/cuda/device/a.cuh": "#include <stdint.h>\n",
    }, "device code is freestanding, without <stdint.h>"),
    ("device code does not know the emulator", {
        "targets/cuda/device/a.h":
            '#include "targets/cuda/emulation/Emulator.h"\n',
    }, "layer targets/cuda/device may not include targets/cuda/emulation"),
    ("nobody includes the tools", {
        "compiler/link/a.cpp": '#include "compiler/tools/t.h"\n',
    }, "nobody may include compiler/tools"),
    ("the compiler may not see runtime code", {
        "compiler/pack/a.cpp": '#include "runtime/core/executor.h"\n',
    }, "layer compiler may not include runtime/core"),
    ("includes start at the root", {
        "compiler/pack/a.cpp": '#include "WeightPacker.h"\n',
    }, "is not below a known layer"),
]

if __name__ == "__main__":
    sys.exit(tree.main("check_layers", check, CASES))
