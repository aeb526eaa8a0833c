#!/bin/sh
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# run.sh PYTHON TOOL DIRECTORY...: compare_hf.py with that Python, or with the
# one that DSV4_TEST_PYTHON names. Without such a Python the test is skipped
# (exit code 77).
python=${DSV4_TEST_PYTHON:-$1}
shift
if ! "$python" -c '' 2>/dev/null; then
  echo "skipped: no Python at $python; set DSV4_TEST_PYTHON to one that has" \
       "the package tokenizers"
  exit 77
fi
exec "$python" "$(dirname "$0")/compare_hf.py" "$@"
