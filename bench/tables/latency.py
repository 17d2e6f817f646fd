"""How long callers wait: at saturation, where they wait for each other, and at a quarter of that load, as in daily life.

wrk sends as fast as it gets answers. For the quarter each connection pauses between answer and next request, for a random time whose
mean is found by a first round; the share that was really reached is in the table. Pauses end in whole milliseconds, so that requests
come in small bursts: the times are an upper bound. The quarter is measured twice, with cores that stay awake, which tells of the server,
and with cores that sleep, to which the host's time comes (awake.py). A visit during which the machine itself took the core away is made
again, whoever was visited; the table tells how many (lateness.py).
"""

from __future__ import annotations

from contextlib import nullcontext

from awake import awake, can_stay_awake
from lateness import Watch
from load import Round
from measure import Bench, Case, interleaved, one_round, present
from outcome import Column, Comparison, Outcome, Picture, Row
from peers import Running
from tables import Table, reference, versions
from tables.calls import cases

NAMES = ("anonymous", "fixed", "basic", "key", "fastapi-async", "asgi", "fastify")
SHARE = 0.25
COLUMNS = [Column("fullP50Milliseconds", "p50 ms, saturated", 2), Column("fullP99Milliseconds", "p99 ms, saturated", 2),
           Column("quarterP50Milliseconds", "p50 ms, a quarter", 2), Column("quarterP99Milliseconds", "p99 ms, a quarter", 2),
           Column("quarterShare", "load reached", 2),
           Column("sleepingP99Milliseconds", "p99 ms, a quarter, cores sleep", 2)]


def pause_for(bench: Bench, full: Round, connections: int) -> float:
    """Mean pause in ms with which `connections` make SHARE of the full rate, if an answer then takes a third of a millisecond."""
    return max(0.1, connections / (full.rate * SHARE) * 1000 - 0.33)


def pause_of(bench: Bench, case: Case, running: Running, full: Round) -> float:
    """The pause for a quarter of the load, guessed and corrected once."""
    guess = pause_for(bench, full, bench.options.connections)
    first = one_round(bench, case, running, pause_ms=guess, seconds=1.0)
    return max(0.1, guess + bench.options.connections * 1000 * (1 / (full.rate * SHARE) - 1 / first.rate))


def run(bench: Bench) -> Outcome:
    chosen = present(bench, [reference()] + [case for case in cases(bench.options.binary) if case.name in NAMES and bench.chosen("latency", case.name)])
    figures: dict[str, dict[str, list[float]]] = {case.name: {column.figure: [] for column in COLUMNS} for case in chosen}
    pauses: dict[str, float] = {}
    watch = Watch.of(bench.server_core)
    wakeful = can_stay_awake(bench.server_core)
    if not wakeful:
        bench.note("cores cannot be kept awake (that needs pinning, /dev/cpu_dma_latency and a kernel that polls when idle): how long they take "
                   "to wake up is in the times at a quarter of the load")

    def visit(case: Case, running: Running, seconds: float) -> tuple[Round, Round, Round]:
        full = watch.undisturbed(seconds, lambda: one_round(bench, case, running, seconds=seconds))
        with awake() if wakeful else nullcontext():
            if case.name not in pauses:
                pauses[case.name] = pause_of(bench, case, running, full)
            calm = watch.undisturbed(seconds, lambda: one_round(bench, case, running, pause_ms=pauses[case.name], seconds=seconds))
        # Not watched: how late a sleeping core wakes up is what this one shows.
        return full, calm, one_round(bench, case, running, pause_ms=pauses[case.name], seconds=seconds)

    for made in interleaved(bench, chosen, bench.server_core, visit, warm_s=1.0):
        for name, (full, calm, sleeping) in made.items():
            values = (full.p50_ms, full.p99_ms, calm.p50_ms, calm.p99_ms, calm.rate / full.rate, sleeping.p99_ms)
            for column, value in zip(COLUMNS, values):
                figures[name][column.figure].append(value)
    rows = [Row(case.name, case.title, figures[case.name], case.ours) for case in chosen]
    outcome = Outcome("latency", "How long callers wait", COLUMNS, rows, [], [
        Picture("bars", "fullP99Milliseconds", "99th percentile at saturation, ms: shorter is better"),
        Picture("bars", "quarterP99Milliseconds", "99th percentile at a quarter of the load, ms: shorter is better")],
        {**versions(chosen), "cores at a quarter of the load": "awake" if wakeful else "sleep when idle", "visits made again": str(watch)})
    for row in rows:
        if row.ours:
            outcome.comparisons += [
                Comparison(f"p99 at saturation, {row.title}", row.figures["fullP99Milliseconds"], "lower", 3, 1.5, "ms"),
                Comparison(f"p99 at a quarter of the load, {row.title}", row.figures["quarterP99Milliseconds"], "lower", 1, 0.5, "ms")]
    return outcome


TABLES = (Table("latency", "how long callers wait, at saturation and at a quarter of the load", NAMES, run),)
