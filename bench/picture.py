"""Pictures of tables as SVG, written by hand: bars with whiskers from the lowest to the highest round, and lines over a growing thing.

Readable in light and dark: colours follow what the reader's system prefers. No scripts, no fonts, nothing is loaded from elsewhere.
"""

from __future__ import annotations

import math
import statistics
from html import escape

from outcome import Outcome, Picture, Row

WIDTH = 860
STYLE = """
  svg { color-scheme: light dark; }
  .page { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; } .axis { stroke: #d1d9e0; }
  .ours { fill: #0969da; } .other { fill: #afb8c1; } .whisker { stroke: #1f2328; }
  .s0 { stroke: #0969da; fill: #0969da; } .s1 { stroke: #bc4c00; fill: #bc4c00; }
  .s2 { stroke: #1a7f37; fill: #1a7f37; } .s3 { stroke: #8250df; fill: #8250df; }
  .line { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .axis { stroke: #3d444d; }
    .ours { fill: #4493f8; } .other { fill: #57606a; } .whisker { stroke: #f0f6fc; }
    .s0 { stroke: #4493f8; fill: #4493f8; } .s1 { stroke: #f0883e; fill: #f0883e; }
    .s2 { stroke: #3fb950; fill: #3fb950; } .s3 { stroke: #ab7df8; fill: #ab7df8; }
    .line { fill: none; }
  }
  text { font: 13px system-ui, sans-serif; } .title { font-size: 16px; font-weight: 600; }
"""


def number(value: float) -> str:
    """Three digits that matter, with thousands apart."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 3)}f}"


def amount(value: float) -> str:
    """A round number of an axis: 1, 10, 1k, 10M."""
    for bound, sign in ((1e6, "M"), (1e3, "k")):
        if value >= bound:
            return f"{value / bound:g}{sign}"
    return f"{value:g}"


def text(x: float, y: float, content: str, kind: str = "text", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def document(height: float, title: str, caption: str, parts: list[str]) -> str:
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" role="img">',
            f"<title>{escape(title)}</title>", f"<desc>{escape(caption)}</desc>", f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{height:.0f}" class="page"/>', text(16, 28, title, "text title"), text(16, 48, caption, "quiet")]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def bars(outcome: Outcome, picture: Picture) -> str:
    """A bar per row that has the figure: median, whisker from lowest to highest, the number behind it."""
    rows = [row for row in outcome.rows if row.figures.get(picture.figure)]
    left, right, top, step = 300, WIDTH - 110, 66, 28
    longest = max((max(row.figures[picture.figure]) for row in rows), default=1) or 1
    place = lambda value: left + (right - left) * max(0.0, value) / longest
    parts = []
    for index, row in enumerate(rows):
        values, y = row.figures[picture.figure], top + index * step
        median, low, high, middle = statistics.median(values), min(values), max(values), y + 9
        parts += [text(left - 10, y + 14, row.title, anchor="end"),
                  f'<rect x="{left}" y="{y}" width="{max(1.0, place(median) - left):.1f}" height="18" rx="2" class="{"ours" if row.ours else "other"}"/>']
        if high > low:
            parts += [line(place(low), middle, place(high), middle, "whisker"),
                      *(line(place(end), middle - 4, place(end), middle + 4, "whisker") for end in (low, high))]
        parts.append(text(place(high) + 8, y + 14, number(median)))
    bottom = top + len(rows) * step
    parts.append(line(left, top - 6, left, bottom))
    return document(bottom + 14, outcome.title, picture.caption, parts)


def decades(low: float, high: float) -> list[float]:
    """Powers of ten that enclose both."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0 ** power for power in range(first, max(last, first + 1) + 1)]


def series_of(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows by series, ours first, each in the order of x."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (not row.ours, row.x)):
        found.setdefault(row.series, []).append(row)
    return found


def lines(outcome: Outcome, picture: Picture) -> str:
    """A line per series; both axes in powers of ten, so that proportional growth is a straight slope and none is level."""
    rows = [row for row in outcome.rows if row.series and row.figures.get(picture.figure) and row.x > 0 and min(row.figures[picture.figure]) > 0]
    if not rows:
        return document(80, outcome.title, "nothing was measured", [])
    left, right, top, bottom = 70, WIDTH - 230, 70, 360
    x_marks, y_marks = decades(min(row.x for row in rows), max(row.x for row in rows)), decades(
        min(min(row.figures[picture.figure]) for row in rows), max(max(row.figures[picture.figure]) for row in rows))
    scaled = lambda value, marks, begin, end: begin + (end - begin) * math.log10(value / marks[0]) / math.log10(marks[-1] / marks[0])
    at_x = lambda value: scaled(value, x_marks, left, right)
    at_y = lambda value: scaled(value, y_marks, bottom, top)
    parts = [line(left, at_y(mark), right, at_y(mark)) for mark in y_marks] + [text(left - 8, at_y(mark) + 4, amount(mark), "quiet", "end") for mark in y_marks]
    parts += [text(at_x(mark), bottom + 20, amount(mark), "quiet", "middle") for mark in x_marks]
    parts += [text((left + right) / 2, bottom + 42, picture.x_title, "quiet", "middle")]
    lowest_label = top
    for index, (name, points) in enumerate(series_of(rows).items()):
        kind = f"s{min(index, 3)}"
        places = [(at_x(row.x), at_y(statistics.median(row.figures[picture.figure])), row) for row in points]
        parts.append(f'<polyline class="line {kind}" style="fill:none" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places) + '"/>')
        for x, y, row in places:
            values = row.figures[picture.figure]
            parts += [line(x, at_y(min(values)), x, at_y(max(values)), kind), f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{kind}"/>']
        last = statistics.median(points[-1].figures[picture.figure])
        parts += [f'<rect x="{right + 18}" y="{lowest_label}" width="12" height="12" class="{kind}"/>',
                  text(right + 36, lowest_label + 11, f"{name}: {number(last)}")]
        lowest_label += 22
    return document(bottom + 56, outcome.title, picture.caption, parts)


def draw(outcome: Outcome, picture: Picture) -> str:
    return bars(outcome, picture) if picture.kind == "bars" else lines(outcome, picture)
