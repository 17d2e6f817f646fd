"""From the start of the process to the first answered call, with ten script sets; and how soon a killed worker is replaced."""

from __future__ import annotations

import os
import signal
import time

from load import Call, ask, json_call
from measure import Bench, Case, present
from outcome import Column, Comparison, Outcome, Picture, Row
from peers.asgi import Uvicorn
from peers.fastify import Fastify
from peers.funcgate import CALL, ONE_CORE, Funcgate
from processes import Failure, free_port, workers_of
from product import Documents, Product
from tables import Table, reference, versions
from tables.calls import PAIR, theirs

SETS = 10
NAMES = ("funcgate", "replacement", "fastapi-async", "asgi", "fastify")
SUM = "@DFF.API('Sum of two numbers')\ndef total(a: int, b: int):\n    return {'sum': a + b}\n"
WITHIN_S = 30.0
COLUMN = Column("milliseconds", "ms")
OURS = json_call(CALL.format("sum"), PAIR)


def until_answered(port: int, call: Call, begin_s: float) -> float:
    """Milliseconds since `begin_s` (time.perf_counter) until `call` is answered with 200."""
    while True:
        try:
            if ask(port, call)[0] == 200:
                return (time.perf_counter() - begin_s) * 1000
        except Failure:
            pass
        if time.perf_counter() - begin_s > WITHIN_S:
            raise Failure(f"port {port} did not answer within {WITHIN_S:g} s")
        time.sleep(0.0005)


def prepared(bench: Bench) -> Product:
    """A stopped server whose data directory has ten script sets and one API of the last of them."""
    documents = Documents()
    for number in range(SETS):
        documents.script_set(f"set_{number}", SUM)
    documents.api("sum", f"set_{SETS - 1}__main.total")
    folder = bench.new_folder("start")
    product = Product(folder / "funcgate", bench.options.binary, ONE_CORE, bench.server_core).start(documents.write(folder / "resources"))
    product.stop()
    return product


def start_ms(product: Product) -> float:
    product.port = free_port()
    product.launch()
    try:
        return until_answered(product.port, OURS, product.begin_s)
    finally:
        product.stop()


def replacement_ms(product: Product) -> tuple[float, float]:
    """Kills the only worker: milliseconds until another process is there, and until a call is answered."""
    product.port = 0
    product.start()
    try:
        until_answered(product.port, OURS, time.perf_counter())
        before = set(workers_of(product.pid))
        if not before:
            raise Failure("the server has no worker process")
        begin = time.perf_counter()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        while len(set(workers_of(product.pid)) - before) < len(before):
            if time.perf_counter() - begin > WITHIN_S:
                raise Failure(f"the killed worker was not replaced within {WITHIN_S:g} s")
        replaced = (time.perf_counter() - begin) * 1000
        return replaced, until_answered(product.port, OURS, begin)
    finally:
        product.stop()


def peer_ms(bench: Bench, case: Case) -> float:
    begin = time.perf_counter()
    running = case.peer.start(bench.new_folder(case.peer.name), bench.server_core)
    try:
        return until_answered(running.port, case.call, begin)
    finally:
        running.stop()


def run(bench: Bench) -> Outcome:
    peers = [theirs("fastapi-async", "FastAPI async def", Uvicorn("fastapi-async", "fastapi_async")),
             theirs("asgi", "ASGI by hand", Uvicorn("asgi", "asgi_by_hand")), theirs("fastify", "Fastify", Fastify())]
    chosen = present(bench, [reference()] + [case for case in peers if bench.chosen("start", case.name)])
    rows = {case.name: Row(case.name, f"{case.title}: start", {COLUMN.figure: []}) for case in chosen}
    product = prepared(bench)
    titles = {"funcgate": f"Funcgate, {SETS} script sets: start", "replacement": "Funcgate: killed worker replaced",
              "replacement-call": "Funcgate: next call answered after a kill"}
    for name, title in titles.items():
        if bench.chosen("start", name.removesuffix("-call")):
            rows[name] = Row(name, title, {COLUMN.figure: []}, ours=True)
    for number in range(bench.options.rounds):
        for case in chosen:
            rows[case.name].figures[COLUMN.figure].append(peer_ms(bench, case))
        if "funcgate" in rows:
            rows["funcgate"].figures[COLUMN.figure].append(start_ms(product))
        if "replacement" in rows:
            for name, value in zip(("replacement", "replacement-call"), replacement_ms(product)):
                rows[name].figures[COLUMN.figure].append(value)
        bench.say(f"round {number + 1} of {bench.options.rounds}")
    outcome = Outcome("start", "Start and replacement", [COLUMN], list(rows.values()), [], [
        Picture("bars", COLUMN.figure, "ms: shorter is better")], {**versions(chosen), "funcgate": Funcgate(bench.options.binary).version()})
    wanted = {"funcgate": (400, 150), "replacement": (50, 10)}
    for name, (must, goal) in wanted.items():
        if row := outcome.row(name):
            outcome.comparisons.append(Comparison(row.title, row.figures[COLUMN.figure], "lower", must, goal, "ms"))
    return outcome


TABLES = (Table("start", "start to the first answered call, and replacement of a killed worker", NAMES, run),)
