"""What a flood of wrong passwords costs callers who are known: bench/flood.py's measurement as a table.

Nothing is pinned: the caller that is measured and the server share the machine. Guessers take only processor time that nobody else
wants (the idle class), as if they were on other machines. What they did is shown beside: without guesses nothing is measured.
"""

from __future__ import annotations

import flood
from measure import Bench
from outcome import Column, Comparison, Outcome, Picture, Row
from peers.funcgate import Funcgate
from processes import Failure
from product import Product
from tables import Table

SAMPLES_PER_S = 300
HASHES = 1
# On average in each round. The server lets 64 wait for a hash (hash_queue); further guessers are sent away and come back after a pause.
IN_FLIGHT_MIN, JUDGED_MIN_PER_S = 50, 1
TITLES = {"idle": "known caller, nobody guesses", "flooded": f"known caller, {flood.GUESSERS} guess at once",
          "idle_again": "known caller, guessing has ended"}
COLUMNS = [Column("median_ms", "median ms", 3), Column("p99_ms", "p99 ms", 3), Column("in_flight", "guesses in flight", 0),
           Column("judged_per_s", "guesses judged/s", 0)]


def row_of(name: str) -> Row:
    """Guesses are figures of the flooded row alone."""
    columns = COLUMNS if name == "flooded" else COLUMNS[:2]
    return Row(name, TITLES[name], {column.figure: [] for column in columns}, ours=True)


def one(server: Product, samples: int) -> dict:
    """Figures of a round, as flood.parallel gives them. Failure: too few guesses were in flight, or hardly any was judged."""
    figures = flood.parallel(server, samples, HASHES)
    flooded = figures["flooded"]
    if flooded["in_flight"] < IN_FLIGHT_MIN or flooded["judged_per_s"] < JUDGED_MIN_PER_S:
        raise Failure(f"flood: on average {flooded['in_flight']:g} guesses were in flight and {flooded['judged_per_s']:g} judged per second, instead "
                      f"of at least {IN_FLIGHT_MIN} and {JUDGED_MIN_PER_S}, answers {flooded['answers_to_guesses']}: no figure is made of that")
    return figures


def run(bench: Bench) -> Outcome:
    rows = {name: row_of(name) for name in TITLES}
    ratio, memory = [], []
    server = flood.start(bench.new_folder("flood"), bench.options.binary, HASHES)
    try:
        for number in range(bench.options.rounds):
            figures = one(server, max(100, round(bench.options.duration * SAMPLES_PER_S)))
            for name, row in rows.items():
                for figure, values in row.figures.items():
                    values.append(figures[name][figure])
            ratio.append(figures["p99_ratio"])
            memory.append(figures["memory_grown_mib"])
            bench.say(f"round {number + 1} of {bench.options.rounds}")
    finally:
        server.stop()
    comparisons = [Comparison("p99 of a known caller, flooded of idle", ratio, "lower", 2, 1.3),
                   Comparison("memory of the hashes", [max(memory)], "lower", HASHES * 19 + 1, unit="MiB")]
    picture = Picture("bars", "p99_ms", "99th percentile of a known caller, ms: shorter is better")
    conditions = {"funcgate": Funcgate(bench.options.binary).version(), "cores": "not pinned, shared by server, guessers and caller"}
    return Outcome("flood", "A flood of wrong passwords", COLUMNS, list(rows.values()), comparisons, [picture], conditions)


TABLES = (Table("flood", "a known caller while 200 guess passwords at once", ("flooded",), run),)
