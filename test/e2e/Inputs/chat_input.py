# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""chat_input.py EXECUTABLE WORKDIR

Input of chat that nobody types, with an EXECUTABLE of context 1024; a damaged
tokenizer; Ctrl-C during self-test. One line per case.
"""
import os
import pty
import re
import signal
import subprocess
import sys

import cases
from cases import say

executable, work = sys.argv[1:3]
paris = b"What is the capital of France?"


def chat(data, *flags, **options):
    """-> exit code, answers, new tokens of each turn, messages."""
    r = subprocess.run([executable, "chat", "--temp", "0", "-n", "12", "-v",
                        *flags], capture_output=True, timeout=120,
                       **({"input": data} if data is not None else {}),
                       **options)
    log = r.stderr.decode("utf-8", "replace")
    new = [int(n) for n in re.findall(r"(\d+) of them new", log)]
    return r.returncode, r.stdout, new, log


def refused(name, data, words, *flags, turns=0, code=2, **options):
    """Exit `code`, `words`, and only the answers of `turns` turns before."""
    got, out, new, log = chat(data, *flags, **options)
    errors = re.findall(r"error: .*", log)
    say(name, got == code and len(errors) == 1 and words in errors[0] and
        len(new) == turns and out.count(b"\n") == turns, f"[{got}] {errors}")


def length_cases():
    # The text of a conversation: 1024 * 16 + 65536 bytes.
    full = "the conversation is full: at most 4096 messages of together 81920"
    tokens = "more tokens than the context, 1024"
    refused("line of 81921 bytes", b"x" * 81921 + b"\n", full)
    refused("line of 81921 bytes, no end", b"x" * 81921, full)
    refused("line of 81920 bytes", b"x" * 81920 + b"\n", tokens)
    refused("line of 5 MB", b"word " * 1000000 + b"\nhi\n", full)
    refused("long second line", b"hi\n" + b"x" * 81920 + b"\nhi\n", full,
            turns=1)
    refused("second line beyond the context", b"hi\n" + b"word " * 2000 +
            b"\n", tokens, turns=1)
    refused("system message of 100000 bytes", b"hi\n", full, "--system",
            "x" * 100000)
    refused("system message beyond the context", b"hi\n", tokens, "--system",
            "word " * 2000)


def byte_cases():
    """A zero byte is a byte of the line like others, and ends nothing."""
    code, out, new, _ = chat(paris + b"\n")
    say("Paris", code == 0 and b"Paris" in out and len(new) == 1, out)
    _, _, zeros, _ = chat(paris + b"\0\0\0\n")
    say("zero bytes count", zeros[0] - new[0] in (1, 2, 3), f"{zeros} {new}")
    _, _, inner, _ = chat(b"\0" + paris + b"\n")
    say("zero byte at the start", len(inner) == 1 and inner[0] > new[0],
        f"{inner}")
    code, out, turns, _ = chat(b"/exit\0\n/reset\0\n\0\n")
    say("no commands", code == 0 and len(turns) == 3, f"[{code}] {turns}")
    code, out, turns, _ = chat(b"\xff\xfe\xc3\n")
    say("no UTF-8", code == 0 and len(turns) == 1, f"[{code}] {turns}")
    _, crlf, turns, _ = chat(paris + b"\r\n\r\n")
    say("CR LF", b"Paris" in crlf and turns == new, crlf)


def end_cases():
    for name, data, turns in (("no input", b"", 0), ("empty lines", b"\n\n", 0),
                              ("end in a line", paris, 1),
                              ("end in the second line", b"hi\n" + paris, 2)):
        code, out, new, log = chat(data)
        say(name, code == 0 and len(new) == turns and
            out.count(b"\n") == turns and "error" not in log, f"[{code}] {out}")
        if turns:
            say(name + ", answered", b"Paris" in out, out)
    folder = os.open("/", os.O_RDONLY)
    refused("stdin is a folder", None, "stdin: cannot be read", stdin=folder,
            code=1)
    p = subprocess.Popen([executable, "chat", "--temp", "0"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    p.stdin.write(paris + b"\nhalf a li")
    p.stdin.flush()
    line = p.stdout.readline()
    p.send_signal(signal.SIGINT)
    out, log = p.communicate(timeout=60)
    say("Ctrl-C in a line", p.returncode == 130 and b"Paris" in line and
        not out and b"interrupted" in log, f"[{p.returncode}] {log}")


def tokenizer_cases():
    """The tables' header behind its magic, wherever one lies in the file: the
    number of tokens becomes another."""
    with open(executable, "rb") as f:
        image = bytearray(f.read())
    at = -1
    while (at := image.find(b"DSV4TOK1", at + 1)) >= 0:
        if image[at + 8:at + 12] == b"\1\0\0\0":
            image[at + 16] ^= 1
    damaged = os.path.join(work, "damaged")
    with open(damaged, "wb") as f:
        f.write(image)
    os.chmod(damaged, 0o755)
    for command in (["chat"], ["run", "-p", "hi"]):
        r = subprocess.run([damaged, *command], input=b"hi\n",
                           capture_output=True, timeout=60)
        say(f"damaged tokenizer, {command[0]}", r.returncode == 1 and
            not r.stdout and b"error: the tokenizer data is damaged" in
            r.stderr, f"[{r.returncode}] {r.stderr}")
    r = subprocess.run([damaged, "self-test"], capture_output=True, timeout=60)
    say("damaged tokenizer, self-test", r.returncode == 1 and
        re.search(rb"tokenizer +the tokenizer data is damaged", r.stdout) and
        r.stdout.endswith(b"\nFAILED\n"), f"[{r.returncode}]")


def self_test_case():
    """stdout is a terminal here, so that its first line is seen at once."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen([executable, "self-test", "--threads", "1"],
                         stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    out = os.read(ours, 4096)
    p.send_signal(signal.SIGINT)
    log = p.communicate(timeout=60)[1]
    try:
        while more := os.read(ours, 4096):
            out += more
    except OSError:  # all has been read
        pass
    say("Ctrl-C in self-test", p.returncode == 130 and b"ok" in out and
        b"passed" not in out and log == b"error: interrupted\n",
        f"[{p.returncode}] {log}")


def main():
    length_cases()
    byte_cases()
    end_cases()
    tokenizer_cases()
    self_test_case()
    cases.finish()


main()
