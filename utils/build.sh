#!/bin/bash
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Configures the release preset if it is not, and builds the named targets
# (none: all). DSV4_PRESET=dev|asan|tsan picks another preset.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${DSV4_PRESET:-release}
folder=build
[ "$preset" = release ] || folder=build-$preset

[ -f "$folder/build.ninja" ] || cmake --preset "$preset" -Wno-dev
quiet=()
[ -t 1 ] || quiet=(--quiet)
ninja -C "$folder" "${quiet[@]}" "${@:-all}"
