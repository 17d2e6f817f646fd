"""The tables of script/bench: what is compared with what, and what is wanted of it. One file per kind of question.

A table is a module-level `TABLE` (or several, in `TABLES`). Its cases have names, so that one can be chosen alone: TABLE/CASE.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from measure import Bench, Case, present, rounds
from outcome import Column, Outcome, Picture, Row
from peers.nginx import Nginx
from load import Call


@dataclass(frozen=True)
class Table:
    """`cases`: names that can be chosen, without the reference. `run` measures those that `bench.chosen` wants. `long`: only when named."""

    name: str
    title: str
    cases: tuple[str, ...]
    run: Callable[[Bench], Outcome]
    long: str = ""


REFERENCE = "nginx"
BUSY = 0.8  # of a core
RATE_COLUMNS = [Column("cpuMicroseconds", "CPU µs/request"), Column("cpuOfReference", "CPU of nginx", 2), Column("requestsPerSecond", "requests/s", 0),
                Column("rateOfReference", "requests/s of nginx", 2), Column("p50Milliseconds", "p50 ms", 2), Column("p99Milliseconds", "p99 ms", 2),
                Column("serverBusy", "server busy", 2), Column("loadBusy", "load busy", 2)]


def reference() -> Case:
    """nginx answering `return 200` with 60 bytes: measured in every round of every table, what others are divided by."""
    return Case(REFERENCE, "nginx, return 200", Nginx(), Call())


def rate_rows(measured: dict[str, list], cases: list[Case]) -> list[Row]:
    """Rows of rounds of load, with ratios to the reference of the same round."""
    base = measured[REFERENCE]
    rows = []
    for case in cases:
        figures: dict[str, list[float]] = {}
        for made, other in zip(measured[case.name], base):
            for name, value in made.figures().items():
                figures.setdefault(name, []).append(value)
            if case.name != REFERENCE:
                figures.setdefault("cpuOfReference", []).append(made.cpu_us / other.cpu_us if other.cpu_us else 0.0)
                figures.setdefault("rateOfReference", []).append(made.rate / other.rate)
        rows.append(Row(case.name, case.title, figures, case.ours))
    return rows


def idle_rows(rows: list[Row]) -> list[str]:
    """A note on rows of which neither server nor load was at work all the time: requests/s then tell of something else."""
    shares = {row.title: statistics.median(map(max, row.figures["serverBusy"], row.figures["loadBusy"])) for row in rows}
    found = [f"{title} ({share:.0%})" for title, share in shares.items() if share < BUSY]
    if not found:
        return []
    return [f"neither server nor load was busy all the time, so that another program took their cores or answers were waited for: {', '.join(found)}"]


def rate_table(bench: Bench, name: str, title: str, cases: list[Case], core: int | None) -> Outcome:
    """The reference and the chosen cases under full load."""
    chosen = present(bench, [reference()] + [case for case in cases if bench.chosen(name, case.name)])
    rows = rate_rows(rounds(bench, chosen, core), chosen)
    picture = Picture("bars", "cpuMicroseconds", "CPU of all processes of the server, µs per request: shorter is better")
    outcome = Outcome(name, title, RATE_COLUMNS, rows, [], [picture])
    outcome.conditions = versions(chosen)
    if core is not None:
        outcome.notes += idle_rows(rows)
    return outcome


def versions(cases: list[Case]) -> dict[str, str]:
    found = {}
    for case in cases:
        kind = type(case.peer).__name__.lower()
        if kind not in found:
            found[kind] = case.peer.version()
    return found


def all_tables() -> dict[str, Table]:
    """By name, in the order in which they are measured."""
    from tables import authentication, bodies, calls, cores, flood, growth, keys, latency, memory, start
    modules = (calls, authentication, latency, cores, memory, start, growth, bodies, flood, keys)
    return {table.name: table for module in modules for table in module.TABLES}
