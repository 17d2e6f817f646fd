"""What a flood of wrong passwords costs callers who are known: bench/flood.py's measurement as a table.

Nothing is pinned: guessers, the caller that is measured and the server share the machine, so that the ratio is an upper bound.
"""

from __future__ import annotations

import flood
from measure import Bench
from outcome import Column, Comparison, Outcome, Picture, Row
from peers.funcgate import Funcgate
from tables import Table

SAMPLES_PER_S = 300
HASHES = 1
TITLES = {"idle": "known caller, nobody guesses", "flooded": f"known caller, {flood.GUESSERS} wrong passwords in flight",
          "idle_again": "known caller, guessing has ended"}


def run(bench: Bench) -> Outcome:
    rows = {name: Row(name, title, {"median_ms": [], "p99_ms": []}, ours=True) for name, title in TITLES.items()}
    ratio, memory = [], []
    server = flood.start(bench.new_folder("flood"), bench.options.binary, HASHES)
    try:
        for number in range(bench.options.rounds):
            figures = flood.parallel(server, max(100, round(bench.options.duration * SAMPLES_PER_S)), HASHES)
            for name, row in rows.items():
                for figure, values in row.figures.items():
                    values.append(figures[name][figure])
            ratio.append(figures["p99_ratio"])
            memory.append(figures["memory_grown_mib"])
            bench.say(f"round {number + 1} of {bench.options.rounds}")
    finally:
        server.stop()
    columns = [Column("median_ms", "median ms", 3), Column("p99_ms", "p99 ms", 3)]
    comparisons = [Comparison("p99 of a known caller, flooded of idle", ratio, "lower", 2, 1.3),
                   Comparison("memory of the hashes", [max(memory)], "lower", HASHES * 19 + 1, unit="MiB")]
    picture = Picture("bars", "p99_ms", "99th percentile of a known caller, ms: shorter is better")
    conditions = {"funcgate": Funcgate(bench.options.binary).version(), "cores": "not pinned, shared by server, guessers and caller"}
    return Outcome("flood", "A flood of wrong passwords", columns, list(rows.values()), comparisons, [picture], conditions)


TABLES = (Table("flood", "a known caller while 200 wrong passwords are in flight", ("flooded",), run),)
