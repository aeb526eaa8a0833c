#!/bin/bash
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Fails when a C++ file is not formatted as clang-format 22 (pinned: versions
# differ) would format it with the .clang-format at the root.
#
#   utils/check_format.sh [--fix | --self-test]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool=/usr/lib/llvm-22/bin/clang-format
[ -x "$tool" ] || { echo "check_format: $tool is missing" >&2; exit 1; }

list_files() {
  if [ -e .git ]; then
    # New files too, before they are added.
    git ls-files -z --cached --others --exclude-standard -- \
      '*.h' '*.cpp' '*.c' '*.cuh' '*.cu' |
      grep -zv '^samples/' | while
      IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"
    done
  else
    find . -path './build*' -prune -o -path ./samples -prune -o \
      \( -name '*.h' -o -name '*.cpp' -o -name '*.c' -o -name '*.cuh' \
      -o -name '*.cu' \) -print0
  fi
}

# The answer must be "no" for a badly formatted file and "yes" for a good one.
self_test() {
  local folder
  folder=$(mktemp -d)
  trap "rm -rf '$folder'" EXIT
  cp .clang-format "$folder"
  printf 'int  f( ){return 1;}\n' >"$folder/bad.cpp"
  printf 'int f() { return 1; }\n' >"$folder/good.cpp"
  "$tool" --dry-run -Werror "$folder/good.cpp"
  if "$tool" --dry-run -Werror "$folder/bad.cpp" 2>/dev/null; then
    echo "check_format: a badly formatted file passed" >&2
    exit 1
  fi
  echo "self-test: 2 passed, 0 failed"
}

case "${1:-}" in
  --self-test) self_test ;;
  --fix) list_files | xargs -0r "$tool" -i ;;
  "") list_files | xargs -0r -P 2 -n 16 "$tool" --dry-run -Werror ;;
  *) echo "usage: $0 [--fix | --self-test]" >&2; exit 2 ;;
esac
