#!/bin/bash
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what is missing, builds everything, runs every suite through ctest.
# The last line counts single test cases: "N passed, N failed, N skipped".
# Arguments go to ctest, e.g. utils/test.sh -R lit
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${DSV4_PRESET:-release}
folder=build
[ "$preset" = release ] || folder=build-$preset

utils/install-deps.sh --test
utils/build.sh all
exec /usr/bin/python3 utils/run_tests.py "$folder" "$@"
