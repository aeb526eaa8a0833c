# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""memory_of_bench.py EXECUTABLE CONTEXT [BENCH OPTION...]

Fills the whole context several times in one bench, and holds its memory against
the plan: no more anonymous memory than planned, and nothing taken after the
first pass. The mappings are looked at from outside, while bench stands still.
"""
import json
import os
import signal
import subprocess
import sys
import time

PASSES = 4
GENERATED = 64  # of the context, the rest is prompt
# Stacks of the workers as far as they are used, tables and output buffer of
# bench: about 100 KiB with 2 workers.
BESIDE_THE_PLAN = 256 << 10
# The kernel counts pages in batches. Less than 512 bytes for each step of a
# pass, which runs twice: one that counts and one that does not.
COUNTING = 64 << 10

executable, context, *options = sys.argv[1:]


def mappings(pid):
    """Address ranges and what is there; their sum is the address space."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return [line.split() for line in f]


def stopped(pid):
    while True:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            if f.read().rsplit(")", 1)[1].split()[0] == "T":
                return
        time.sleep(0.001)


def check(holds, *what):
    if not holds:
        sys.exit(" ".join(map(str, what)))


command = [executable, "bench", "-p", "0", "-n",
           ",".join([str(GENERATED)] * PASSES), "-d",
           str(int(context) - GENERATED), "-r", "1", "-c", context, "-o",
           "jsonl", *options]
rows, maps = [], []
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bench:
    for line in bench.stdout:
        rows.append(json.loads(line))
        if len(rows) < PASSES:  # the process ends behind the last row
            os.kill(bench.pid, signal.SIGSTOP)
            stopped(bench.pid)
            maps.append(mappings(bench.pid))
            os.kill(bench.pid, signal.SIGCONT)
check(bench.returncode == 0 and len(rows) == PASSES, "bench failed:", rows)

for row in rows:
    parts = [row[f"plan_{part}_bytes"]
             for part in ("state", "buffer", "scratch", "rest")]
    check(sum(parts) == row["plan_bytes"] and min(parts) > 0,
          "parts of the plan:", parts, row["plan_bytes"])
plan, first, last = (rows[0]["plan_bytes"], rows[1]["anon_peak_bytes"],
                     rows[-1]["anon_peak_bytes"])
check(last <= plan + BESIDE_THE_PLAN, last, "bytes taken, planned were", plan)
# Else it is not this engine's memory that was measured.
check(last >= plan // 2, last, "bytes taken, of", plan, "planned")
# From the second pass on: the first row that is printed takes bench's buffers.
check(last - first <= COUNTING, "anonymous memory grew from", first, "to", last)
for now in maps[1:]:
    check(now == maps[0], "mappings changed:",
          [m for m in now if m not in maps[0]])
print(f"memory: within the plan, {len(maps[0])} mappings from first to last")
