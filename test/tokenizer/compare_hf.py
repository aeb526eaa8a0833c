# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares dsv4-tokenize with Hugging Face `tokenizers`, id by id.

    compare_hf.py TOOL DIRECTORY... [--count N] [--seed N] [--exhaustive]

For every tokenizer directory: varied random texts (code, CJK, emoji, combining
marks, digits, white space, invalid UTF-8, control tokens inside text, long
repeats), with control tokens parsed and as plain text, and every code point of
Unicode in several contexts. Bytes that are no UTF-8 go to Hugging Face decoded
with errors="replace". Exit code 77 (skipped) without the package.
"""

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import time

try:
    import tokenizers
except ImportError:
    print("skipped: this Python has no package `tokenizers`")
    sys.exit(77)

CODE = [
    "def f(x):\n    return x**2 + 1\n",
    "int main(int argc, char **argv) {\n\treturn argc > 1 ? 0 : -1;\n}\n",
    "for (auto &[k, v] : map) std::cout << k << ':' << v << '\\n';\r\n",
    "<html>\n  <body class=\"a-b\">&nbsp;&#169;</body>\n</html>\n",
    "SELECT * FROM t WHERE a_b='x' AND c<>3.14e-10; -- note\n",
    "#!/bin/sh\nset -euo pipefail\necho \"${HOME:-/root}\" | sed 's/a/b/g'\n",
    "{\"a\": [1, 2.5, null, true], \"b\\u00e9\": {}}\n",
    "\\begin{align}\\frac{1}{2}\\sum_{i=0}^{n} x_i^2\\end{align}\n",
    "0x1F + 0b1010 == 1_000_000;//c\n\n\n\n\t\t\t}\n",
    "https://example.com/a/b?c=d&e=%20f#g user@host.org\n",
]
WORDS = (
    "the The THE of and to hello world Hello's don't I'LL we're can't "
    "internationalisation antidisestablishmentarianism x yz camelCaseName "
    "snake_case_name Straße façade naïve ÅNGSTRÖM İstanbul привет мир Ωμέγα "
    "שלום עולם مرحبا بالعالم नमस्ते दुनिया สวัสดี 안녕하세요 xin chào việt"
).split()
CJK = (
    "该助手由深度求索公司创造。今天是星期五，你好！世界著名温泉有哪些？「日本語」の"
    "テスト・カタカナとひらがな゛゜ー々〇㐀龥龦龿ㇰ﨑𠀀𪚥゠ヿ぀ゟ゙゚漢字仮名交じり文"
)
EMOJI = "😀👍🏽👨‍👩‍👧‍👦🇩🇪❤️☃✈️🏳️‍🌈🤷🏻‍♀️⌚️1️⃣©®™∑≈€"
MARKS = "é e\u0301 a\u0300\u0316\u0301 \u0301x नि क्षि ก็ ำ \u200d\u200c\ufe0f\u20dd\u0488"
DIGITS = "0123456789٠١٢३४५ⅣⅫ½¾²³①⑳๑๒１２３𝟘𝟙〇一二"
SPACES = " \t\n\r\v\f\x85\xa0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
OTHER = "\x00\x01\x1b\x7f\xad\u0600\u070f\u2060\ue000\uf8ff\ufffe\uffff\ufffd\U000e0001\U0010ffff\u0378\u3097"
BAD = [
    b"\x80", b"\xff", b"\xc0\xaf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\x80", b"\xf8\x88\x80\x80\x80",
    b"\xef\xbf\xbd", b"\xef\xbd", b"<\xef\xbd", b"<\xef\xbd\x9cUser\xef\xbd",
]


def any_code_point(rng):
    plane = rng.choice([0x80, 0x800, 0x3000, 0x10000, 0x20000, 0x110000])
    while True:
        cp = rng.randrange(plane)
        if not 0xD800 <= cp < 0xE000:
            return chr(cp)


def fragment(rng, specials):
    """One piece of text as bytes."""
    kind = rng.randrange(16)
    if kind < 3:
        sep = rng.choice([" ", " ", "  ", ", ", "\n", ""])
        text = sep.join(rng.choice(WORDS) for _ in range(rng.randint(1, 12)))
    elif kind == 3:
        text = rng.choice(CODE)
    elif kind == 4:
        start = rng.randrange(len(CJK))
        text = CJK[start : start + rng.randint(1, 20)]
    elif kind == 5:
        text = "".join(rng.choice(EMOJI) for _ in range(rng.randint(1, 8)))
    elif kind == 6:
        text = "".join(rng.choice(MARKS + "abc ") for _ in range(rng.randint(1, 10)))
    elif kind == 7:
        text = "".join(rng.choice(DIGITS) for _ in range(rng.randint(1, 14)))
    elif kind == 8:
        text = "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 9)))
    elif kind == 9:
        text = rng.choice(" \n\t\r") * rng.randint(1, 40)
    elif kind == 10:
        text = "".join(chr(rng.randrange(0x21, 0x7F)) for _ in range(rng.randint(1, 20)))
    elif kind == 11:
        text = "".join(rng.choice(OTHER) for _ in range(rng.randint(1, 5)))
    elif kind == 12:
        text = "".join(any_code_point(rng) for _ in range(rng.randint(1, 12)))
    elif kind == 13:
        return rng.choice(BAD) * rng.randint(1, 3)
    elif kind == 14:
        token = rng.choice(specials)
        cut = rng.randint(1, len(token))
        text = rng.choice([token, token, token * 2, token[:cut], token[cut:], token[:-1] + " "])
    else:
        return bytes(rng.randrange(256) for _ in range(rng.randint(1, 12)))
    return text.encode()


def long_repeats(rng):
    units = ["a", " ", "\n", "ab", "aA", "0", "!", "é", "你", "の", "\u0301", " \n",
             "😀", "\x00", "-", "=", "Ġ", "abcdefghij", "a ", ".a", "\u00a0", "\t"]
    for unit in units:
        yield (unit * (3000 // len(unit) + rng.randint(0, 9))).encode()
    for byte in (b"\xff", b"\xe2\x82", b"\xf0\x9f"):
        yield byte * 900
    yield "".join(rng.choice("ab") for _ in range(5000)).encode()
    yield "".join(rng.choice("etaoinshrdlu") for _ in range(20000)).encode()


def make_texts(rng, count, specials):
    texts = [b"", b" ", b"\n", b"The capital of France is", b"Hello, world!"]
    texts += list(long_repeats(rng))
    texts += [token.encode() for token in specials]
    while len(texts) < count + len(specials):
        texts.append(b"".join(fragment(rng, specials) for _ in range(rng.randint(1, 12))))
    return texts


def all_code_points(exhaustive):
    """Code points alone and in contexts, 64 to a text: planes 0 and 1 whole,
    of the others, which are nearly uniform, every 13th (or all)."""
    forms = ["{0}", "a{0}b", " {0}{0}", "1{0}2", ".{0}a", "{0}\n", "の{0}漢", "  {0} "]
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000
              and (exhaustive or c < 0x20000 or c % 13 == 0)]
    for form in forms:
        for i in range(0, len(points), 64):
            yield "\n\n".join(form.format(chr(c)) for c in points[i : i + 64]).encode()


def run_tool(tool, directory, texts, options):
    lines = b"\n".join(base64.b64encode(t) for t in texts) + b"\n"
    done = subprocess.run([tool, directory, *options], input=lines,
                          stdout=subprocess.PIPE, check=True)
    rows = done.stdout.decode().split("\n")[:-1]
    if len(rows) != len(texts):
        sys.exit(f"expected {len(texts)} lines from {tool}, found {len(rows)}")
    return [[int(x) for x in row.split()] for row in rows]


def compare(name, tool, directory, reference, texts, options):
    ours = run_tool(tool, directory, texts, options)
    decoded = [t.decode("utf-8", errors="replace") for t in texts]
    theirs = []
    for i in range(0, len(decoded), 4096):
        theirs += [e.ids for e in reference.encode_batch(decoded[i : i + 4096], add_special_tokens=False)]
    bad = [i for i in range(len(texts)) if ours[i] != theirs[i]]
    ids = sum(len(t) for t in theirs)
    print(f"{name}: {len(texts)} texts, {ids} ids, {len(bad)} differ", flush=True)
    for i in bad[:5]:
        at = next((k for k, (a, b) in enumerate(zip(ours[i], theirs[i])) if a != b), -1)
        print(f"  text {texts[i][:300]!r}\n  at id {at}: ours {ours[i][max(at - 2, 0):at + 8]}"
              f"\n  expected {theirs[i][max(at - 2, 0):at + 8]}")
    return len(bad)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("directories", nargs="+")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exhaustive", action="store_true",
                        help="every code point of every plane, minutes")
    args = parser.parse_args()
    print(f"tokenizers {tokenizers.__version__}, seed {args.seed}")
    failures = 0
    for number, directory in enumerate(args.directories):
        started = time.time()
        path = os.path.join(directory, "tokenizer.json")
        with open(path, encoding="utf-8") as file:
            root = json.load(file)
        specials = [t["content"] for t in root["added_tokens"]]
        full = tokenizers.Tokenizer.from_file(path)
        root["added_tokens"] = []
        plain = tokenizers.Tokenizer.from_str(json.dumps(root))
        texts = make_texts(random.Random(args.seed), args.count, specials)
        label = os.path.basename(os.path.abspath(directory))
        failures += compare(f"{label} parsed", args.tool, directory, full, texts, [])
        failures += compare(f"{label} plain", args.tool, directory, plain, texts, ["--no-special"])
        if number == 0:  # the classes do not depend on the vocabulary
            failures += compare(f"{label} code points", args.tool, directory,
                                plain, list(all_code_points(args.exhaustive)), ["--no-special"])
        print(f"{label}: {time.time() - started:.1f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
