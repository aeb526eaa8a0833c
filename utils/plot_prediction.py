#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""plot_prediction.py < JSON > PLOT.svg: what `compile-model predict --json`
says as bars, one panel for each prediction: the kinds of phases, dependencies
(from low to high) and the floor. With the standard library alone."""
import html
import json
import sys

WIDTH, LEFT, RIGHT, ROW = 720, 200, 90, 18
LEAST = 0.005  # of the time of all phases: less is "others"


def bars(prediction):
    """-> [(name, seconds, further seconds up to the high figure)]"""
    kinds, low, high = {}, 0, 0
    for step in prediction["steps"]:
        for phase in step["phases"]:
            kind = phase["kind"]
            kinds[kind] = kinds.get(kind, 0) + phase["predicted_seconds"]
        edge = step["assumed_edge_seconds"]
        low += step["launches_waited_for"] * edge[0]
        high += step["launches_waited_for"] * edge[1]
    whole = sum(kinds.values())
    shown = {k: s for k, s in kinds.items() if s >= LEAST * whole}
    out = [(k, s, 0) for k, s in sorted(shown.items(), key=lambda i: -i[1])]
    out.append(("other kinds", whole - sum(shown.values()), 0))
    out.append(("waiting for launches", low, high - low))
    total = prediction["predicted_seconds"]
    out.append(("predicted, in all", total[0], total[1] - total[0]))
    out.append(("floor", prediction["floor_seconds"], 0))
    return out


def panel(prediction, top):
    """-> (lines of SVG, height)"""
    rows = bars(prediction)
    longest = max(low + more for _, low, more in rows)
    scale = (WIDTH - LEFT - RIGHT) / longest
    title = html.escape(f'{prediction["title"]}, predicted')
    out = [f'<text x="10" y="{top + 14}" font-weight="bold">{title}</text>']
    for i, (name, low, more) in enumerate(rows):
        y = top + 24 + i * ROW
        colour = "#1e8449" if name == "floor" else "#2471a3"
        words = f"{low * 1e3:.2f}"
        if more:
            words += f" to {(low + more) * 1e3:.2f}"
        out += [f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">'
                f'{html.escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{low * scale:.1f}" '
                f'height="{ROW - 4}" fill="{colour}"/>',
                f'<rect x="{LEFT + low * scale:.1f}" y="{y}" '
                f'width="{more * scale:.1f}" height="{ROW - 4}" '
                f'fill="{colour}" opacity="0.4"/>',
                f'<text x="{LEFT + (low + more) * scale + 4:.1f}" '
                f'y="{y + 12}">{words} ms</text>']
    return out, 24 + len(rows) * ROW + 16


def main():
    root = json.load(sys.stdin)
    if not root.get("is_prediction"):
        sys.exit("plot_prediction: expected the JSON of compile-model predict")
    lines, top = [], 10
    for prediction in root["predictions"]:
        more, height = panel(prediction, top)
        lines += more
        top += height
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
          f'height="{top}" font-family="sans-serif" font-size="12">')
    print(f'<rect width="{WIDTH}" height="{top}" fill="white"/>')
    print("\n".join(lines + ["</svg>"]))


main()
