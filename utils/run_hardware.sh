#!/bin/bash
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Runs dsv4-hardware beside it: tests and times of phases on a GPU, logs in $OUT
# (here, without one). docs/cuda-hardware-tests.md says how to read them.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here}
cubin=$(ls "$here"/*.cubin | head -1)
{ nvidia-smi -q -d CLOCK,POWER,TEMPERATURE 2>&1 | head -60; uname -r; } \
  > "$out/machine.log"
timeout 200 "$here/dsv4-hardware" test "$cubin" > "$out/tests.log" 2>&1
code=$?
# No GPU: one line is enough.
if [ $code = 3 ]; then
  cat "$out/tests.log"
  exit 3
fi
timeout 90 "$here/dsv4-hardware" time "$cubin" > "$out/times.log" 2>&1
times=$?
grep -E "SUMMARY|FAULT|HANG|LOST|tensor|chain|numbers" "$out/tests.log" |
  cut -c1-240 | tail -90
cut -c1-200 "$out/times.log" | grep -vE "^(Running|Note)" | tail -110
echo "tests: exit $code, times: exit $times"
exit $code
