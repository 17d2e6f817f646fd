"""Growth with users that own an API key each, 10 to 1,000,000: bench/scale.py's data and measurements as a table.

Data directories are made once. Each round starts their servers anew, and calls alternate between them in twenty short turns.
"""

from __future__ import annotations

import scale
from measure import Bench
from outcome import Column, Comparison, Outcome, Picture, Row, compared
from peers.funcgate import Funcgate
from tables import Table

COUNTS = (10, 1_000, 100_000, 1_000_000)
SAMPLES_PER_S = 5_000  # so that the calls of a round to one server take about half of --duration
COLUMNS = [Column("cpu_us", "CPU µs/call"), Column("median_us", "median µs", 0), Column("start_s", "start s", 2), Column("Pss", "PSS MiB"),
           Column("per_key", "bytes/key", 0), Column("seen_ms", "revocation seen, ms")]


def run(bench: Bench) -> Outcome:
    counts = [count for count in COUNTS if bench.chosen("growth-keys", str(count))]
    samples = max(1_000, round(bench.options.duration * SAMPLES_PER_S))
    figures = scale.measure(bench.options.binary, bench.new_folder("keys"), {str(count): count for count in counts}, samples, bench.options.rounds)
    rows = [Row(str(count), f"Funcgate, {count:,} keys", figures[str(count)], True, "Funcgate", count) for count in counts]
    picture = Picture("lines", "cpu_us", "CPU µs per call with a key: lower is better", "users with a key each")
    conditions = {"funcgate": Funcgate(bench.options.binary).version(), "cores": "not pinned, shared by servers and caller", "connections": "1"}
    outcome = Outcome("growth-keys", "Growth with API keys", COLUMNS, rows, [], [picture], conditions)
    first, last = rows[0], rows[-1]
    if last is not first:
        compared(outcome, f"CPU of a call with {last.x:,} keys, of {first.x:,}", "cpu_us", last.name, first.name, "lower", 1.3, 1.1)
        outcome.comparisons += [
            Comparison("memory per key", last.figures["per_key"], "lower", 400, 200, "B"),
            Comparison(f"revocation seen, {last.x:,} keys", last.figures["seen_ms"], "lower", 50, 5, "ms")]
    return outcome


TABLES = (Table("growth-keys", "growth with API keys, 10 to 1,000,000", tuple(str(count) for count in COUNTS), run, "long, 2 GiB of disk; only when named"),)
