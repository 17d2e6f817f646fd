"""What is shown and kept of a measured table: text on the terminal, JSON and pictures in a folder, Markdown in docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from datetime import date
from pathlib import Path

from outcome import Column, Comparison, Outcome, Row
from picture import draw
from processes import ROOT, Failure

PAGE = ROOT / "docs/performance.md"
RESULTS = ROOT / "bench/results"
# What the bench itself writes, and texts: with them each table would differ from the commit because of the one before it.
NO_SOURCES = (":!bench/results", ":!docs", ":!*.md")


def shown(values: list[float], digits: int) -> str:
    """Median and, if there were several rounds, the spread."""
    median = f"{statistics.median(values):,.{digits}f}"
    return median if len(values) == 1 else f"{median} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def cell(row: Row, column: Column) -> str:
    values = row.figures.get(column.figure)
    return shown(values, column.digits) if values else "–"


def bound(comparison: Comparison, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{'≤' if comparison.better == 'lower' else '≥'} {value:g}{'' if comparison.unit == 'x' else ' ' + comparison.unit}"


def table_cells(outcome: Outcome) -> list[list[str]]:
    return [["", *(column.title for column in outcome.columns)], *([row.title, *(cell(row, column) for column in outcome.columns)] for row in outcome.rows)]


def comparison_cells(outcome: Outcome) -> list[list[str]]:
    rows = []
    for made in outcome.comparisons:
        digits = 1 if made.median >= 10 else 2
        measured = shown(made.values, digits) + ("" if made.unit == "x" else f" {made.unit}")
        rows.append([made.title, measured, bound(made, made.must), bound(made, made.goal), made.verdict()])
    return [["ratio", "measured", "must", "goal", "reached"], *rows] if rows else []


def plain(cells: list[list[str]], texts: tuple[int, ...] = (0,)) -> str:
    """Columns under each other; those of `texts` begin at the same place, the others end there."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        lines.append("  ".join(text.ljust(width) if column in texts else text.rjust(width)
                               for column, (text, width) in enumerate(zip(row, widths))).rstrip())
    return "\n".join(lines)


def markdown(cells: list[list[str]]) -> str:
    head, *rows = cells
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def machine() -> str:
    try:
        model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        model = None
    return f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"


def code() -> str:
    """Short hash of the repository's commit, with a "+" if sources differ from it. Empty: no repository, or no git."""
    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    if not (ROOT / ".git").exists():
        return ""  # a copy without its history inside of somebody else's repository has no commit of its own
    try:
        found = git("rev-parse", "--short", "HEAD")
        if found.returncode:
            return ""
        return found.stdout.strip() + ("+" if git("diff", "--quiet", "HEAD", "--", *NO_SOURCES).returncode == 1 else "")
    except (OSError, subprocess.TimeoutExpired):
        return ""


def conditions(options, server_core: int | None, load_core: int | None) -> dict[str, str]:
    commit = code()
    where = "not pinned" if server_core is None else f"servers on core {server_core}, load on core {load_core}"
    return {"date": date.today().isoformat(), **({"code": commit} if commit else {}), "machine": machine(),
            "load of the machine before": f"{os.getloadavg()[0]:.2f}", "cores": where,
            "rounds": f"{options.rounds} of {options.duration:g} s, interleaved", "connections": str(options.connections)}


def printed(outcome: Outcome) -> str:
    told = "; ".join(f"{name}: {value}" for name, value in outcome.conditions.items())
    parts = [f"\n{outcome.title}", told, "median (lowest–highest)", "", plain(table_cells(outcome))]
    if cells := comparison_cells(outcome):
        parts += ["", plain(cells)]
    return "\n".join([*parts, *(f"note: {note}" for note in outcome.notes)])


def picture_names(outcome: Outcome) -> list[str]:
    """File names of the pictures: one is called like the table, further ones have a number."""
    return [f"{outcome.name}{'' if index == 0 else f'-{index + 1}'}.svg" for index in range(len(outcome.pictures))]


def keep(outcome: Outcome, folder: Path) -> None:
    """Writes the figures of every round and the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{outcome.name}.json").write_text(json.dumps(outcome.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for picture, name in zip(outcome.pictures, picture_names(outcome)):
        (folder / name).write_text(draw(outcome, picture), encoding="utf-8")


def put_on_page(outcome: Outcome, parts: list[str], page: Path = PAGE) -> None:
    """Puts the parts, conditions and notes between the marks `<!-- figures: NAME -->` and `<!-- end -->` of the page."""
    text = page.read_text(encoding="utf-8")
    mark = f"<!-- figures: {outcome.name} -->\n"
    before, found, rest = text.partition(mark)
    if not found or "<!-- end -->" not in rest:
        raise Failure(f"{page} has no place for {outcome.name}: {mark.strip()} … <!-- end -->")
    _, _, after = rest.partition("<!-- end -->")
    told = [f"{name}: {value}" for name, value in outcome.conditions.items()] + outcome.notes
    page.write_text(before + mark + "\n\n".join([*parts, "\n".join(f"* {line}" for line in told)]) + "\n<!-- end -->" + after, encoding="utf-8")


def write_page(outcome: Outcome, folder: Path, page: Path = PAGE) -> None:
    """Puts table, comparisons and pictures onto the page."""
    parts = [f"![{outcome.title}]({os.path.relpath(folder / name, page.parent)})" for name in picture_names(outcome)]
    parts.append(markdown(table_cells(outcome)))
    if cells := comparison_cells(outcome):
        parts.append(markdown(cells))
    put_on_page(outcome, parts, page)
