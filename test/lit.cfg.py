# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The lit suite: every .mlir and .test file below test/. Tools are taken from
# build/bin and from LLVM's own folder; nothing else is searched.

import glob
import os
import shutil
import subprocess

import lit.formats

config.name = "dsv4c"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "data", "unit"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.dsv4_binary_dir, "test", "lit")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.dsv4_binary_dir, "bin"), config.llvm_tools_dir,
     os.environ.get("PATH", "/usr/bin:/bin")])
config.environment["LC_ALL"] = "C.UTF-8"
# What scripts of several folders import.
config.environment["PYTHONPATH"] = os.path.join(config.test_source_root,
                                                "Inputs")
# Sanitizer reports must fail a test even where it expects exit code 1.
config.environment["ASAN_OPTIONS"] = "exitcode=99:detect_leaks=0"
config.environment["UBSAN_OPTIONS"] = "print_stacktrace=1"

venv_python = os.path.join(config.dsv4_source_dir, "build", "venv", "bin",
                           "python")
python = venv_python if os.access(venv_python, os.X_OK) else "/usr/bin/python3"


def importable(module):
    return subprocess.run([python, "-c", f"import {module}"],
                          capture_output=True).returncode == 0


def has_nvrtc():
    """Where the search of the project must find it: asked of the file system,
    so that a search which finds nothing fails tests instead of skipping them."""
    venv = os.path.join(config.dsv4_source_dir, "build", "venv")
    places = [os.path.join(venv, "lib", "python3*", "site-packages", "nvidia",
                           "*", "lib"),
              "/usr/local/cuda*/lib64"]
    return any(glob.glob(os.path.join(place, "libnvrtc.so*"))
               for place in places)


def cpu_flags():
    try:
        with open("/proc/cpuinfo") as info:
            for line in info:
                if line.startswith(("flags", "Features")):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


config.substitutions += [
    ("%src", config.dsv4_source_dir),
    ("%tiny", os.path.join(config.dsv4_source_dir, "samples", "tiny-chat")),
    ("%goldens", os.path.join(config.dsv4_source_dir, "test", "data",
                              "goldens")),
    ("%python", python),
]

flags = cpu_flags()
features = {
    "x86_64": os.uname().machine == "x86_64",
    "avx2": {"avx2", "fma"} <= flags,
    "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags,
    "avx512bf16": "avx512_bf16" in flags,
    "root": os.geteuid() == 0,
    "sanitizers": bool(config.dsv4_sanitize),
    "emulation": os.path.exists(os.path.join(
        config.dsv4_binary_dir, "test", "emulated-driver", "libcuda.so.1")),
    "numpy": importable("numpy"),
    "tokenizers": importable("tokenizers"),
    "nvcc": shutil.which("nvcc") is not None,
    "nvrtc": has_nvrtc(),
}
config.available_features.update(f for f, there in features.items() if there)
