# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""chat_from_nothing.py EXECUTABLE TURNS ANSWERS COUNT

Answers each of the first COUNT turns by a `run` of its own, over the whole
conversation so far in the official form, and compares with what chat said.
"""
import subprocess
import sys

executable, turns, answers, count = sys.argv[1:5]
with open(turns, encoding="utf-8") as f:
    users = f.read().split("\n")[:int(count)]
with open(answers, encoding="utf-8") as f:
    said = f.read().split("\n")[:int(count)]
end = "<｜end▁of▁sentence｜>"
prompt = "<｜begin▁of▁sentence｜>"
for user, expected in zip(users, said, strict=True):
    prompt += f"<｜User｜>{user}<｜Assistant｜></think>"
    r = subprocess.run([executable, "run", "--raw", "--temp", "0"],
                       input=prompt, capture_output=True, text=True,
                       check=True, timeout=120)
    if r.stdout != expected + end:
        sys.exit(f"chat said {expected!r}, from nothing it is {r.stdout!r}")
    prompt += expected + end
