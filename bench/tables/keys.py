"""Growth with users that own an API key each, 10 to 1,000,000: bench/scale.py's data and measurements as a table.

Data directories are made once, and calls alternate between their servers in twenty short rounds; --rounds and --duration do not count.
"""

from __future__ import annotations

import scale
from measure import Bench
from outcome import Column, Comparison, Outcome, Picture, Row
from peers.funcgate import Funcgate
from tables import Table

COUNTS = (10, 1_000, 100_000, 1_000_000)
SAMPLES = 10_000
COLUMNS = [Column("cpu_us", "CPU µs/call"), Column("median_us", "median µs", 0), Column("start_s", "start s", 2), Column("Pss", "PSS MiB"),
           Column("per_key", "bytes/key", 0), Column("seen_ms", "revocation seen, ms")]


def run(bench: Bench) -> Outcome:
    counts = [count for count in COUNTS if bench.chosen("growth-keys", str(count))]
    figures, _ = scale.measure(bench.options.binary, bench.new_folder("keys"), {str(count): count for count in counts}, SAMPLES)
    rows = [Row(str(count), f"Funcgate, {count:,} keys", {name: [value] for name, value in figures[str(count)].items()}, True, "Funcgate", count)
            for count in counts]
    picture = Picture("lines", "cpu_us", "CPU µs per call with a key: lower is better", "users with a key each")
    outcome = Outcome("growth-keys", "Growth with API keys", COLUMNS, rows, [], [picture], {"funcgate": Funcgate(bench.options.binary).version()})
    first, last = figures[str(counts[0])], figures[str(counts[-1])]
    if last is not first:
        outcome.comparisons += [
            Comparison(f"CPU of a call with {counts[-1]:,} keys, of {counts[0]:,}", [last["cpu_us"] / first["cpu_us"]], "lower", 1.3, 1.1),
            Comparison("memory per key", [last["per_key"]], "lower", 400, 200, "B"),
            Comparison(f"revocation seen, {counts[-1]:,} keys", [last["seen_ms"]], "lower", 50, 5, "ms")]
    return outcome


TABLES = (Table("growth-keys", "growth with API keys, 10 to 1,000,000", tuple(str(count) for count in COUNTS), run, "long, 2 GiB of disk; only when named"),)
