#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""plot_roofline.py < TABLE > PLOT.svg: the table that kernel-bench prints as a
roofline, multiply-adds per byte of weights against multiply-adds per second.
Limits are the medians of those that the table's percentages imply. One number
of threads at a time. With the standard library alone."""
import math
import statistics
import sys

WIDTH, HEIGHT, LEFT, TOP = 720, 420, 70, 20
BOTTOM, RIGHT = HEIGHT - 50, WIDTH - 110
COLOURS = {"fp4": "#c0392b", "fp8": "#2471a3", "bf16": "#1e8449"}


def read(lines):
    """-> [(format, rows, GB/s, of the read limit, G/s, of the dot limit)]"""
    out = []
    for line in lines:
        cells = [c.strip().rstrip(" %") for c in line.split("|")[1:-1]]
        if len(cells) == 8 and cells[0] in COLOURS:
            out.append((cells[0], int(cells[2]), float(cells[4]),
                        float(cells[5]), float(cells[6]), float(cells[7])))
    if not out:
        sys.exit("plot_roofline: expected a table of kernel-bench on stdin")
    return out


def main():
    points = read(sys.stdin)
    read_limit = statistics.median(p[2] / p[3] * 100 for p in points
                                   if p[1] == 1)
    dot_limit = statistics.median(p[4] / p[5] * 100 for p in points)
    span = [min(p[4] / p[2] for p in points) / 1.5,
            max(p[4] / p[2] for p in points) * 1.5]
    top = dot_limit * 1.3
    low = min(p[4] for p in points) / 1.5

    def x(value):
        part = math.log(value / span[0]) / math.log(span[1] / span[0])
        return LEFT + part * (RIGHT - LEFT)

    def y(value):
        part = math.log(value / low) / math.log(top / low)
        return BOTTOM - part * (BOTTOM - TOP)

    def text(at_x, at_y, words, anchor="start", colour="#333"):
        return (f'<text x="{at_x:.1f}" y="{at_y:.1f}" fill="{colour}" '
                f'text-anchor="{anchor}">{words}</text>')

    start = max(span[0], low / read_limit)
    ridge = dot_limit / read_limit
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<polyline fill="none" stroke="#333" points="{x(start):.1f},'
           f'{y(start * read_limit):.1f} {x(ridge):.1f},{y(dot_limit):.1f} '
           f'{RIGHT},{y(dot_limit):.1f}"/>',
           f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" '
           'stroke="#999"/>',
           text(RIGHT - 4, y(dot_limit) - 6,
                f"dot limit {dot_limit:.0f} G multiply-adds/s", "end"),
           text(LEFT + 8, TOP + 12, f"read limit {read_limit:.1f} GB/s"),
           text((LEFT + RIGHT) / 2, HEIGHT - 12,
                "multiply-adds per byte of weights", "middle"),
           text(8, TOP + 4, "G/s")]
    for power in range(-3, 14):
        for value, at, axis in ((2.0 ** power, x, "x"), (2.0 ** power, y, "y")):
            inside = (span[0] <= value <= span[1] if axis == "x"
                      else low <= value <= top)
            if inside and axis == "x":
                out.append(text(at(value), BOTTOM + 16, f"{value:g}", "middle"))
            elif inside:
                out.append(text(LEFT - 8, at(value) + 4, f"{value:g}", "end"))
    for name, rows, gbs, _, rate, _ in points:
        at = x(rate / gbs), y(rate)
        out.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4" '
                   f'fill="{COLOURS[name]}"><title>{name}, {rows} rows: '
                   f'{rate:g} G/s</title></circle>')
        out.append(text(at[0] + 6, at[1] + 12, rows, colour=COLOURS[name]))
    for i, name in enumerate(dict.fromkeys(p[0] for p in points)):
        out.append(text(RIGHT + 20, TOP + 40 + 18 * i, f"{name}, rows",
                        colour=COLOURS[name]))
    print("\n".join(out + ["</svg>"]))


main()
