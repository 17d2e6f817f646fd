"""What a table gives: rows of figures, comparisons between them, and how they are shown. This is the shape of bench/results/*.json.

Every figure is a list with one value per round, so that nothing is lost; medians and spread are made when it is shown.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Column:
    """`figure`: the key in Row.figures."""

    figure: str
    title: str
    digits: int = 1


@dataclass
class Row:
    """`series` and `x` place the row in a line picture. `ours`: it is Funcgate that was measured."""

    name: str
    title: str
    figures: dict[str, list[float]]
    ours: bool = False
    series: str = ""
    x: float = 0.0


@dataclass
class Comparison:
    """A ratio with what is wanted of it. `better`: "lower" or "higher". `must`, `goal`: bounds, None if there is none."""

    title: str
    values: list[float]
    better: str
    must: float | None = None
    goal: float | None = None
    unit: str = "x"

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def verdict(self) -> str:
        def holds(bound: float) -> bool:
            return self.median <= bound if self.better == "lower" else self.median >= bound
        if self.goal is not None and holds(self.goal):
            return "goal"
        if self.must is not None:
            return "must" if holds(self.must) else "missed"
        return "" if self.goal is None else "missed"


@dataclass
class Picture:
    """`kind`: bars or lines. `figure`: which one is drawn. `caption` names unit and direction: "µs per request, shorter is better"."""

    kind: str
    figure: str
    caption: str
    x_title: str = ""


@dataclass
class Outcome:
    """A measured table. `conditions`: how it was measured, by name."""

    name: str
    title: str
    columns: list[Column]
    rows: list[Row]
    comparisons: list[Comparison]
    pictures: list[Picture]
    conditions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)

    def as_json(self) -> dict:
        found = asdict(self)
        for comparison, made in zip(found["comparisons"], self.comparisons):
            comparison |= {"median": made.median, "verdict": made.verdict()}
        for row in found["rows"]:
            row["medians"] = {name: statistics.median(values) for name, values in row["figures"].items() if values}
        return found


def ratios(rows: dict[str, Row], figure: str, above: str, below: str) -> list[float]:
    """Figure of one row by that of another, round by round; empty if one of them was not measured."""
    if above not in rows or below not in rows:
        return []
    pairs = zip(rows[above].figures.get(figure, []), rows[below].figures.get(figure, []))
    return [first / second for first, second in pairs if second]


def compared(outcome: Outcome, title: str, figure: str, above: str, below: str, better: str, must: float | None = None, goal: float | None = None) -> None:
    """Adds a comparison, if both rows were measured."""
    if values := ratios({row.name: row for row in outcome.rows}, figure, above, below):
        outcome.comparisons.append(Comparison(title, values, better, must, goal))
