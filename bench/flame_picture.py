"""Flame graphs as SVG: boxes as wide as their share of the samples, callers below what they called. For bench/flame.py.

Readable in light and dark; no scripts, no fonts, nothing is loaded from elsewhere.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

WIDTH, MARGIN, ROW, TOP, BOTTOM = 1200, 10, 17, 84, 12
CHARACTER = 6.3  # width of one, 10.5 px monospace
KINDS = {"own": "the program's own code", "python": "Python", "library": "libraries", "kernel": "the kernel", "none": "unknown code"}
# Three shades of each, so that neighbours can be told apart; dark text is readable on all.
SHADES = {"own": ("#f5a742", "#f7b765", "#f09a2e"), "python": ("#7fc97f", "#95d495", "#6dbd6d"), "library": ("#c9a7e8", "#d6bbee", "#bd95e2"),
          "kernel": ("#82b5ea", "#9ac4ef", "#6fa8e4"), "none": ("#c4c9cf", "#d0d4d9", "#b8bec5")}
STYLE = """
  svg { color-scheme: light dark; } .page { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; }
  @media (prefers-color-scheme: dark) { .page { fill: #0d1117; } .text { fill: #f0f6fc; } .quiet { fill: #9198a1; } }
  text { font: 13px system-ui, sans-serif; } .title { font-size: 16px; font-weight: 600; }
  g text { font: 10.5px ui-monospace, monospace; fill: #1f2328; } g rect { stroke: #ffffff; stroke-width: .4; }
  g:hover rect { stroke: #1f2328; stroke-width: 1; }
"""


class Frame(NamedTuple):
    """`kind`: a key of KINDS. `library`: file that the code is in, shown with the box."""

    name: str
    kind: str
    library: str


@dataclass
class Box:
    frame: Frame
    samples: int = 0
    children: dict[tuple[str, str], "Box"] = field(default_factory=dict)

    def add(self, stack: tuple[Frame, ...], count: int) -> None:
        box = self
        box.samples += count
        for frame in stack:
            box = box.children.setdefault((frame.name, frame.kind), Box(frame))
            box.samples += count


def tree_of(stacks: Counter) -> Box:
    root = Box(Frame("all", "none", ""))
    for stack, count in stacks.items():
        root.add(stack, count)
    return root


def depth(box: Box, least: float) -> int:
    """Rows that the box and what stands on it need."""
    return 1 + max((depth(child, least) for child in box.children.values() if child.samples >= least), default=0)


def label(name: str, width: float) -> str:
    """As much of the name as fits; empty if that would say nothing. The last part says most."""
    room = int((width - 5) / CHARACTER)
    if len(name) <= room:
        return name
    last = name.rsplit("::", 1)[-1]
    if "::" in name and len(last) + 2 <= room:
        return ".." + name[len(name) - (room - 2):] if len(name) > room else name
    return last[:room - 2] + ".." if room >= 5 else ""


def boxes(box: Box, left: float, row: int, scale: float, least: float, bottom: float, total: int, parts: list[str]) -> None:
    """Draws the box and what stands on it, sorted by name."""
    frame, width, y = box.frame, box.samples * scale, bottom - (row + 1) * ROW
    shade = zlib.crc32(frame.name.encode()) % 3
    where = f" [{frame.library}]" if frame.library else ""
    parts.append(f'<g><title>{escape(frame.name)}{escape(where)}: {box.samples:,} samples, {box.samples / total:.1%}</title>'
                 f'<rect x="{left:.1f}" y="{y:.0f}" width="{max(width, .3):.1f}" height="{ROW - 1}" class="{frame.kind[0]}{shade}"/>')
    if shown := label(frame.name, width):
        parts.append(f'<text x="{left + 3:.1f}" y="{y + 12:.0f}">{escape(shown)}</text>')
    parts.append("</g>\n")
    for child in sorted((child for child in box.children.values() if child.samples >= least), key=lambda child: child.frame):
        boxes(child, left, row + 1, scale, least, bottom, total, parts)
        left += child.samples * scale


def legend() -> str:
    parts, x = [], MARGIN
    for kind, title in KINDS.items():
        parts.append(f'<rect x="{x}" y="60" width="12" height="12" class="{kind[0]}0"/><text x="{x + 17}" y="71" class="quiet">{title}</text>')
        x += 40 + 7 * len(title)
    return "".join(parts) + "\n"


def draw(stacks: Counter, title: str, caption: str, cut: float) -> str:
    """`stacks`: how often each tuple of frames was seen. `cut`: share of all samples below which a box is left out."""
    root = tree_of(stacks)
    least = max(1.0, root.samples * cut)
    height = TOP + depth(root, least) * ROW + BOTTOM
    parts: list[str] = []
    boxes(root, MARGIN, 0, (WIDTH - 2 * MARGIN) / root.samples, least, height - BOTTOM, root.samples, parts)
    colours = " ".join(f".{kind[0]}{index} {{ fill: {shade}; }}" for kind, shades in SHADES.items() for index, shade in enumerate(shades))
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
            f"<title>{escape(title)}</title>", f"<desc>{escape(caption)}</desc>", f"<style>{STYLE}  {colours}\n</style>",
            f'<rect width="{WIDTH}" height="{height}" class="page"/>', f'<text x="{MARGIN}" y="26" class="text title">{escape(title)}</text>',
            f'<text x="{MARGIN}" y="46" class="quiet">{escape(caption)}</text>', legend()]
    return "\n".join(head) + "".join(parts) + "</svg>\n"
